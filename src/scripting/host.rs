//! Whom a script asks to do something.

use std::ops::Range;

use crate::protocol::Reply;

/// How urgent a line of the log is, as Redis numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// For who looks for a mistake.
    Debug,
    /// A little less so.
    Verbose,
    /// What is good to know.
    Notice,
    /// What somebody should look at.
    Warning,
}

/// See the module.
pub trait Host {
    /// Runs a command whose arguments are parts of `text`. Its answer takes the place of what is in `reply`, in RESP2 or
    /// RESP3; a refusal is an answer, too. Returns how long it will take to write what the script has written so far, in
    /// nanoseconds; the largest number: the command takes longer than a script may.
    fn call(&mut self, text: &[u8], spans: &[Range<usize>], resp3: bool, reply: &mut Vec<u8>) -> u64;

    /// Whether its user may run such a command; `None`: there is no such command.
    fn allows(&mut self, text: &[u8], spans: &[Range<usize>]) -> Option<bool>;

    /// Says something in the log.
    fn log(&mut self, urgency: Urgency, text: &str);

    /// A part of the answer to the script's client.
    fn answer(&mut self, reply: Reply<'_>);

    /// A part of it for a client that speaks RESP3, as it will be sent. Returns false where the client does not.
    fn answer_in_resp3(&mut self, bytes: &[u8]) -> bool;
}
