//! Protected mode: clients from elsewhere on a node without a password. Pure, so that a test owns the time.

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Certificate, Crowd, Node, Options, Origin, Source};
use kvstoreapp::protocol::Dialect;

use crate::pure::{NOW, node, options, read, say, tick};
use crate::reply::{request, words};
use crate::strangers::{SECOND_US, after, ask, guarded, info, text, text_of};

const DENIED: &str = "DENIED kvstoreapp is running in protected mode because no password is set";

#[test]
fn a_denied_client_is_answered_in_the_dialect_that_its_first_byte_tells() {
    for (dialect, says, begin, end) in [
        (Dialect::Line, "GET a\n", "ERROR DENIED ", "\n"),
        (Dialect::Line, "\u{16}\u{3}\u{1}", "ERROR DENIED ", "\n"),
        (Dialect::Line, "*1\r\n$4\r\nPING\r\n", "-DENIED ", "\r\n"),
        (Dialect::Line, "*", "-DENIED ", "\r\n"),
        (Dialect::Line, "{", "{\"error\":{\"code\":\"DENIED\",\"message\":\"", "\"},\"ok\":false}\n"),
        (Dialect::Resp2, "PING\n", "-DENIED ", "\r\n"),
    ] {
        let mut node = node(Options { dialect, ..options() });
        node.open(0, Origin::Far, NOW).expect("there is room");
        node.open(1, Origin::Loopback, NOW).expect("there is room");
        let told = text(&say(&mut node, 0, says.as_bytes()));
        assert!(told.starts_with(begin) && told.ends_with(end), "{told:?}");
        assert!(node.is_over(0) && node.waits(0) == Waits::ForNothing);
        node.close(0);
        assert_eq!(text(&say(&mut node, 1, b"*1\r\n$4\r\nPING\r\n")), "+PONG\r\n");
    }
}

#[test]
fn nothing_of_a_denied_client_is_run() {
    let mut node = node(options());
    for (id, origin) in [(0, Origin::Far), (1, Origin::Loopback), (2, Origin::Local)] {
        node.open(id, origin, NOW).expect("there is room");
    }
    assert!(text(&say(&mut node, 0, b"SET a b\nSET a b\n")).starts_with("ERROR DENIED "));
    assert_eq!(text(&say(&mut node, 1, b"GET a\n")), "KEY NOT FOUND\n");
    assert_eq!(text(&say(&mut node, 2, b"SET a b\n")), "OK\n", "the unix socket counts as loopback");
    assert_eq!(info(&mut node, 1, "clients_denied"), "1");
}

#[test]
fn a_denied_client_that_says_nothing_is_answered_after_a_second() {
    let mut node = node(options());
    // What a start leaves to be done is done.
    (0..5).for_each(|_| tick(&mut node, NOW));
    node.open(0, Origin::Far, NOW).expect("there is room");
    assert_eq!(node.deadline_us(), after(SECOND_US).monotonic_us, "the loop wakes up for it, and not before");
    tick(&mut node, after(SECOND_US - 1));
    assert_eq!((text(&read(&mut node, 0)), node.is_over(0)), (String::new(), false));
    tick(&mut node, after(SECOND_US));
    let told = text(&read(&mut node, 0));
    assert!(told.starts_with(&format!("ERROR {DENIED}")), "{told}");
    assert!(node.is_over(0));
    node.close(0);
    tick(&mut node, after(SECOND_US));
    assert!(node.deadline_us() > after(SECOND_US).monotonic_us, "nothing is left to be done for it");
}

#[test]
fn of_denied_clients_the_newest_stay_and_others_keep_their_places() {
    const PLACES: usize = 16;
    let mut node = node(Options { clients_max: PLACES + 1, ..options() });
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    for id in 1..=100 {
        node.open(id, Origin::Far, after(id as u64)).expect("there is always room for a new one");
        let gone = (1..=id).filter(|&id| node.is_over(id) || !node.sendable(id).is_empty()).count();
        assert_eq!(gone, id.saturating_sub(PLACES));
    }
    assert!((1..=84).all(|id| !node.sendable(id).is_empty()), "the oldest");
    assert_eq!(info(&mut node, 0, "clients_unauthenticated"), "16");
    assert_eq!(info(&mut node, 0, "clients"), "17");
    assert_eq!(info(&mut node, 0, "clients_denied"), "84");
    (1..=100).for_each(|id| node.close(id));
    assert_eq!(
        (info(&mut node, 0, "clients"), info(&mut node, 0, "clients_unauthenticated")),
        ("1".into(), "0".into())
    );
}

#[test]
fn strangers_that_have_all_places_of_a_small_node_keep_nobody_out() {
    const PLACES: usize = 4;
    // Denied ones make room for the same machine, and unproven ones for whoever has the password.
    let closed = node(Options { clients_max: PLACES, ..options() });
    for (mut node, far, origin) in [(closed, true, Origin::Local), (guarded(PLACES), false, Origin::Loopback)] {
        for id in 1..=10 {
            node.open(id, Origin::Far, after(id as u64)).expect("the newest has a place");
        }
        let is_there = |node: &Node, id| !node.is_over(id) && node.sendable(id).is_empty();
        assert!((1..=6).all(|id| !is_there(&node, id)) && (7..=10).all(|id| is_there(&node, id)), "the oldest went");
        node.open(0, origin, after(11)).expect("so has who is no stranger, or is none for long");
        assert!(!is_there(&node, 7) && is_there(&node, 8));
        if !far {
            assert_eq!(ask(&mut node, 0, "AUTH secret"), "+OK\r\n");
            assert_eq!(ask(&mut node, 0, "CONFIG SET maxmemory 0"), "+OK\r\n");
        }
        (11..=20).for_each(|id| node.open(id, Origin::Far, after(id as u64)).expect("they push out each other"));
        assert!(is_there(&node, 0), "and nobody who is no stranger");
    }
    // Clients that are none are not pushed out.
    let mut node = guarded(2);
    (0..2).for_each(|id| {
        node.open(id, Origin::Far, NOW).expect("there is room");
        assert_eq!(ask(&mut node, id, "AUTH secret"), "+OK\r\n");
    });
    let refused = node.open(2, Origin::Loopback, NOW).expect_err("the node is full").to_string();
    assert!(refused.starts_with("too many clients: at most 2"), "{refused}");
}

#[test]
fn a_crowd_of_one_address_pushes_out_its_own() {
    let at = |last| Source { origin: Origin::Far, crowd: Crowd::V4([10, 0, 0, last]) };
    let mut node = guarded(160);
    let other_net = Source { origin: Origin::Far, crowd: Crowd::V6([1; 8]) };
    for (id, source) in [(0, at(1)), (1, Origin::Local.into()), (2, other_net)] {
        node.open(id, source, NOW).expect("there is room");
    }
    for id in 10..1_010 {
        node.open(id, at(2), after(id as u64)).expect("there is always room for a new one");
        assert!(!node.is_over(id) && [0, 1, 2].iter().all(|&id| !node.is_over(id)), "{id}");
    }
    assert!((10..1_010).all(|id| node.is_over(id) == (id < 997)), "of the crowd the newest 13 are there");
    for id in 0..3 {
        assert_eq!(text(&say(&mut node, id, b"AUTH secret\n")), "OK\n");
    }
    assert_eq!(info(&mut node, 0, "clients_unauthenticated"), "13");
    // Among addresses with equally many the oldest of all goes, and a newcomer counts as one of its own.
    let mut node = guarded(160);
    for id in 0..16 {
        node.open(id, at(id as u8), after(id as u64)).expect("there is room");
    }
    node.open(16, at(5), after(16)).expect("its address has most");
    assert!((0..=16).all(|id| node.is_over(id) == (id == 5)));
    node.open(17, at(99), after(17)).expect("the newest has a place");
    assert!((0..=17).all(|id| node.is_over(id) == (id == 5 || id == 0)));
    // On a full node it is no other.
    let mut node = guarded(4);
    for (id, source) in [(0, at(1)), (1, at(2)), (2, at(2)), (3, at(2))] {
        node.open(id, source, after(id as u64)).expect("there is room");
    }
    node.open(4, at(2), after(4)).expect("the newest has a place");
    assert!((0..=4).all(|id| node.is_over(id) == (id == 1)));
}

#[test]
fn a_node_that_greets_in_pieces_is_not_taken_for_a_denied_client() {
    use kvstoreapp::replication::wire::GREETING;
    let mut node = node(options());
    node.open(0, Origin::Far, NOW).expect("there is room");
    for byte in &GREETING[..GREETING.len() - 1] {
        assert_eq!(say(&mut node, 0, &[*byte]), b"");
        assert_eq!(node.waits(0), Waits::ForInput);
    }
    let told = text(&say(&mut node, 0, &GREETING[GREETING.len() - 1..]));
    assert!(told.contains("refused by node 0: protected mode is on"), "{told:?}");
    assert!(node.is_over(0));
}

#[test]
fn a_certificate_that_names_a_user_opens_the_door_and_tls_alone_does_not() {
    let mut node = node(options());
    for id in 0..3 {
        node.open(id, Origin::Far, NOW).expect("there is room");
    }
    // A handshake may take longer than a denied client's patience.
    [0, 1].into_iter().for_each(|id| node.shakes_hands(id, NOW));
    tick(&mut node, after(5 * SECOND_US));
    assert_eq!([0, 1, 2].map(|id| node.sendable(id).is_empty()), [true, true, false]);
    node.encrypted(0, Certificate::OfUser("default".to_owned()), after(5 * SECOND_US));
    node.encrypted(1, Certificate::None, after(5 * SECOND_US));
    assert_eq!(text(&say(&mut node, 0, b"SET a b\n")), "OK\n");
    assert!(text(&say(&mut node, 1, b"GET a\n")).starts_with("ERROR DENIED "));
    tick(&mut node, after(100 * SECOND_US));
    assert!(!node.is_over(0));
}

#[test]
fn who_has_shown_a_certificate_is_nobody_else_by_giving_it_up() {
    let alice = || Certificate::OfUser("alice".to_owned());
    let mut node = node(options());
    node.open(9, Origin::Loopback, NOW).expect("there is room");
    assert_eq!(ask(&mut node, 9, "ACL SETUSER alice on resetpass ~a:* +get +set"), "+OK\r\n");
    for (id, way_out) in [(0, "RESET"), (1, "AUTH default anything"), (2, "HELLO 3 AUTH default anything")] {
        node.open(id, Origin::Far, NOW).expect("there is room");
        node.encrypted(id, alice(), NOW);
        assert!(ask(&mut node, id, "GET secret").starts_with("-NOPERM"));
        let way_out = [request(&words(way_out)), request(&words("SET secret taken"))].concat();
        say(&mut node, id, &way_out);
        tick(&mut node, after(3 * SECOND_US));
        assert_eq!(ask(&mut node, 9, "EXISTS secret"), ":0\r\n", "{id}");
    }
    // Turned off, she is nobody, and not the default user who needs no password.
    assert_eq!(ask(&mut node, 9, "ACL SETUSER alice off"), "+OK\r\n");
    node.open(3, Origin::Far, after(4 * SECOND_US)).expect("there is room");
    node.encrypted(3, alice(), after(4 * SECOND_US));
    assert!(ask(&mut node, 3, "GET secret").starts_with("-NOAUTH"));
}

#[test]
fn a_stranger_that_waits_while_the_password_is_taken_away_stays_one() {
    let mut node = guarded(100);
    node.open(9, Origin::Loopback, NOW).expect("there is room");
    assert_eq!(ask(&mut node, 9, "AUTH secret"), "+OK\r\n");
    node.open(0, Origin::Far, NOW).expect("there is room");
    assert!(ask(&mut node, 0, "GET a").starts_with("-NOAUTH"));
    let no_password = [words("CONFIG SET requirepass"), vec![Vec::new()]].concat();
    assert_eq!(text_of(say(&mut node, 9, &request(&no_password))), "+OK\r\n");
    assert!(ask(&mut node, 0, "GET a").starts_with("-NOAUTH"));
}
