//! What clients asked for, when, and what they were told: the input of the checker.
//!
//! Time is the order of events, not a clock: whoever records says of each event that it happened now.

use std::fmt::{self, Display, Formatter};
use std::rc::Rc;

/// Keys and values.
pub type Text = Rc<str>;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Answered with the value or nil.
    Get(Text),
    /// Answered with OK.
    Set(Text, Text),
    /// Answered with OK, or with nil where the value is another one than the last.
    SetIfEq(Text, Text, Text),
    /// Answered with how many keys there were: 0 or 1.
    Delete(Text),
    /// Answered with the length of the value that it makes.
    Append(Text, Text),
    /// Answered with the number that it makes, or with an error where there is none.
    Increment(Text),
    /// Answered with OK.
    MSet(Vec<(Text, Text)>),
    /// A transaction: answered with what its requests are answered, or with nil where a watched key had changed.
    Exec(Vec<Request>),
}

/// What a client is told of a request that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ok,
    Nil,
    Value(Text),
    Number(i64),
    /// The request does not fit what is there, and has changed nothing.
    Error,
    Several(Vec<Answer>),
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was made, at some moment between invocation and return.
    Answered(Answer),
    /// It was certainly not made, and never will be.
    NotMade,
    /// Nobody knows: it may be made at any moment after its invocation, or never. It stays so for ever.
    Unknown,
}

/// A request of a client, with what it came to.
#[derive(Clone, Debug)]
pub struct Call {
    pub client: usize,
    pub request: Request,
    pub outcome: Outcome,
    /// Number of the event with which it begins.
    pub invoked: u64,
    /// Number of the event with which it ends; `u64::MAX` where it does not.
    pub returned: u64,
}

/// Calls in the order of their invocation.
#[derive(Clone, Debug, Default)]
pub struct History {
    calls: Vec<Call>,
    events: u64,
}

impl History {
    /// The client asks. The number is the call's own; until it is answered its outcome is unknown.
    pub fn invoke(&mut self, client: usize, request: Request) -> usize {
        let invoked = self.next_event();
        self.calls.push(Call { client, request, outcome: Outcome::Unknown, invoked, returned: u64::MAX });
        self.calls.len() - 1
    }

    /// The client is told what it has asked for.
    pub fn answered(&mut self, call: usize, answer: Answer) {
        self.end(call, Outcome::Answered(answer));
    }

    /// The client is told that nothing was changed, nor will be.
    pub fn not_made(&mut self, call: usize) {
        self.end(call, Outcome::NotMade);
    }

    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    fn end(&mut self, call: usize, outcome: Outcome) {
        let returned = self.next_event();
        let call = &mut self.calls[call];
        assert_eq!(call.outcome, Outcome::Unknown, "a call ends once: {call}");
        call.outcome = outcome;
        call.returned = returned;
    }

    fn next_event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

impl Request {
    /// Every key that it names; some more than once.
    pub fn keys(&self) -> Vec<&Text> {
        match self {
            Request::Get(key)
            | Request::Set(key, _)
            | Request::SetIfEq(key, ..)
            | Request::Delete(key)
            | Request::Append(key, _)
            | Request::Increment(key) => vec![key],
            Request::MSet(pairs) => pairs.iter().map(|(key, _)| key).collect(),
            Request::Exec(requests) => requests.iter().flat_map(Request::keys).collect(),
        }
    }

    /// Whether it may change a key.
    pub fn is_write(&self) -> bool {
        match self {
            Request::Get(_) => false,
            Request::Exec(requests) => requests.iter().any(Request::is_write),
            _ => true,
        }
    }

    /// Whether what it leaves behind, and what it is answered, are the same without the earlier one just before it.
    pub fn overwrites(&self, earlier: &Request) -> bool {
        let keys = match self {
            Request::Set(..) | Request::MSet(_) => self.keys(),
            _ => return false,
        };
        earlier.keys().iter().all(|key| keys.contains(key))
    }
}

impl Display for Request {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Request::Get(key) => write!(out, "GET {key}"),
            Request::Set(key, value) => write!(out, "SET {key} {value}"),
            Request::SetIfEq(key, value, expected) => write!(out, "SET {key} {value} IFEQ {expected}"),
            Request::Delete(key) => write!(out, "DELETE {key}"),
            Request::Append(key, value) => write!(out, "APPEND {key} {value}"),
            Request::Increment(key) => write!(out, "INCR {key}"),
            Request::MSet(pairs) => {
                write!(out, "MSET")?;
                pairs.iter().try_for_each(|(key, value)| write!(out, " {key} {value}"))
            }
            Request::Exec(requests) => {
                write!(out, "EXEC")?;
                requests.iter().try_for_each(|request| write!(out, " | {request}"))
            }
        }
    }
}

impl Display for Answer {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Ok => write!(out, "OK"),
            Answer::Nil => write!(out, "nil"),
            Answer::Value(value) => write!(out, "{value}"),
            Answer::Number(number) => write!(out, "{number}"),
            Answer::Error => write!(out, "ERROR"),
            Answer::Several(answers) => answers.iter().try_for_each(|answer| write!(out, "| {answer} ")),
        }
    }
}

impl Display for Call {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Call { client, request, outcome, invoked, returned } = self;
        match outcome {
            Outcome::Answered(answer) => write!(out, "[{invoked}, {returned}] {client}: {request} => {answer}"),
            Outcome::NotMade => write!(out, "[{invoked}, {returned}] {client}: {request} => not made"),
            Outcome::Unknown => write!(out, "[{invoked}, ...) {client}: {request} => unknown"),
        }
    }
}
