//! What a session waits for.

use super::waiting::Cause;

/// What has to come before a session's next request can be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Bytes from the client.
    ForInput,
    /// Its next turn: requests are there, and others come first.
    ForTurn,
    /// The client reads what it is owed.
    ForReader,
    /// A gate that opens.
    ForGate(Cause),
    /// Nothing: it ends once what is owed is sent.
    ForNothing,
}
