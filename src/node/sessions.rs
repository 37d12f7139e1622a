//! All conversations, and which of them something is to be done for.

use std::rc::Rc;

use super::SessionId;
use super::client::Client;
use super::failures::Failures;
use super::session::Session;
use super::strangers::{Standing, Strangers};
use super::waiting::{Copies, Lost, Pause, Reached, Then, Until, Waiter, Waiting};
use super::waits::Waits;
use super::watchers::Watchers;
use crate::protocol::Reply;
use crate::store::Database;

/// What a client that listens to channels may be owed.
pub(super) const LISTENER_BYTES_MAX: usize = 32 << 20;

/// Invariant: a list names a session at most once, and only those that are there (or peers' connections).
#[derive(Default)]
pub(crate) struct Sessions {
    all: Vec<Option<Box<Session>>>,
    count: usize,
    /// How many there are beside those: they were sent away, and are there until their last bytes are sent.
    leaving: usize,
    /// How many came by TLS.
    encrypted: usize,
    /// Those with something new to send.
    touched: Vec<SessionId>,
    /// Those whose turn comes.
    pub(super) runnable: Vec<SessionId>,
    /// Those (and peers' connections) that wait.
    pub(super) waiting: Waiting,
    /// Those that have proven nothing.
    pub(super) strangers: Strangers,
    /// Passwords that were none.
    pub(super) failures: Failures,
    /// Those that watch a prefix.
    pub(super) watchers: Watchers,
    /// Those that are told of every request.
    pub(super) monitors: Vec<SessionId>,
    /// Commands that monitors are not told of; read when there is the first of them.
    pub(super) administrative: Vec<String>,
    /// Who may not go on.
    pub(super) pause: Option<Pause>,
    /// The most memory that one has held.
    pub(super) bytes_max: usize,
    /// When a log line said last that one of them spoke HTTP, in monotonic microseconds.
    pub(super) http_logged_us: Option<u64>,
}

impl Sessions {
    /// A new one; the number is free.
    pub(super) fn add(&mut self, id: SessionId, session: Session) {
        if self.all.len() <= id {
            self.all.resize_with(id + 1, || None);
        }
        debug_assert!(self.all[id].is_none());
        self.strangers.move_on(id, session.client.crowd, Standing::Admitted, session.client.standing);
        self.all[id] = Some(Box::new(session));
        self.count += 1;
    }

    /// It is over.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Box<Session>> {
        let session = self.all.get_mut(id)?.take()?;
        match session.client.standing {
            Standing::Leaving => self.leaving -= 1,
            Standing::Admitted | Standing::Denied { .. } | Standing::Unproven { .. } => self.count -= 1,
        }
        self.encrypted -= usize::from(session.client.is_encrypted);
        self.strangers.move_on(id, session.client.crowd, session.client.standing, Standing::Admitted);
        self.runnable.retain(|&other| other != id);
        if matches!(session.client.waits, Waits::ForGate(_)) || !session.client.gated.is_empty() {
            self.waiting.forget(id);
        }
        self.unwatch(id);
        self.monitors.retain(|&other| other != id);
        if session.client.touched {
            self.touched.retain(|&other| other != id);
        }
        Some(session)
    }

    /// It came by TLS.
    pub(super) fn set_encrypted(&mut self, id: SessionId) {
        if let Some(session) = self.get_mut(id) {
            let before = std::mem::replace(&mut session.client.is_encrypted, true);
            self.encrypted += usize::from(!before);
        }
    }

    /// Its standing is another from here on.
    pub(super) fn set_standing(&mut self, id: SessionId, standing: Standing) {
        let Some(session) = self.all.get_mut(id).and_then(Option::as_deref_mut) else { return };
        let before = std::mem::replace(&mut session.client.standing, standing);
        self.strangers.move_on(id, session.client.crowd, before, standing);
        if standing == Standing::Leaving && before != Standing::Leaving {
            self.count -= 1;
            self.leaving += 1;
        }
    }

    /// It watches a prefix in a database, and knows all changes up to a position.
    pub(super) fn watch(&mut self, id: SessionId, database: Database, prefix: Rc<[u8]>, told: u64) {
        self.watchers.add(id, database, prefix, told);
    }

    /// It watches nothing.
    pub(super) fn unwatch(&mut self, id: SessionId) {
        self.watchers.remove(id);
    }

    /// No request of it is executed any more.
    pub(super) fn forget(&mut self, id: SessionId) {
        self.runnable.retain(|&other| other != id);
        self.waiting.forget_request(id);
    }

    /// Borrows it for its turn, in which it may do something to others. To be [given back](Sessions::give).
    pub(super) fn take(&mut self, id: SessionId) -> Option<Box<Session>> {
        self.all.get_mut(id)?.take()
    }

    pub(super) fn give(&mut self, id: SessionId, session: Box<Session>) {
        self.all[id] = Some(session);
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.all.get(id)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.all.get_mut(id)?.as_deref_mut()
    }

    /// How many there are, the one whose turn it is included, and those that are leaving not.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many were sent away and are there yet.
    pub(super) fn leaving(&self) -> usize {
        self.leaving
    }

    /// How many came by TLS, the one whose turn it is included.
    pub(super) fn encrypted(&self) -> usize {
        self.encrypted
    }

    /// How many have a request that waits at a gate.
    pub(super) fn blocked(&self) -> usize {
        self.waiting.blocked()
    }

    /// All but the one whose turn it is.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.all.iter().enumerate().filter_map(|(id, session)| Some((id, session.as_deref()?)))
    }

    /// After its turn: puts it where what it waits for will find it.
    pub(super) fn note_turn(&mut self, id: SessionId) {
        let Some(session) = self.get(id) else { return };
        match session.client.waits {
            Waits::ForTurn => self.runnable.push(id),
            Waits::ForInput | Waits::ForReader | Waits::ForGate(_) | Waits::ForNothing => (),
        }
        self.note_output(id);
    }

    /// All clients but the one whose turn it is.
    pub(super) fn clients_mut(&mut self) -> impl Iterator<Item = (SessionId, &mut Client)> {
        let sessions = self.all.iter_mut().enumerate();
        sessions.filter_map(|(id, session)| Some((id, &mut session.as_deref_mut()?.client)))
    }

    /// It may have something new to send.
    pub(super) fn note_output(&mut self, id: SessionId) {
        let Some(session) = self.all.get_mut(id).and_then(Option::as_deref_mut) else { return };
        if !session.client.touched && (session.out.owed() > 0 || session.client.waits == Waits::ForNothing) {
            session.client.touched = true;
            self.touched.push(id);
        }
    }

    /// Says something that it has not asked for.
    pub(super) fn tell(&mut self, id: SessionId, replies: &[Reply<'_>]) {
        let Some(session) = self.get_mut(id) else { return };
        if session.out.owed() <= LISTENER_BYTES_MAX {
            replies.iter().for_each(|reply| session.out.tell(*reply));
        } else if session.client.waits != Waits::ForNothing {
            // As Redis does: who listens and does not read is hung up on, or it would hold all that is ever said.
            self.end(id);
        }
        self.note_output(id);
    }

    /// Ends a conversation once what it is owed is sent.
    pub(super) fn end(&mut self, id: SessionId) {
        if let Some(session) = self.get_mut(id) {
            session.client.waits = Waits::ForNothing;
        }
        self.forget(id);
        self.note_output(id);
    }

    /// Ends a conversation, and tells it nothing more.
    pub(super) fn dismiss(&mut self, id: SessionId) {
        self.silence(id);
        self.end(id);
    }

    /// It is told of no changes and of no requests.
    pub(super) fn silence(&mut self, id: SessionId) {
        self.unwatch(id);
        self.monitors.retain(|&other| other != id);
    }

    /// It waits for nothing but its turn.
    pub(super) fn run(&mut self, id: SessionId) {
        if let Some(session) = self.get_mut(id) {
            session.client.waits = Waits::ForTurn;
        }
        self.runnable.push(id);
    }

    /// Its request waited and is answered: it goes on.
    pub(super) fn end_wait(&mut self, id: SessionId, replies: &[Reply<'_>]) {
        let Some(session) = self.get_mut(id) else { return };
        let start = session.out.mark();
        replies.iter().for_each(|reply| session.out.answer(*reply));
        session.out.conclude(start);
        self.run(id);
        self.note_output(id);
    }

    /// Opens the gates that this opens.
    pub(super) fn reached(&mut self, reached: Reached<'_>) {
        let opened = self.waiting.open(reached);
        for waiter in &opened {
            match waiter.then {
                Then::Send => self.visit_gated(waiter, |session| session.out.release(reached)),
                then => self.go_on(waiter.id, then),
            }
        }
        self.waiting.give_back(opened);
    }

    /// Its request waits no longer.
    pub(super) fn go_on(&mut self, id: SessionId, then: Then) {
        match then {
            Then::Execute | Then::GoOn => self.run(id),
            Then::TellPeers(Copies { peers, .. }) => self.end_wait(id, &[Reply::Int(peers as i64)]),
            Then::TellAll(Copies { here, peers }) => {
                self.end_wait(id, &[Reply::Array(2), Reply::Int(here.into()), Reply::Int(peers as i64)]);
            }
            Then::Send => (),
        }
    }

    /// Puts refusals in the place of the answers that wait in vain.
    pub(super) fn lost(&mut self, lost: Lost) {
        let taken = self.waiting.take_answers(lost);
        for waiter in &taken {
            self.visit_gated(waiter, |session| session.out.refuse_gated(lost));
        }
        self.waiting.give_back(taken);
    }

    /// Those with something to send since the last call.
    pub(super) fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        for &id in &self.touched {
            if let Some(session) = self.all[id].as_deref_mut() {
                session.client.touched = false;
            }
        }
        into.append(&mut self.touched);
    }

    /// Does something to answers that waited; it returns what those still wait for that do.
    fn visit_gated(&mut self, waiter: &Waiter, visit: impl FnOnce(&mut Session) -> Option<Until>) {
        let Waiter { id, until, .. } = *waiter;
        let Some(session) = self.all[id].as_deref_mut() else { return };
        match visit(session) {
            Some(until) => self.waiting.add(Waiter::answers(id, until)),
            None => session.client.gated.remove(until.cause()),
        }
        if !session.client.touched {
            session.client.touched = true;
            self.touched.push(id);
        }
    }
}
