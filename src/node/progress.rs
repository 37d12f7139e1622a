//! How far a request has come that takes several turns, or is a part of a transaction.

use bytes::Bytes;

use super::waiting::Until;
use super::walk::Walk;

/// See the module.
///
/// What is under way belongs to one request: whoever ends it otherwise than by its answer [abandons](Progress::abandon)
/// it, or the next request would go on with it.
#[derive(Default)]
pub(super) struct Progress {
    /// A walk through all keys that takes several turns.
    pub(super) walk: Option<Box<Walk>>,
    /// A large value that is looked through before it is answered as a line, and how far.
    pub(super) looked_through: Option<Box<(Bytes, usize)>>,
    /// Whether the request that is to be executed again has slept.
    pub(super) has_slept: bool,
    /// The renewal of certificates that it has asked for.
    pub(super) renewal: Option<u64>,
    /// How long it has taken so far.
    pub(super) spent_us: u64,
    /// Whether a transaction is being run.
    pub(super) is_executing: bool,
    /// ... or a script.
    pub(super) is_scripted: bool,
    /// Turns that a script may take to go through keys.
    pub(super) script_turns: u64,
    /// What the scripts of the transaction have taken so far, in nanoseconds.
    pub(super) scripts_ns: u64,
    /// What the answer under way is to wait for.
    pub(super) held_until: Option<Until>,
}

impl Progress {
    /// The request that was under way is refused.
    #[cold]
    pub(super) fn abandon(&mut self) {
        *self = Progress {
            is_executing: self.is_executing,
            is_scripted: self.is_scripted,
            script_turns: self.script_turns,
            scripts_ns: self.scripts_ns,
            ..Progress::default()
        };
    }
}
