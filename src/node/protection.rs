//! Protected mode: a node that asks nobody for a proof serves the machine that it runs on, and no other.
//!
//! The precedent is Redis' `protected-mode`. A client from another machine is told in one line how to open the node. A
//! node from another machine is told so where nodes do not prove who they are, and none there is dialed.

use super::client::Client;
use super::options::HttpPolicy;
use super::origin::{Crowd, Origin};
use super::session::Session;
use super::strangers::{DENIED_US, Standing, UNPROVEN_BYTES_MAX, UNPROVEN_US};
use super::waits::Waits;
use super::{Node, Now, SessionId};
use crate::auth::{Access, UserId};
use crate::protocol::Refusal;
use crate::protocol::http::begins;
use crate::replication::PeerTls;
use crate::replication::wire::GREETING;

/// What a node of another machine is told, and what the log says of it.
pub const NO_FAR_PEERS: &str = "protected mode is on, and a node in plain text proves nothing: give all of them one \
    secret (kvstoreapp secret, --cluster-secret-file), or start them with --protected-mode no where nobody else reaches \
    their addresses";
/// How long a denied client's handshake may take: it may have a certificate to show.
const HANDSHAKE_US: u64 = 6_000_000;
/// Least time between two log lines about nodes that are turned away.
const LOG_US: u64 = 10_000_000;

/// What a client has shown in its handshake. One that is shown is of the authority that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// None.
    None,
    /// One, of which no user's name is wanted.
    Valid,
    /// One that names a user; the name is empty where it names nobody.
    OfUser(String),
}

/// How a client stands that is not turned away.
fn proven_or_not(access: Access, now: Now) -> Standing {
    match access.is_authenticated() {
        true => Standing::Admitted,
        false => Standing::Unproven { until_us: now.monotonic_us + UNPROVEN_US },
    }
}

impl Node {
    /// Why no node whose address is on another machine is linked to in plain text; `None` where it may be.
    pub fn refuses_far_peers(&self) -> Option<&'static str> {
        let proves_nothing = self.keys.replica().replication().peer_tls() != PeerTls::Required;
        (self.settings.options.protected_mode && proves_nothing).then_some(NO_FAR_PEERS)
    }

    /// Whether a node of another machine is linked to that proves nothing.
    pub fn takes_far_peers_unproven(&self) -> bool {
        let replication = self.keys.replica().replication();
        replication.peers() > 0 && !self.settings.options.protected_mode && replication.peer_tls() != PeerTls::Required
    }

    /// Whether a client from another machine is turned away.
    pub fn refuses_far_clients(&self) -> bool {
        self.settings.options.protected_mode && !self.needs_password()
    }

    /// Whether a client that comes from there has to prove who it is also where the default user needs no password.
    pub(super) fn must_prove(&self, origin: Origin) -> bool {
        origin.is_far() && self.settings.options.protected_mode
    }

    /// Whether a client has to say who it is before it may do anything.
    pub fn needs_password(&self) -> bool {
        !self.users.get(UserId::DEFAULT).is_open()
    }

    /// A node at this address was turned away, or not dialed, for this reason.
    pub fn note_refused_peer(&mut self, address: &str, why: &str, now: Now) {
        if self.peer_log.lets(now.monotonic_us, LOG_US) {
            log::warn!(event = "peer_turned_away", address:%; "no link with {address}: {why}");
        }
    }

    /// How a client stands that comes from there.
    pub(super) fn standing_of(&self, origin: Origin, access: Access, now: Now) -> Standing {
        if origin.is_far() && self.refuses_far_clients() {
            return Standing::Denied { until_us: now.monotonic_us + DENIED_US };
        }
        proven_or_not(access, now)
    }

    /// One more stranger comes from there; another one has to go, where they are too many.
    pub(super) fn make_room_for_stranger(&mut self, crowd: Crowd) {
        while let Some(id) = self.sessions.strangers.surplus(self.settings.options.clients_max, crowd) {
            self.send_away(id);
        }
    }

    /// One more client comes, and is there room for it? On a full node a stranger has to go for it: so few places as a node
    /// may have, strangers fill them for nobody.
    pub(super) fn has_room_for_client(&mut self, crowd: Crowd) -> bool {
        while self.sessions.len() >= self.settings.options.clients_max {
            let Some(id) = self.sessions.strangers.of_largest_crowd(crowd) else { return false };
            self.send_away(id);
        }
        true
    }

    /// How many clients were sent away and are not [closed](Node::close) yet: they count among no others.
    pub fn clients_leaving(&self) -> usize {
        self.sessions.leaving()
    }

    /// Whether the client was sent away: it gets what its socket takes at once, and no more.
    pub fn is_leaving(&self, id: SessionId) -> bool {
        self.sessions.get(id).is_some_and(|session| session.client.standing == Standing::Leaving)
    }

    /// The client has begun a handshake: it is borne with for as long as that may take.
    pub fn shakes_hands(&mut self, id: SessionId, now: Now) {
        if let Some(Standing::Denied { .. }) = self.sessions.get(id).map(|session| session.client.standing) {
            let until_us = now.monotonic_us + HANDSHAKE_US;
            self.sessions.set_standing(id, Standing::Denied { until_us });
        }
    }

    /// The client came by TLS, and has shown this. Where its certificate is to name a user, it is that one if there is
    /// such a user that is on, and else nobody, who has to say a password: who was turned off is not let in as another.
    pub fn encrypted(&mut self, id: SessionId, shown: Certificate, now: Now) {
        self.sessions.set_encrypted(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let must_prove = session.client.access.must_prove();
        session.client.access = match &shown {
            Certificate::None => session.client.access,
            Certificate::Valid => self.users.welcome(false),
            Certificate::OfUser(name) => {
                let vouched = self.users.vouched_for(name.as_bytes(), must_prove);
                session.client.is_vouched = vouched.is_some();
                vouched.unwrap_or_else(|| self.users.welcome(true))
            }
        };
        let standing = match (session.client.standing, shown) {
            (Standing::Denied { .. }, Certificate::None) => Standing::Denied { until_us: now.monotonic_us + DENIED_US },
            (standing, Certificate::None) => standing,
            (_, Certificate::Valid | Certificate::OfUser(_)) => proven_or_not(session.client.access, now),
        };
        self.sessions.set_standing(id, standing);
    }

    /// After its turn: the client may have authenticated, or said that it is nobody.
    pub(super) fn note_proof(&mut self, id: SessionId, client: &mut Client, now: Now) {
        let standing = proven_or_not(client.access, now);
        let before = std::mem::replace(&mut client.standing, standing);
        self.sessions.strangers.move_on(id, client.crowd, before, standing);
    }

    /// Strangers whose time is over.
    pub(super) fn send_strangers_away(&mut self, now: Now) {
        while let Some(id) = self.sessions.strangers.due(now.monotonic_us) {
            self.send_away(id);
        }
    }

    /// A denied client has said something: it is answered, unless it may yet greet as a node does.
    pub(super) fn hear_denied(&mut self, id: SessionId, mut session: Box<Session>, bytes: &[u8], now: Now) {
        session.client.inbox.extend_from_slice(bytes);
        let speaks_http = self.may_speak_http(&session);
        if speaks_http == Some(true) {
            // How the node is may be known by anybody.
            self.serve_inbox(id, &mut session, now);
            let is_answered = session.client.waits == Waits::ForNothing;
            self.sessions.give(id, session);
            self.sessions.note_turn(id);
            if is_answered {
                self.sessions.set_standing(id, Standing::Leaving);
            }
            return;
        }
        let may_greet = GREETING.starts_with(&session.client.inbox);
        self.sessions.give(id, session);
        if !may_greet && speaks_http.is_some() {
            self.send_away(id);
        }
    }

    /// Whether a denied client speaks HTTP and is listened to; `None`: its first line is on its way.
    fn may_speak_http(&self, session: &Session) -> Option<bool> {
        if session.out.dialect().is_http() {
            return Some(true);
        }
        if self.settings.options.http.policy == HttpPolicy::Off || session.client.inbox.len() > UNPROVEN_BYTES_MAX {
            return Some(false);
        }
        begins(&session.client.inbox)
    }

    /// The stranger is hung up on, and told why where it could not do anything about it.
    pub(super) fn send_away(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if let Standing::Unproven { .. } = session.client.standing {
            // Users were changed, and it has to prove nothing.
            if session.client.access.is_authenticated() {
                return self.sessions.set_standing(id, Standing::Admitted);
            }
            self.metrics.clients_closed_unauthenticated += 1;
            self.sessions.set_standing(id, Standing::Leaving);
            return self.sessions.end(id);
        }
        if let Some(&begin) = session.client.inbox.first() {
            session.out.decoder.begin(begin);
        }
        session.out.turn_away(Refusal::Denied);
        session.client.inbox = Vec::new();
        self.metrics.clients_denied += 1;
        self.sessions.set_standing(id, Standing::Leaving);
        self.sessions.end(id);
    }
}
