//! How far a request is that is several commands: it takes turns, and may have to wait between any two of them.

use crate::http::calls::Calls;

/// See the module.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) stage: Stage,
    /// The commands that the stage has not seen.
    pub(super) calls: Calls,
    /// What is answered so far.
    pub(super) answers: Vec<u8>,
    /// The position of the last change that one of them has made; 0: none has.
    pub(super) written: u64,
    /// Whether one of them has ended the connection.
    pub(super) ends: bool,
}

/// What is done with the commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// They are read: where one of them is none, none is run.
    #[default]
    Reading,
    /// They are run, or put together to be run as one.
    Running,
    /// They are run as one.
    Executing,
}

impl Batch {
    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Batch>() + self.answers.capacity()
    }
}
