//! Waiting: everything that cannot be done yet stands at a gate, and a gate says until what.
//!
//! Two things wait, and they differ in what becomes of the client's later requests:
//!
//! - An **answer** waits. Its request is executed, and later ones of the same client may go on; the answer stays in the
//!   session's outbox, and with it all answers behind it, so that they keep their order. So wait writes under
//!   `--durability commit` (`Until::Durable`) and `SAVE` (`Until::Merged`). What they wait for can be lost; a
//!   refusal then comes in the place of the answer.
//! - A **request** waits. The session's turn ends there, and nothing of that client is executed before the gate opens.
//!   It is either executed then, as one that is paused, or that has no room to be written, or that sleeps
//!   (`Then::Execute`); or it has been executed, and is answered then, as `WAIT` (`Then::TellPeers`) and `WAITAOF`
//!   (`Then::TellAll`). A
//!   request may have a deadline, at which its gate opens whatever it waits for.
//!
//! Both stand in the same lists, one for each `Cause`. Whoever learns that something has come further reports it once,
//! as `Reached`, to `Sessions::reached`; only those are looked at that wait for it. A further kind of waiting is a
//! variant of `Until`, `Cause` and `Reached`, and that call.
//!
//! An example: two clients write under `--durability commit`, at the positions 7 and 9; the first goes on with `WAIT 1
//! 500`, which waits for the peers to have 7 on disk. The lists are `Durability: [first until 7, second until 9]` and
//! `Copies: [first until 1 peer has 7, at most 500 ms]`. A snapshot up to 8 is committed: `Reached::Durable(8)` opens
//! the first client's `OK`, and the second's stays. A peer acknowledges 8: `Reached::Copied` opens the `WAIT`,
//! and the client's next request has its turn.

mod until;

pub use until::Cause;
pub(crate) use until::{Causes, Copies, Lost, Reached, Until};

use super::SessionId;

/// Clients are paused until then, in monotonic microseconds: all, or those that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) until_us: u64,
    pub(crate) writers_only: bool,
}

impl Pause {
    /// Of two pauses the longer and the stricter hold.
    pub(crate) fn with(self, earlier: Pause) -> Pause {
        let until_us = self.until_us.max(earlier.until_us);
        Pause { until_us, writers_only: self.writers_only && earlier.writers_only }
    }
}

/// What becomes of a waiter when its gate opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Answers in its outbox may be sent.
    Send,
    /// Its request is executed.
    Execute,
    /// It is a peer's connection, and goes on.
    GoOn,
    /// It is told how many peers have its writes on disk, and goes on.
    TellPeers(Copies),
    /// It is told that, and before it whether this node does.
    TellAll(Copies),
}

impl Then {
    /// There are so many copies.
    pub(crate) fn knowing(self, copies: Copies) -> Then {
        match self {
            Then::TellPeers(_) => Then::TellPeers(copies),
            Then::TellAll(_) => Then::TellAll(copies),
            Then::Send | Then::Execute | Then::GoOn => self,
        }
    }
}

/// Somebody at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) id: SessionId,
    pub(crate) until: Until,
    /// When the gate opens in any case, in monotonic microseconds; `u64::MAX`: never.
    pub(crate) deadline_us: u64,
    pub(crate) then: Then,
}

impl Waiter {
    /// Answers that wait, the first of them until this.
    pub(crate) fn answers(id: SessionId, until: Until) -> Waiter {
        Waiter { id, until, deadline_us: u64::MAX, then: Then::Send }
    }

    /// Whether something becomes of it: its gate opens, or some of its answers' may, which the outbox knows. It learns
    /// how many copies there are.
    fn learn(&mut self, reached: Reached<'_>) -> bool {
        match (reached, self.until, self.then) {
            (Reached::Time(now_us), _, _) => self.deadline_us <= now_us,
            (Reached::Copied(copies), Until::Copied { position, .. }, Then::TellPeers(_) | Then::TellAll(_)) => {
                let copies = copies(position);
                self.then = self.then.knowing(copies);
                self.until.is_with_copies(copies)
            }
            (_, _, Then::Send) => true,
            (_, until, _) => until.is_with(reached),
        }
    }
}

/// All that wait, by what for, in the order in which they came.
///
/// Invariant: a session has one request here at most. Its answers are one waiter for each cause, which waits as the
/// first of them does.
pub(crate) struct Waiting {
    lists: [Vec<Waiter>; Cause::ALL.len()],
    /// The earliest deadline.
    first_us: u64,
    /// Memory for those that are taken out.
    taken: Vec<Waiter>,
}

impl Default for Waiting {
    fn default() -> Waiting {
        Waiting { lists: Default::default(), first_us: u64::MAX, taken: Vec::new() }
    }
}

impl Waiting {
    pub(crate) fn add(&mut self, waiter: Waiter) {
        self.first_us = self.first_us.min(waiter.deadline_us);
        self.lists[waiter.until.cause() as usize].push(waiter);
    }

    /// Takes out those whose gates open. To be [given back](Waiting::give_back).
    pub(crate) fn open(&mut self, reached: Reached<'_>) -> Vec<Waiter> {
        match reached {
            Reached::Time(now_us) if now_us < self.first_us => std::mem::take(&mut self.taken),
            _ => self.take(reached.causes(), |waiter| waiter.learn(reached)),
        }
    }

    /// Takes out answers of which some may wait in vain. To be [given back](Waiting::give_back).
    pub(crate) fn take_answers(&mut self, lost: Lost) -> Vec<Waiter> {
        self.take(&[lost.cause()], |waiter| waiter.then == Then::Send)
    }

    /// Takes back memory.
    pub(crate) fn give_back(&mut self, mut taken: Vec<Waiter>) {
        taken.clear();
        self.taken = taken;
    }

    /// Those who wait for it have this deadline.
    pub(crate) fn set_deadlines(&mut self, cause: Cause, deadline_us: u64) {
        self.lists[cause as usize].iter_mut().for_each(|waiter| waiter.deadline_us = deadline_us);
        self.find_first();
    }

    /// It is gone.
    pub(crate) fn forget(&mut self, id: SessionId) {
        self.retain(|waiter| waiter.id != id);
    }

    /// Its request is not executed any more; its answers wait on.
    pub(crate) fn forget_request(&mut self, id: SessionId) {
        self.retain(|waiter| waiter.id != id || waiter.then == Then::Send);
    }

    /// Those who wait for it.
    pub(crate) fn of(&self, cause: Cause) -> &[Waiter] {
        &self.lists[cause as usize]
    }

    /// Clients whose request waits. Those whose answer waits may go on, and do not count.
    pub(crate) fn blocked(&self) -> usize {
        let all = self.lists.iter().flatten();
        all.filter(|waiter| matches!(waiter.then, Then::Execute | Then::TellPeers(_) | Then::TellAll(_))).count()
    }

    /// When the first gate opens that does so in any case, in monotonic microseconds.
    pub(crate) fn deadline_us(&self) -> u64 {
        self.first_us
    }

    fn take(&mut self, causes: &[Cause], mut is_taken: impl FnMut(&mut Waiter) -> bool) -> Vec<Waiter> {
        let mut taken = std::mem::take(&mut self.taken);
        for &cause in causes {
            taken.extend(self.lists[cause as usize].extract_if(.., &mut is_taken));
        }
        if self.first_us < u64::MAX && taken.iter().any(|waiter| waiter.deadline_us == self.first_us) {
            self.find_first();
        }
        taken
    }

    fn retain(&mut self, is_kept: impl Fn(&Waiter) -> bool) {
        self.lists.iter_mut().for_each(|list| list.retain(&is_kept));
        self.find_first();
    }

    fn find_first(&mut self) {
        self.first_us = self.lists.iter().flatten().map(|waiter| waiter.deadline_us).min().unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `id until deadline`, in the order in which they come.
    fn waiting(waiters: &[(SessionId, Until, u64)]) -> Waiting {
        let mut waiting = Waiting::default();
        for &(id, until, deadline_us) in waiters {
            let then = match until {
                Until::Durable(_) | Until::Merged(_) => Then::Send,
                Until::Copied { here: false, .. } => Then::TellPeers(Copies::default()),
                Until::Copied { here: true, .. } => Then::TellAll(Copies::default()),
                Until::Writable
                | Until::Unpaused
                | Until::Deadline
                | Until::Renewed(_)
                | Until::UsersFile(_)
                | Until::Copy(_) => Then::Execute,
            };
            waiting.add(Waiter { id, until, deadline_us, then });
        }
        waiting
    }

    fn ids(waiting: &mut Waiting, reached: Reached<'_>) -> Vec<SessionId> {
        let opened = waiting.open(reached);
        let ids = opened.iter().map(|waiter| waiter.id).collect();
        waiting.give_back(opened);
        ids
    }

    const NEVER: u64 = u64::MAX;
    const NOBODY: [SessionId; 0] = [];

    #[test]
    fn those_whose_gate_opens_come_in_their_order_and_the_others_wait_on() {
        let mut waiting = waiting(&[
            (1, Until::Durable(10), NEVER),
            (2, Until::Durable(20), NEVER),
            (3, Until::Merged(10), NEVER),
            (4, Until::Durable(5), NEVER),
            (5, Until::Writable, NEVER),
            (6, Until::Unpaused, NEVER),
            (7, Until::Unpaused, NEVER),
            (8, Until::copied(false, 1, 5), NEVER),
            (9, Until::copied(false, 0, 6), NEVER),
        ]);
        assert_eq!(ids(&mut waiting, Reached::Merged(9)), [3], "which of its answers may go, its outbox knows");
        assert_eq!(ids(&mut waiting, Reached::Merged(9)), NOBODY);
        assert_eq!(ids(&mut waiting, Reached::Writable), [5]);
        assert_eq!(ids(&mut waiting, Reached::Copied(&|_| Copies { here: true, peers: 1 })), [8, 9]);
        assert_eq!(ids(&mut waiting, Reached::Unpaused), [6, 7]);
        assert_eq!(ids(&mut waiting, Reached::Durable(10)), [1, 2, 4]);
    }

    #[test]
    fn copies_are_counted_for_each_position_and_told_at_the_deadline_too() {
        let mut waiting = waiting(&[
            (1, Until::copied(false, 2, 10), NEVER),
            (2, Until::copied(false, 1, 10), NEVER),
            (3, Until::copied(false, 1, 30), 500),
            (4, Until::copied(false, usize::MAX, 10), NEVER),
        ]);
        let peers = |have: [u64; 2]| {
            move |position| Copies { here: true, peers: have.iter().filter(|&&has| has >= position).count() }
        };
        assert_eq!(ids(&mut waiting, Reached::Copied(&peers([9, 9]))), NOBODY);
        assert_eq!(ids(&mut waiting, Reached::Copied(&peers([9, 12]))), [2]);
        assert_eq!(ids(&mut waiting, Reached::Copied(&peers([12, 12]))), [1]);
        let opened = waiting.open(Reached::Time(500));
        assert_eq!((opened[0].id, opened[0].then), (3, Then::TellPeers(Copies { here: true, peers: 0 })));
        waiting.give_back(opened);
        let opened = waiting.open(Reached::End);
        assert_eq!((opened[0].id, opened[0].then), (4, Then::TellPeers(Copies { here: true, peers: 2 })));
    }

    #[test]
    fn a_copy_here_is_waited_for_where_it_is_wanted() {
        let mut waiting = waiting(&[(1, Until::copied(true, 1, 10), NEVER), (2, Until::copied(false, 1, 10), NEVER)]);
        assert_eq!(ids(&mut waiting, Reached::Copied(&|_| Copies { here: true, peers: 0 })), NOBODY);
        assert_eq!(ids(&mut waiting, Reached::Copied(&|_| Copies { here: false, peers: 1 })), [2]);
        let copies = Copies { here: true, peers: 1 };
        let opened = waiting.open(Reached::Copied(&|_| copies));
        assert_eq!((opened[0].id, opened[0].then), (1, Then::TellAll(copies)));
    }

    #[test]
    fn the_next_deadline_is_that_of_those_who_still_wait() {
        let mut waiting = waiting(&[
            (1, Until::Deadline, 300),
            (2, Until::Unpaused, 200),
            (3, Until::Unpaused, 200),
            (4, Until::copied(false, 1, 1), 100),
            (5, Until::Durable(1), NEVER),
        ]);
        assert_eq!(waiting.deadline_us(), 100);
        assert_eq!(ids(&mut waiting, Reached::Time(99)), NOBODY);
        assert_eq!(ids(&mut waiting, Reached::Time(100)), [4]);
        assert_eq!(waiting.deadline_us(), 200);
        waiting.set_deadlines(Cause::Pause, 400);
        assert_eq!(waiting.deadline_us(), 300);
        waiting.forget(1);
        assert_eq!(waiting.deadline_us(), 400);
        assert_eq!(ids(&mut waiting, Reached::Unpaused), [2, 3]);
        assert_eq!(waiting.deadline_us(), NEVER);
        assert_eq!(ids(&mut waiting, Reached::Time(NEVER - 1)), NOBODY, "answers have no deadline");
    }

    #[test]
    fn clients_whose_request_waits_are_blocked_and_nobody_else() {
        let mut waiting = waiting(&[
            (1, Until::Durable(1), NEVER),
            (2, Until::Merged(1), NEVER),
            (3, Until::copied(false, 1, 1), NEVER),
            (4, Until::Writable, NEVER),
            (5, Until::Unpaused, 9),
            (6, Until::Deadline, 9),
        ]);
        let (until, deadline_us) = (Until::Writable, NEVER);
        waiting.add(Waiter { id: 7, until, deadline_us, then: Then::GoOn });
        assert_eq!(waiting.blocked(), 4);
        assert_eq!(ids(&mut waiting, Reached::Writable), [4, 7]);
        assert_eq!(waiting.blocked(), 3);
    }

    #[test]
    fn answers_of_a_client_that_is_hung_up_on_wait_on_without_its_request() {
        let mut waiting = waiting(&[(1, Until::Durable(1), NEVER), (1, Until::Unpaused, 9), (2, Until::Unpaused, 8)]);
        waiting.forget_request(1);
        assert_eq!(ids(&mut waiting, Reached::Unpaused), [2]);
        assert_eq!(ids(&mut waiting, Reached::Durable(1)), [1]);
    }

    #[test]
    fn only_answers_that_wait_for_it_wait_in_vain() {
        assert!(Lost::Durability.has(Until::Durable(1)) && !Lost::Durability.has(Until::Merged(1)));
        assert!(Lost::MergesFrom(2).has(Until::Merged(2)) && !Lost::MergesFrom(2).has(Until::Merged(1)));
        assert!(Lost::MergesUpTo(2).has(Until::Merged(2)) && !Lost::MergesUpTo(2).has(Until::Merged(3)));
        let mut waiting = waiting(&[(1, Until::Durable(1), NEVER), (2, Until::Merged(1), NEVER)]);
        let taken = waiting.take_answers(Lost::Durability);
        assert_eq!(taken, [Waiter::answers(1, Until::Durable(1))]);
    }
}
