//! What a script may take: time and memory. Whatever runs for a script looks here from time to time.
//!
//! Lua's interpreter looks every so many instructions, by a hook. What is not made of instructions looks by itself: no
//! function of the libraries runs longer than some hundred microseconds without a look, or it is not there.

use std::cell::Cell;
use std::rc::Rc;

use super::raised::{Cause, Raised};

/// Monotonic nanoseconds.
pub type Clock = Rc<dyn Fn() -> u64>;

/// Looks for each millisecond where there is no clock. A look comes at least every hundred instructions, so it is
/// several times as many instructions as a machine makes in that time.
const LOOKS_PER_MS: u64 = 5_000;

/// What is done at once with fewer bytes than that takes no longer than some instructions.
const BYTES_PER_LOOK: usize = 4 << 10;

/// Small things that are done between two looks: each takes no longer than some instructions.
const STEPS_PER_LOOK: usize = 256;

/// Many small things that are done one after another, with a look from time to time.
#[derive(Default)]
pub(super) struct Pace(usize);

impl Pace {
    /// One of them is done.
    pub(super) fn step(&mut self, budget: &Budget) -> Result<(), Raised> {
        self.0 += 1;
        if self.0.is_multiple_of(STEPS_PER_LOOK) { budget.look() } else { Ok(()) }
    }
}

/// What a script may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time of the machine, with what it takes to write what the script has written.
    pub time_ms: u64,
    /// Memory beside what the libraries and the cached scripts have.
    pub memory_bytes: usize,
}

/// See the module.
pub(super) struct Budget {
    clock: Option<Clock>,
    limits: Cell<Limits>,
    /// When it is over, by the clock.
    ends_ns: Cell<u64>,
    looks_left: Cell<u64>,
    /// How long it takes to write what the script has written so far.
    owed_ns: Cell<u64>,
    /// Why the script was ended.
    ended: Cell<Option<Cause>>,
    /// Looks in all scripts.
    looks: Cell<u64>,
}

impl Budget {
    pub(super) fn new(clock: Option<Clock>) -> Budget {
        let limits = Limits { time_ms: 0, memory_bytes: 0 };
        Budget {
            clock,
            limits: Cell::new(limits),
            ends_ns: Cell::new(0),
            looks_left: Cell::new(0),
            owed_ns: Cell::new(0),
            ended: Cell::new(None),
            looks: Cell::new(0),
        }
    }

    /// A script begins, and `spent_ns` of its time are gone.
    pub(super) fn begin(&self, limits: Limits, spent_ns: u64) {
        let left_ns = (limits.time_ms * 1_000_000).saturating_sub(spent_ns);
        self.limits.set(limits);
        self.ends_ns.set(self.now_ns().saturating_add(left_ns));
        self.looks_left.set(match self.clock {
            Some(_) => u64::MAX,
            None => limits.time_ms * LOOKS_PER_MS,
        });
        self.owed_ns.set(0);
        self.ended.set(None);
    }

    /// It is ended as soon as its time is over.
    pub(super) fn look(&self) -> Result<(), Raised> {
        self.looks.set(self.looks.get() + 1);
        let left = self.looks_left.get().saturating_sub(1);
        self.looks_left.set(left);
        let is_late = || self.now_ns().saturating_add(self.owed_ns.get()) >= self.ends_ns.get();
        if left == 0 || self.owed_ns.get() == u64::MAX || (self.clock.is_some() && is_late()) {
            return Err(self.end(Cause::Time));
        }
        match self.ended.get() {
            Some(_) => Err(Raised::Ended),
            None => Ok(()),
        }
    }

    /// Something is done at once with so many bytes.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Raised> {
        if bytes < BYTES_PER_LOOK { Ok(()) } else { self.look() }
    }

    /// It is ended, and why.
    pub(super) fn end(&self, cause: Cause) -> Raised {
        if self.ended.get().is_none() {
            self.ended.set(Some(cause));
        }
        Raised::Ended
    }

    /// Something of so many bytes may be made outside Lua's own memory.
    pub(super) fn allow_bytes(&self, bytes: usize) -> Result<(), Raised> {
        if bytes > self.limits.get().memory_bytes { Err(self.end(Cause::Memory)) } else { Ok(()) }
    }

    /// To write what it has written so far takes so long.
    pub(super) fn owe(&self, ns: u64) {
        self.owed_ns.set(ns);
    }

    /// Why it was ended.
    pub(super) fn ended(&self) -> Option<Cause> {
        self.ended.get()
    }

    /// Looks in all scripts so far.
    pub(super) fn looks(&self) -> u64 {
        self.looks.get()
    }

    /// 0 where there is no clock.
    fn now_ns(&self) -> u64 {
        self.clock.as_ref().map_or(0, |clock| clock())
    }
}
