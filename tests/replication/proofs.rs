//! Who proves the cluster's secret and who does not: whatever a stranger does with what it hears, it is not taken for a
//! node, and learns nothing.
//!
//! Node 0 is a real one, and so is node 1, whose bytes the stranger carries as it likes. Stories say what they came to,
//! so that `tests/simulator/fault_injection.rs` can play them with a mistake injected.

use kvstoreapp::node::Node;
use kvstoreapp::replication::wire::{Frame, GREETING, Hello, Proof, Refusal, decode};
use kvstoreapp::replication::{Binding, Channel, DueDial, PeerTls, Trust, Way};
use kvstoreapp::store::NodeId;

use crate::losses::Verdict;
use crate::pair::{SECOND_US, node};
use crate::pure::{LIMITS, NEW_SECRET, OTHER_SECRET, SECRET, secrets};
use crate::stranger::{Stranger, bodies, span};

/// What a side may say before the other has proven anything.
const UNPROVEN_BYTES_MAX: usize = 128;
/// The session of node 1 at node 0, and the other way round.
const SESSION: usize = 1;

const ONE: Channel = Channel::Encrypted(Binding([1; 32]));
const ANOTHER: Channel = Channel::Encrypted(Binding([2; 32]));

/// Node 0, and node 1 with these secrets. Both take proven links alone.
struct Place {
    zero: Stranger,
    one: Node,
}

#[test]
fn nodes_with_one_secret_are_linked_and_a_proof_comes_before_each_hello() {
    let mut place = Place::new(SECRET, SECRET);
    let asked = place.one_dials(ONE);
    assert_eq!(kinds(&asked), ["proof"]);
    let answered = place.zero_hears(ONE, &asked);
    assert_eq!(kinds(&answered), ["proof"]);
    assert!([&asked, &answered].iter().all(|bytes| bytes.len() <= UNPROVEN_BYTES_MAX));
    let asked = place.one_hears(&answered);
    assert_eq!(kinds(&asked), ["hello"]);
    let answered = place.zero_says(&asked);
    assert_eq!(kinds(&answered)[0], "hello");
    place.one_hears(&answered);
    assert_eq!(place.zero.node.peers(place.zero.now)[0].agreement, "comparing");
    place.zero.write(1, "key", 1);
    assert!(place.zero.node.store().get(b"key0").is_some());
}

#[test]
fn a_peer_with_another_secret_is_no_peer() {
    assert_eq!(guessed(), Ok(()));
}

#[test]
fn a_proof_that_is_passed_on_or_played_again_on_another_connection_proves_nothing() {
    assert_eq!(passed_on(), Ok(()));
}

#[test]
fn a_proof_that_is_sent_back_to_who_made_it_proves_nothing() {
    assert_eq!(reflected(), Ok(()));
}

#[test]
fn a_proof_for_another_pair_of_nodes_proves_nothing() {
    assert_eq!(readdressed(), Ok(()));
}

#[test]
fn a_peer_that_does_not_answer_in_tls_is_dialed_in_tls_again() {
    assert_eq!(downgraded(), Ok(()));
}

/// A stranger dials and proves another secret; then goes on as if all were well.
pub fn guessed() -> Verdict {
    let mut place = Place::new(SECRET, OTHER_SECRET);
    let asked = place.one_dials(ONE);
    let answered = place.zero_hears(ONE, &asked);
    place.is_turned_away(&answered)
}

/// A man in the middle has a connection with either side, and passes on what node 1 says; and says it again later.
pub fn passed_on() -> Verdict {
    let mut place = Place::new(SECRET, SECRET);
    let asked = place.one_dials(ONE);
    let answered = place.zero_hears(ANOTHER, &asked);
    place.is_turned_away(&answered)?;
    place.zero.node.lose_peer(SESSION, "over", place.zero.now);
    // The real one comes through, and what it said is played again.
    let answered = place.zero_hears(ONE, &asked);
    if kinds(&answered) != ["proof"] {
        return Err(format!("the real node is refused: {:?}", kinds(&answered)));
    }
    let mut place = Place::new(SECRET, SECRET);
    let answered = place.zero_hears(ANOTHER, &asked);
    place.is_turned_away(&answered)
}

/// Node 0 dials, and a stranger that has node 1's address sends its proof back, as node 1's.
pub fn reflected() -> Verdict {
    let mut place = Place::new(SECRET, SECRET);
    place.zero_dials();
    place.zero.node.dialing(SESSION, 1, ONE, place.zero.now);
    let said = place.zero.hear_some(SESSION, usize::MAX);
    let (bodies, _) = bodies(&said);
    let Ok(Frame::Proof(proof)) = decode(&bodies[0]) else { panic!("it proves first: {:?}", kinds(&said)) };
    let answered = place.zero_says(&[GREETING, &framed(Proof { node: 1, to: 0, ..proof })[..]].concat());
    place.is_turned_away(&answered)
}

/// What node 1 proves to node 2 is sent to node 0, on a connection of the same name.
pub fn readdressed() -> Verdict {
    let mut place = Place::new(SECRET, SECRET);
    let asked = dial(&mut place.one, 2, ONE, place.zero.now);
    let (bodies, _) = bodies(&asked);
    let Ok(Frame::Proof(proof)) = decode(&bodies[0]) else { panic!("it proves first: {:?}", kinds(&asked)) };
    for (node, to) in [(1, 0), (2, 1), (0, 1), (2, 0)] {
        let mut place = Place::new(SECRET, SECRET);
        let answered = place.zero_hears(ONE, &[GREETING, &framed(Proof { node, to, ..proof })[..]].concat());
        place.is_turned_away(&answered)?;
    }
    Ok(())
}

/// Whoever answers for node 1 ends every TLS handshake.
pub fn downgraded() -> Verdict {
    let mut place = Place::new(SECRET, SECRET);
    for round in 0..5 {
        let DueDial { way, .. } = place.zero_dials();
        if way != Way::Encrypted {
            return Err(format!("it dials {way:?} in round {round}"));
        }
        place.zero.node.not_encrypted(1, "it does not speak TLS", place.zero.now);
    }
    Ok(())
}

#[test]
fn both_secrets_are_taken_while_one_is_exchanged_for_the_other() {
    let both = format!("{SECRET}\n{NEW_SECRET}");
    let swapped = format!("{NEW_SECRET}\n{SECRET}");
    // Each row is a step of the rotation, at which nodes may be before it or after it.
    for (before, after) in [(SECRET, &*both), (&both, &swapped), (&swapped, NEW_SECRET)] {
        for (zero, one) in [(before, before), (before, after), (after, before), (after, after)] {
            assert_eq!(Place::new(zero, one).link(), Ok(()), "{zero:?} and {one:?}");
        }
    }
    // A step that is left out is seen.
    for (zero, one) in [(SECRET, &*swapped), (SECRET, NEW_SECRET), (NEW_SECRET, &both)] {
        assert!(Place::new(zero, one).link().is_err(), "{zero:?} and {one:?}");
        assert!(Place::new(one, zero).link().is_err(), "{one:?} and {zero:?}");
    }
}

#[test]
fn secrets_that_are_exchanged_hold_for_the_next_connection_and_links_stay() {
    let mut place = Place::new(SECRET, SECRET);
    assert_eq!(place.link(), Ok(()));
    place.zero.node.trust(Trust::in_proof(PeerTls::Required, secrets(NEW_SECRET)));
    place.zero.tick();
    place.zero.write(1, "later", 1);
    assert!(place.zero.node.store().get(b"later0").is_some(), "the link stays");
    place.zero.node.lose_peer(SESSION, "over", place.zero.now);
    let asked = place.one_dials(ANOTHER);
    let answered = place.zero_hears(ANOTHER, &asked);
    assert_eq!(place.is_turned_away(&answered), Ok(()));
}

#[test]
fn what_is_said_before_a_proof_is_answered_alike_whatever_it_is_and_tells_nothing() {
    let place = Place::new(SECRET, SECRET);
    let mut hello = GREETING.to_vec();
    // The shortest that there is.
    place.zero.hello(1).encode(&mut hello);
    let wrong = Proof { node: 1, to: 0, proof: [7; 32] };
    let said: [Vec<u8>; 8] = [
        hello.clone(),
        [GREETING, &framed(wrong)[..]].concat(),
        [&GREETING[..], &framed(wrong), &hello[GREETING.len()..]].concat(),
        [&GREETING[..], &[9; 30]].concat(),
        b"GET color\n".to_vec(),
        vec![0; UNPROVEN_BYTES_MAX + 1],
        vec![0; 100_000],
        [GREETING, &[0xff; 8][..]].concat(),
    ];
    let mut answers: Vec<Vec<u8>> = said
        .iter()
        .map(|said| {
            let mut place = Place::new(SECRET, SECRET);
            let answered = place.zero_hears(ONE, said);
            assert_eq!(place.is_turned_away(&answered), Ok(()), "{said:?}");
            answered
        })
        .collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].len() <= UNPROVEN_BYTES_MAX);
}

#[test]
fn a_stranger_that_says_nothing_costs_128_bytes_and_three_seconds() {
    let mut place = Place::new(SECRET, SECRET);
    let answered = place.zero_hears(ONE, &GREETING[..5]);
    assert!(answered.is_empty());
    let before = place.zero.node.peer_bytes();
    for _ in 0..UNPROVEN_BYTES_MAX {
        place.zero.say(SESSION, b"x");
    }
    assert!(place.zero.node.peer_bytes() < before + 1_000);
    let mut place = Place::new(SECRET, SECRET);
    place.zero_hears(ONE, &GREETING[..5]);
    assert!(!place.zero.node.is_over(SESSION));
    place.zero.now.monotonic_us += 3 * SECOND_US;
    place.zero.tick();
    assert!(place.zero.node.is_over(SESSION));
}

#[test]
fn of_strangers_that_owe_a_proof_the_newest_256_stay_and_keep_no_node_out() {
    const STRANGERS_MAX: usize = 256;
    const FIRST: usize = 100;
    let mut place = Place::new(SECRET, SECRET);
    // The loop has closed none of those that went: all of it is one tick.
    for stranger in 0..STRANGERS_MAX + 10 {
        place.zero.now.monotonic_us += 1;
        place.zero.node.accept_peer(FIRST + stranger, ONE, "10.0.0.9:999", place.zero.now);
        let gone = (0..=stranger).filter(|&one| place.zero.node.is_over(FIRST + one)).count();
        assert_eq!(gone, (stranger + 1).saturating_sub(STRANGERS_MAX));
    }
    let is_over = |place: &Place, stranger: usize| place.zero.node.is_over(FIRST + stranger);
    assert!((0..10).all(|stranger| is_over(&place, stranger)), "the oldest");
    assert_eq!(place.link(), Ok(()));
    assert!(is_over(&place, 10) && !is_over(&place, 11));
}

#[test]
fn who_has_proven_to_be_one_node_may_not_say_that_it_is_another() {
    let mut place = Place::new(SECRET, SECRET);
    let asked = place.one_dials(ONE);
    place.zero_hears(ONE, &asked);
    let mut hello = Vec::new();
    Hello { linked: vec![1], ..place.zero.hello(2) }.encode(&mut hello);
    let answered = place.zero_says(&hello);
    assert_eq!(kinds(&answered), ["refusal"]);
    assert!(place.zero.node.is_over(SESSION));
}

#[test]
fn a_side_that_proves_the_other_role_is_refused() {
    // What node 0 answers to a dial is played as if node 0 had dialed: both are right but for the role.
    let mut place = Place::new(SECRET, SECRET);
    let asked = place.one_dials(ONE);
    let answered = place.zero_hears(ONE, &asked);
    let (bodies, _) = bodies(&answered);
    let Ok(Frame::Proof(proof)) = decode(&bodies[0]) else { panic!("it proves: {:?}", kinds(&answered)) };
    assert_eq!((proof.node, proof.to), (0, 1));
    let mut other = Place::new(SECRET, SECRET);
    for (node, to) in [(0, 1), (1, 0)] {
        let said = [GREETING, &framed(Proof { node, to, ..proof })[..]].concat();
        let answered = other.zero_hears(ONE, &said);
        assert_eq!(other.is_turned_away(&answered), Ok(()));
        other.zero.node.lose_peer(SESSION, "over", other.zero.now);
    }
}

#[test]
fn plain_text_is_refused_where_a_proof_is_required_and_taken_and_dialed_where_it_is_accepted() {
    let plain_hello = |place: &Stranger| {
        let mut hello = GREETING.to_vec();
        place.hello(1).encode(&mut hello);
        hello
    };
    let mut required = Stranger::trusting(3, PeerTls::Required, SECRET);
    required.dial(&required.hello(1));
    let answered = required.hear_some(SESSION, usize::MAX);
    let (frames, _) = bodies(&answered);
    assert!(
        matches!(decode(&frames[0]), Ok(Frame::Refusal(Refusal { why, .. })) if why.contains("--cluster-secret-file")),
        "{:?}",
        kinds(&answered)
    );
    assert!(required.node.is_over(SESSION));

    let mut accept = Stranger::trusting(3, PeerTls::Accept, SECRET);
    let hello = plain_hello(&accept);
    accept.dial(&accept.hello(1));
    assert_eq!(kinds(&accept.hear_some(SESSION, usize::MAX))[0], "hello");
    accept.write(1, "key", 1);
    assert!(accept.node.store().get(b"key0").is_some());
    // An encrypted connection that says hello without a proof is not taken for a plain one.
    accept.node.accept_peer(2, ONE, "10.0.0.9:999", accept.now);
    accept.say(2, &hello);
    assert_eq!(kinds(&accept.hear_some(2, usize::MAX)), ["refusal"]);
}

#[test]
fn where_both_are_accepted_a_peer_is_dialed_in_plain_text_only_after_it_has_answered_without_tls() {
    let mut accept = Stranger::trusting(2, PeerTls::Accept, SECRET);
    let mut ways = Vec::new();
    for answer in ["TLS is not spoken", "refused", "down", "TLS is not spoken", "wrong secret", "down"] {
        let DueDial { way, .. } = due_dial(&mut accept);
        ways.push(way);
        match (answer, way) {
            ("TLS is not spoken", Way::Encrypted) => accept.node.not_encrypted(1, "no TLS", accept.now),
            ("wrong secret", Way::Encrypted) | ("refused", _) => {
                let channel = if way == Way::Encrypted { ONE } else { Channel::Plain };
                accept.node.dialing(SESSION, 1, channel, accept.now);
                accept.node.lose_peer(SESSION, answer, accept.now);
            }
            _ => accept.node.dial_failed(1, answer, accept.now),
        }
    }
    let (encrypted, plain) = (Way::Encrypted, Way::Plain);
    assert_eq!(ways, [encrypted, plain, encrypted, encrypted, plain, encrypted]);
}

#[test]
fn a_node_without_a_secret_says_what_it_said_before_there_were_any() {
    let mut off = Stranger::new(2);
    assert_eq!(due_dial(&mut off).way, Way::Plain);
    off.dial(&off.hello(1));
    assert_eq!(kinds(&off.hear_some(SESSION, usize::MAX))[0], "hello");
    let (mut off, place) = (Stranger::new(2), Place::new(SECRET, SECRET));
    let mut one = place.one;
    let asked = dial(&mut one, 0, ONE, off.now);
    off.node.accept_peer(SESSION, ONE, "10.0.0.9:999", off.now);
    off.say(SESSION, &asked);
    assert_eq!(kinds(&off.hear_some(SESSION, usize::MAX)), ["refusal"]);
}

impl Place {
    fn new(zero: &str, one: &str) -> Place {
        let zero = Stranger::trusting(3, PeerTls::Required, zero);
        let mut other = node(1, 3, 1_001, LIMITS, zero.now);
        other.trust(Trust::in_proof(PeerTls::Required, secrets(one)));
        Place { zero, one: other }
    }

    /// What node 1 says first when it dials node 0.
    fn one_dials(&mut self, channel: Channel) -> Vec<u8> {
        self.one.lose_peer(SESSION, "over", self.zero.now);
        dial(&mut self.one, 0, channel, self.zero.now)
    }

    /// Somebody dials node 0 and says this. Returns what it answers.
    fn zero_hears(&mut self, channel: Channel, bytes: &[u8]) -> Vec<u8> {
        self.zero.node.accept_peer(SESSION, channel, "10.0.0.9:999", self.zero.now);
        self.zero_says(bytes)
    }

    /// What node 0 answers on the connection that it has.
    fn zero_says(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.zero.say(SESSION, bytes);
        self.zero.hear_some(SESSION, usize::MAX)
    }

    fn one_hears(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.one.receive(SESSION, bytes, self.zero.now);
        let said = self.one.sendable(SESSION).to_vec();
        self.one.sent(SESSION, said.len());
        said
    }

    /// When node 0 dials node 1 next.
    fn zero_dials(&mut self) -> DueDial {
        due_dial(&mut self.zero)
    }

    /// Node 1 dials, and both have a link in the end.
    fn link(&mut self) -> Verdict {
        let asked = self.one_dials(ONE);
        let answered = self.zero_hears(ONE, &asked);
        let asked = self.one_hears(&answered);
        if kinds(&asked) != ["hello"] {
            return Err(format!("{:?} to {:?}", kinds(&asked), kinds(&answered)));
        }
        let answered = self.zero_says(&asked);
        if kinds(&answered).first() == Some(&"hello") { Ok(()) } else { Err(format!("{:?}", kinds(&answered))) }
    }

    /// Whether node 0 has told the other side nothing but that it hangs up, and takes nothing from there.
    fn is_turned_away(&mut self, answered: &[u8]) -> Verdict {
        if kinds(answered) != ["refusal"] || answered.len() > UNPROVEN_BYTES_MAX {
            return Err(format!("a stranger hears {:?} of {} bytes", kinds(answered), answered.len()));
        }
        // It goes on as if it had been taken.
        let hello = Hello { vector: span(1, 0, 1), ..self.zero.hello(1) };
        let mut bytes = Vec::new();
        hello.encode(&mut bytes);
        self.zero.say(SESSION, &bytes);
        self.zero.write(1, "stranger", 10);
        (0..20).for_each(|_| drop(self.zero.tick()));
        let heard = self.zero.hear_some(SESSION, usize::MAX);
        if !heard.is_empty() || !self.zero.node.is_over(SESSION) {
            return Err(format!("a stranger hears {:?} in the end", kinds(&heard)));
        }
        let store = self.zero.node.store();
        let is_there = |key: usize| store.get(format!("stranger{key}").as_bytes()).is_some();
        if (0..10).any(is_there) { Err("what a stranger wrote is there".to_owned()) } else { Ok(()) }
    }
}

fn due_dial(of: &mut Stranger) -> DueDial {
    for _ in 0..20_000 {
        if let Some(due) = of.node.next_dial(of.now)
            && due.peer == 1
        {
            return due;
        }
        of.now.monotonic_us += 1_000;
    }
    panic!("node 1 is never dialed");
}

/// The node dials, and says this first.
fn dial(node: &mut Node, to: NodeId, channel: Channel, now: kvstoreapp::node::Now) -> Vec<u8> {
    node.dialing(SESSION, to, channel, now);
    let said = node.sendable(SESSION).to_vec();
    node.sent(SESSION, said.len());
    said
}

fn framed(proof: Proof) -> Vec<u8> {
    let mut bytes = Vec::new();
    proof.encode(&mut bytes);
    bytes
}

/// What the frames are.
fn kinds(bytes: &[u8]) -> Vec<&'static str> {
    let (bodies, rest) = bodies(bytes);
    assert!(rest.is_empty(), "half a frame: {rest:?}");
    let kind = |body: &Vec<u8>| match decode(body) {
        Ok(Frame::Proof(_)) => "proof",
        Ok(Frame::Hello(_)) => "hello",
        Ok(Frame::Refusal(_)) => "refusal",
        Ok(_) => "something of a link",
        Err(_) => "garbage",
    };
    bodies.iter().map(kind).collect()
}
