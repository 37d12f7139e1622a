//! What an operator does with the cluster's secret, and what is tried by those who do not have it.
//!
//! Every link is to be proven. The secret is exchanged for another again and again, node by node in three steps; a node
//! may be told a wrong one for a while. Strangers dial, answer in the place of a node, and stand between two. They have
//! recorded every proof that ever went over a connection.

use kvstoreapp::node::{Now, Origin};
use kvstoreapp::replication::wire::{Cursor, GREETING, Hello, PROOF_BYTES, Progress, Proof, VERSION, WireChange};
use kvstoreapp::replication::{Binding, Channel, PeerTls, Trust};
use kvstoreapp::secrets::ClusterSecrets;
use kvstoreapp::store::{Database, Floors, NodeId, Stamp};

use super::World;
use crate::host::Host;
use crate::model::Verdict;
use crate::network::{HostId, Session};
use crate::plan::SecrecyPlan;
use crate::wiretap::{Heard, Wiretap};

/// What strangers write where they are let in.
const KEY: &[u8] = b"stranger";
/// Steps from one secret to the next.
const STEPS: usize = 3;
/// Proofs that strangers remember.
const RECORDED_MAX: usize = 200;

/// See the module.
pub(super) struct Secrecy {
    pub(super) plan: SecrecyPlan,
    /// How far the operator is with exchanging it; each host is there, or one step behind.
    step: usize,
    recorded: Vec<Proof>,
}

impl Secrecy {
    pub(super) fn new(plan: SecrecyPlan) -> Secrecy {
        Secrecy { plan, step: 0, recorded: Vec::new() }
    }
}

/// What a node of a cluster that is so far trusts.
pub fn trust(step: usize, is_mistaken: bool) -> Trust {
    let secret = |number: usize| format!("the-secret-of-the-simulated-cluster-number-{number:04}");
    let (old, new) = (secret(step / STEPS), secret(step / STEPS + 1));
    let text = match step % STEPS {
        _ if is_mistaken => "what-was-copied-from-another-cluster-by-mistake".to_owned(),
        0 => old,
        1 => format!("{old}\n{new}\n"),
        _ => format!("{new}\n{old}\n"),
    };
    Trust::in_proof(PeerTls::Required, Box::new(ClusterSecrets::parse(&text).expect("it is a file of secrets")))
}

impl World {
    /// The next host is told the next step.
    pub(super) fn exchange_secret(&mut self) -> bool {
        let Some(secrecy) = &mut self.secrecy else { return false };
        if self.hosts.iter().all(|host| host.secret_step == Some(secrecy.step)) {
            secrecy.step += 1;
        }
        let step = secrecy.step;
        let behind: Vec<HostId> =
            self.hosts.iter().filter(|host| host.secret_step != Some(step)).map(|host| host.id).collect();
        let id = *self.random.choice(&behind).expect("one is behind");
        self.note(|| format!("{id} is told step {step} of exchanging the secret"));
        self.hosts[id].tell_secret(step, false);
        true
    }

    /// The host is told a secret that is none.
    pub(super) fn mistake_secret(&mut self, id: HostId) -> bool {
        let Some(step) = self.hosts[id].secret_step else { return false };
        self.note(|| format!("{id} is told a wrong secret"));
        self.hosts[id].tell_secret(step, true);
        true
    }

    /// All hosts are told what is right.
    pub(super) fn settle_secrets(&mut self) {
        let Some(Secrecy { step, .. }) = self.secrecy else { return };
        self.hosts.iter_mut().for_each(|host| host.tell_secret(step, false));
    }

    /// How two ends of a connection that is set up now are named: as one, unless somebody stands between them.
    pub(super) fn bindings(&mut self) -> [Binding; 2] {
        let middle = self.secrecy.as_ref().map_or(0, |secrecy| secrecy.plan.middle);
        let is_between = !self.healed && self.random.u64(0..100) < middle;
        let one = self.binding();
        if is_between {
            self.count("man in the middle");
        }
        [one, if is_between { self.binding() } else { one }]
    }

    fn binding(&mut self) -> Binding {
        let mut binding = [0; 32];
        self.random.fill(&mut binding);
        Binding(binding)
    }

    /// A dial of this host fails in the handshake.
    pub(super) fn is_handshake_broken(&mut self) -> bool {
        !self.healed && self.random.u8(0..20) == 0
    }

    /// A dial of this host reaches a stranger.
    pub(super) fn is_answered_by_a_stranger(&mut self) -> bool {
        let impostors = self.secrecy.as_ref().map_or(0, |secrecy| secrecy.plan.impostors);
        !self.healed && self.random.u64(0..100) < impostors
    }

    /// A proof went over a connection.
    pub(super) fn record_proof(&mut self, proof: Proof) {
        let Some(Secrecy { recorded, .. }) = &mut self.secrecy else { return };
        if recorded.len() == RECORDED_MAX {
            recorded.swap_remove(self.random.usize(0..RECORDED_MAX));
        }
        recorded.push(proof);
    }

    /// A stranger dials the host, and says whatever might let it in.
    pub(super) fn stranger_dials(&mut self, id: HostId) -> Result<bool, String> {
        if self.hosts[id].node.is_none() || self.hosts[id].frozen_until_us > self.time_us {
            return Ok(false);
        }
        let now = self.hosts[id].now(self.time_us);
        let other = ((id + self.random.usize(1..self.plan.nodes)) % self.plan.nodes) as NodeId;
        let session = self.hosts[id].free_session();
        let (binding, is_encrypted) = (self.binding(), self.random.u8(0..4) > 0);
        let mut said = GREETING.to_vec();
        match self.random.u8(0..8) {
            0 => self.hello(id, other, now).encode(&mut said),
            1 => said.extend((0..self.random.usize(1..300)).map(|_| self.random.u8(..))),
            _ => self.forged(other, id as NodeId).encode(&mut said),
        }
        self.note(|| format!("a stranger dials {id} as {other}"));
        let node = self.node(id);
        if is_encrypted {
            node.accept_peer(session, Channel::Encrypted(binding), "10.9.9.9:999", now);
        } else {
            node.open(session, Origin::Loopback, now).expect("there is room");
        }
        self.talk(id, session, other, &said, &mut Wiretap::default(), now)?;
        Ok(true)
    }

    /// The host has dialed a node, and a stranger answers.
    pub(super) fn stranger_answers(&mut self, id: HostId, session: Session, peer: HostId, now: Now) -> Verdict {
        let (own, peer) = (id as NodeId, peer as NodeId);
        let binding = self.binding();
        self.count("stranger answered");
        self.note(|| format!("a stranger answers {id} as {peer}"));
        self.node(id).dialing(session, peer, Channel::Encrypted(binding), now);
        let mut tap = Wiretap::default();
        let mut asked = None;
        tap.listen(&self.hear(id, session), |heard| match heard {
            Heard::Proof(proof) => asked = Some(proof),
            _ => panic!("a proof comes first"),
        });
        let asked = asked.expect("it proves the secret at once");
        let mut said = GREETING.to_vec();
        match self.random.u8(0..4) {
            0 => Proof { node: peer, to: own, ..asked }.encode(&mut said),
            1 => asked.encode(&mut said),
            _ => self.forged(peer, own).encode(&mut said),
        }
        self.talk(id, session, peer, &said, &mut tap, now)?;
        self.record_proof(asked);
        Ok(())
    }

    /// A stranger says this over the session, and then goes on as the node that it says it is, whatever it hears; and
    /// hangs up.
    fn talk(
        &mut self,
        id: HostId,
        session: Session,
        other: NodeId,
        said: &[u8],
        tap: &mut Wiretap,
        now: Now,
    ) -> Verdict {
        let mut goes_on = Vec::new();
        self.hello(id, other, now).encode(&mut goes_on);
        let mut change = Vec::new();
        let stamp = Stamp { clock: now.unix_ms << 16, node: other };
        WireChange { stamp, database: Database::ZERO, key: KEY, value: Some(b"x"), expiry: None, chunked: 0 }
            .encode(&mut change);
        Progress { direct: 1, relay: 1, claims: Default::default() }.encode(&change, &mut goes_on);
        for bytes in [said, &goes_on[..]] {
            if self.node(id).waits(session) == kvstoreapp::node::waits::Waits::ForInput {
                self.node(id).receive(session, bytes, now);
            }
            let mut told = None;
            let mut refused = 0;
            tap.listen(&self.hear(id, session), |heard| match heard {
                Heard::Refusal(_) => refused += 1,
                Heard::Proof(_) => told = Some("a proof"),
                _ => told = Some("what only nodes may know"),
            });
            self.count_many("stranger refused", refused);
            if let Some(told) = told {
                return Err(format!("9: {id} tells a stranger {told}"));
            }
        }
        self.node(id).close(session);
        self.node(id).lose_peer(session, "it was a stranger", now);
        self.hosts[id].used[session] = false;
        self.look_for_strangers(id)
    }

    /// Nothing that a stranger has written is at the host.
    pub(super) fn look_for_strangers(&self, id: HostId) -> Verdict {
        let is_there =
            self.hosts[id].node.as_ref().is_some_and(|node| node.store().state_in(Database::ZERO, KEY).is_some());
        if is_there { Err(format!("9: {id} has taken what a stranger wrote")) } else { Ok(()) }
    }

    /// All that the session is owed.
    fn hear(&mut self, id: HostId, session: Session) -> Vec<u8> {
        let node = self.node(id);
        let owed = node.sendable(session).to_vec();
        node.sent(session, owed.len());
        owed
    }

    /// What a stranger has to show for a proof by this node: an old one, for whoever it was made, or one that it has made
    /// up.
    fn forged(&mut self, node: NodeId, to: NodeId) -> Proof {
        let mut proof = [0; PROOF_BYTES];
        self.random.fill(&mut proof);
        let recorded = self.secrecy.as_ref().map_or(&[][..], |secrecy| &secrecy.recorded);
        match (self.random.u8(0..3), self.random.choice(recorded)) {
            (0, Some(&recorded)) => recorded,
            (1, Some(&Proof { proof, .. })) => Proof { node, to, proof },
            _ => Proof { node, to, proof },
        }
    }

    /// Of a node as it could be.
    fn hello(&mut self, id: HostId, node: NodeId, now: Now) -> Hello {
        Hello {
            version: VERSION,
            node,
            to: id as NodeId,
            incarnation: self.random.u64(1..),
            unix_ms: now.unix_ms,
            clock: now.unix_ms << 16,
            since: now.unix_ms << 16,
            seen: 0,
            cursor: Cursor::default(),
            vector: Default::default(),
            collected: Default::default(),
            floors: Floors::default(),
            linked: Vec::new(),
            members: Vec::new(),
        }
    }
}

impl Host {
    /// The secret's file is another, and is read again.
    fn tell_secret(&mut self, step: usize, is_mistaken: bool) {
        (self.secret_step, self.is_secret_mistaken) = (Some(step), is_mistaken);
        if let Some(node) = &mut self.node {
            node.trust(trust(step, is_mistaken));
        }
    }
}
