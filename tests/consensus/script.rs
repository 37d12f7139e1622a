//! Histories as text, one event a line, in the order in which they happen:
//!
//! ```text
//! a > SET x 1        client a asks
//! a < OK             it is answered
//! b > GET x
//! b < nil            no value; a transaction that a watch has stopped
//! b > EXEC SET x 1 | GET x
//! b < OK | 1
//! a > INCR x
//! a ! not made       certainly not, and never will be
//! a > DELETE x
//! a ? unknown        for ever; the client goes on
//! ```

use std::collections::HashMap;

use crate::checker::history::{Answer, History, Request};

/// The history that the text tells. Panics where it tells none.
pub fn parse(text: &str) -> History {
    let mut history = History::default();
    let mut clients: Vec<&str> = Vec::new();
    let mut open: HashMap<&str, usize> = HashMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        let (client, event, rest) = (words.next().unwrap(), words.next().unwrap_or(""), words.next().unwrap_or(""));
        let mut ends = || open.remove(client).unwrap_or_else(|| panic!("{client} waits for nothing: {line}"));
        match event {
            ">" => {
                let number = clients.iter().position(|&other| other == client).unwrap_or_else(|| {
                    clients.push(client);
                    clients.len() - 1
                });
                let call = history.invoke(number, request(rest));
                assert!(open.insert(client, call).is_none(), "{client} waits already: {line}");
            }
            "<" => {
                let call = ends();
                let answer = answer(&history.calls()[call].request, rest);
                history.answered(call, answer);
            }
            "!" => history.not_made(ends()),
            "?" => {
                ends();
            }
            _ => panic!("no event: {line}"),
        }
    }
    history
}

fn request(text: &str) -> Request {
    if let Some(requests) = text.strip_prefix("EXEC ") {
        return Request::Exec(requests.split(" | ").map(request).collect());
    }
    match text.split(' ').collect::<Vec<_>>()[..] {
        ["GET", key] => Request::Get(key.into()),
        ["SET", key, value] => Request::Set(key.into(), value.into()),
        ["SET", key, value, "IFEQ", expected] => Request::SetIfEq(key.into(), value.into(), expected.into()),
        ["DELETE", key] => Request::Delete(key.into()),
        ["APPEND", key, value] => Request::Append(key.into(), value.into()),
        ["INCR", key] => Request::Increment(key.into()),
        ["MSET", ref pairs @ ..] if pairs.len() % 2 == 0 => {
            Request::MSet(pairs.chunks(2).map(|pair| (pair[0].into(), pair[1].into())).collect())
        }
        _ => panic!("no request: {text}"),
    }
}

fn answer(request: &Request, text: &str) -> Answer {
    match (request, text) {
        (_, "nil") => Answer::Nil,
        (_, "ERROR") => Answer::Error,
        (Request::Get(_), value) => Answer::Value(value.into()),
        (Request::Set(..) | Request::SetIfEq(..) | Request::MSet(_), "OK") => Answer::Ok,
        (Request::Delete(_) | Request::Append(..) | Request::Increment(_), number) => {
            Answer::Number(number.parse().unwrap_or_else(|_| panic!("no number: {text}")))
        }
        (Request::Exec(requests), answers) => {
            let answers: Vec<&str> = answers.split(" | ").collect();
            assert_eq!(answers.len(), requests.len(), "as many answers as requests: {text}");
            Answer::Several(requests.iter().zip(answers).map(|(request, text)| answer(request, text)).collect())
        }
        _ => panic!("no answer to {request}: {text}"),
    }
}
