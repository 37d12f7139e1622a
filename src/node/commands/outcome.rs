//! What became of a request.

use super::fail::Fail;
use crate::node::waiting::Cause;
use crate::node::waits::Waits;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum Executed {
    /// It is answered.
    Answered,
    /// It is answered, and was the last one that the turn had steps for.
    Exhausted,
    /// It is answered, and the conversation ends.
    Ended,
    /// It is to be executed again when what it waits for is there.
    Stopped(Waits),
    /// It is executed, and its answer comes when its gate opens.
    Waiting(Cause),
}

pub(in crate::node) type Outcome = Result<Executed, Fail>;
/// It is answered.
pub(super) const DONE: Outcome = Ok(Executed::Answered);
