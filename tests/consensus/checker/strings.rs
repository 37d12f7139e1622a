//! What strings are, one request after the other: the sequential specification that a history is compared with.

use std::collections::BTreeMap;

use super::history::{Answer, Call, Outcome, Request, Text};

/// The value of each key that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State(BTreeMap<Text, Text>);

impl State {
    /// What this state becomes by the call; `None` where the call's answer would have been another one.
    pub fn after(&self, call: &Call) -> Option<State> {
        let mut next = self.clone();
        match &call.outcome {
            // A watched key had changed, if only to what it was before.
            Outcome::Answered(Answer::Nil) if matches!(call.request, Request::Exec(_)) => Some(next),
            Outcome::Answered(answer) => (next.make(&call.request) == *answer).then_some(next),
            Outcome::Unknown => {
                next.make(&call.request);
                Some(next)
            }
            Outcome::NotMade => None,
        }
    }

    /// Makes the request, and says what it is answered.
    pub fn make(&mut self, request: &Request) -> Answer {
        let State(values) = self;
        match request {
            Request::Get(key) => values.get(key).cloned().map_or(Answer::Nil, Answer::Value),
            Request::Set(key, value) => {
                values.insert(key.clone(), value.clone());
                Answer::Ok
            }
            Request::SetIfEq(key, value, expected) => match values.get_mut(key) {
                Some(current) if current == expected => {
                    *current = value.clone();
                    Answer::Ok
                }
                _ => Answer::Nil,
            },
            Request::Delete(key) => Answer::Number(i64::from(values.remove(key).is_some())),
            Request::Append(key, more) => {
                let value = values.get(key).map_or(String::new(), |value| value.to_string()) + more;
                let length = value.len() as i64;
                values.insert(key.clone(), value.into());
                Answer::Number(length)
            }
            Request::Increment(key) => {
                let number = values.get(key).map_or(Ok(0), |value| value.parse::<i64>());
                match number.ok().and_then(|number| number.checked_add(1)) {
                    Some(number) => {
                        values.insert(key.clone(), number.to_string().into());
                        Answer::Number(number)
                    }
                    None => Answer::Error,
                }
            }
            Request::MSet(pairs) => {
                values.extend(pairs.iter().cloned());
                Answer::Ok
            }
            Request::Exec(requests) => Answer::Several(requests.iter().map(|request| self.make(request)).collect()),
        }
    }
}
