//! All conversations, and which of them something is to be done for.

use super::SessionId;
use super::session::{Session, Waits};
use crate::protocol::Reply;

/// What a client that listens to channels may be owed.
pub(super) const LISTENER_BYTES_MAX: usize = 32 << 20;

/// Invariant: a list names a session at most once, and only those that are there (or peers' connections).
#[derive(Default)]
pub(crate) struct Sessions {
    all: Vec<Option<Box<Session>>>,
    count: usize,
    /// Those with something new to send.
    touched: Vec<SessionId>,
    /// Those whose turn comes.
    pub(super) runnable: Vec<SessionId>,
    /// Those (and peers' connections) that wait for the snapshot.
    pub(super) held: Vec<SessionId>,
    /// Those with answers that wait to be durable.
    gated: Vec<SessionId>,
    /// Those that wait for peers.
    pub(super) waiting: Vec<SessionId>,
    /// Those that are paused.
    pub(super) paused: Vec<SessionId>,
    /// Those that watch a prefix.
    watchers: Vec<SessionId>,
    /// Those that are told of every request.
    pub(super) monitors: Vec<SessionId>,
}

impl Sessions {
    /// A new one; the number is free.
    pub(super) fn add(&mut self, id: SessionId, session: Session) {
        if self.all.len() <= id {
            self.all.resize_with(id + 1, || None);
        }
        debug_assert!(self.all[id].is_none());
        self.all[id] = Some(Box::new(session));
        self.count += 1;
    }

    /// It is over.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Box<Session>> {
        let session = self.all.get_mut(id)?.take()?;
        self.count -= 1;
        self.forget(id);
        self.unwatch(id);
        self.monitors.retain(|&other| other != id);
        if session.touched {
            self.touched.retain(|&other| other != id);
        }
        if session.gated {
            self.gated.retain(|&other| other != id);
        }
        Some(session)
    }

    /// It watches a prefix.
    pub(super) fn watch(&mut self, id: SessionId) {
        self.unwatch(id);
        self.watchers.push(id);
    }

    /// It watches nothing.
    pub(super) fn unwatch(&mut self, id: SessionId) {
        self.watchers.retain(|&other| other != id);
    }

    pub(super) fn watchers(&self) -> &[SessionId] {
        &self.watchers
    }

    /// Takes it out of what waits.
    pub(super) fn forget(&mut self, id: SessionId) {
        for list in [&mut self.runnable, &mut self.held, &mut self.waiting, &mut self.paused] {
            list.retain(|&other| other != id);
        }
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

    /// How many there are, the one whose turn it is included.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many have a request that waits: for peers, for a time, or for the end of a pause.
    pub(super) fn blocked(&self) -> usize {
        self.waiting.len() + self.paused.len()
    }

    /// All but the one whose turn it is.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.all.iter().enumerate().filter_map(|(id, session)| Some((id, session.as_deref()?)))
    }

    /// After its turn: puts it where what it waits for will find it.
    pub(super) fn note_turn(&mut self, id: SessionId) {
        let Some(session) = self.get(id) else { return };
        match session.waits {
            Waits::ForTurn => self.runnable.push(id),
            Waits::ForSnapshot => self.held.push(id),
            Waits::ForPeers => self.waiting.push(id),
            Waits::ForUnpause => self.paused.push(id),
            Waits::ForInput | Waits::ForReader | Waits::ForNothing => (),
        }
        self.note_output(id);
    }

    /// It may have something new to send.
    pub(super) fn note_output(&mut self, id: SessionId) {
        let Some(session) = self.all.get_mut(id).and_then(Option::as_deref_mut) else { return };
        if !session.touched && (session.owed() > 0 || session.waits == Waits::ForNothing) {
            session.touched = true;
            self.touched.push(id);
        }
        if !session.gated && session.has_gates() {
            session.gated = true;
            self.gated.push(id);
        }
    }

    /// Says something that it has not asked for.
    pub(super) fn tell(&mut self, id: SessionId, replies: &[Reply<'_>]) {
        let Some(session) = self.get_mut(id) else { return };
        if session.owed() > LISTENER_BYTES_MAX {
            // As Redis does: who listens and does not read is hung up on, or it would hold all that is ever said.
            session.waits = Waits::ForNothing;
        } else {
            replies.iter().for_each(|reply| session.tell(*reply));
        }
        self.note_output(id);
    }

    /// Ends a conversation once what it is owed is sent.
    pub(super) fn end(&mut self, id: SessionId) {
        if let Some(session) = self.get_mut(id) {
            session.waits = Waits::ForNothing;
        }
        self.forget(id);
        self.note_output(id);
    }

    /// It waits for nothing but its turn.
    pub(super) fn run(&mut self, id: SessionId) {
        if let Some(session) = self.get_mut(id) {
            session.waits = Waits::ForTurn;
        }
        self.runnable.push(id);
    }

    /// It waited for peers: answers it, and it goes on.
    pub(super) fn end_wait(&mut self, id: SessionId, reply: Reply<'_>) {
        let Some(session) = self.get_mut(id) else { return };
        let start = session.mark();
        session.answer(reply);
        session.conclude(start);
        self.run(id);
        self.note_output(id);
    }

    /// The snapshot holds nobody.
    pub(super) fn run_held(&mut self) {
        for id in std::mem::take(&mut self.held) {
            self.run(id);
        }
    }

    /// Nobody is paused.
    pub(super) fn run_paused(&mut self) {
        for id in std::mem::take(&mut self.paused) {
            self.run(id);
        }
    }

    /// Those with something to send since the last call.
    pub(super) fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        for &id in &self.touched {
            if let Some(session) = self.all[id].as_deref_mut() {
                session.touched = false;
            }
        }
        into.append(&mut self.touched);
    }

    /// `keep` says whether the session stays among the gated ones.
    pub(super) fn visit_gated(&mut self, mut keep: impl FnMut(&mut Session) -> bool) {
        let Sessions { all, gated, touched, .. } = self;
        gated.retain(|&id| {
            let Some(session) = all[id].as_deref_mut() else { return false };
            session.gated = keep(session);
            if !session.touched {
                session.touched = true;
                touched.push(id);
            }
            session.gated
        });
    }
}
