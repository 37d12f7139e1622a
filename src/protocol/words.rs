//! Refusals in Redis' words, which client libraries look at.

use std::fmt;

use super::reply::Refusal;

/// A write for which there is no room, in Redis' words: clients look at them.
pub const OUT_OF_MEMORY: &str = "command not allowed when used memory > 'maxmemory'.";

/// What is no command of the line dialect.
pub(super) const INVALID_COMMAND: &str = "ERR invalid command";

/// A refusal in words that clients of Redis know: a code, a space, why.
pub(super) struct InWords(pub(super) Refusal);

impl fmt::Display for InWords {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0.code();
        match self.0 {
            Refusal::TooManyClients(_) => write!(out, "{code} max number of clients reached"),
            Refusal::OutOfMemory => write!(out, "{code} {OUT_OF_MEMORY}"),
            refusal => write!(out, "{code} {refusal}"),
        }
    }
}
