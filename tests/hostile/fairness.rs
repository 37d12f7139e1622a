//! The pure node and several clients, some of them a nuisance: what each gets in a tick, and what memory it holds.

use kvstoreapp::node::saving::{Durability, Saver};
use kvstoreapp::node::session::{OUTBOX_BYTES_MAX, Waits};
use kvstoreapp::node::{Node, Now, Options, REQUESTS_PER_TURN, SessionId};
use kvstoreapp::protocol::line::line_bytes_max;
use kvstoreapp::store::{Clock, Store};

const NOW: Now = Now { monotonic_us: 1_000_000, unix_ms: 1_700_000_000_000 };
const VALUE_BYTES_MAX: usize = 1_000_000;
/// What a tick reads from one client.
const READ_BYTES: usize = 32 << 10;
/// What a session may keep when it holds nothing, for each of its two directions.
const KEPT_BYTES: usize = 16 << 10;

#[test]
fn a_client_that_never_stops_sending_does_not_keep_another_from_its_answer() {
    let mut room = Room::new(Durability::Interval);
    let flooder = room.enter();
    let other = room.enter();
    for number in 0..200 {
        room.says(flooder, "GET a\n".repeat(READ_BYTES / 6).as_bytes());
        room.says(other, format!("SET n {number}\nGET n\n").as_bytes());
        let executed = room.tick();
        assert_eq!(room.take_answers(other), format!("OK\n{number}\n"), "after one turn each");
        assert!(executed <= REQUESTS_PER_TURN as u64 + 2, "{executed} requests in a tick with one flooding client");
    }
    let answered = room.take_answers(flooder).lines().filter(|&answer| answer == "KEY NOT FOUND").count();
    // The turn that uses up what was read is a shorter one.
    assert!(answered > 200 * REQUESTS_PER_TURN * 9 / 10, "the flooder had its turns, too, but {answered} answers");
}

#[test]
fn among_many_flooding_clients_each_gets_the_same() {
    let mut room = Room::new(Durability::Interval);
    let flooders: Vec<SessionId> = (0..50).map(|_| room.enter()).collect();
    for &id in &flooders {
        room.says(id, "PING\n".repeat(20_000).as_bytes());
    }
    for ticks in 1..=10 {
        room.tick();
        for &id in &flooders {
            assert_eq!(room.answer_bytes(id), ticks * REQUESTS_PER_TURN * "PONG\n".len(), "after {ticks} ticks");
        }
    }
}

#[test]
fn a_client_that_never_reads_is_owed_no_more_than_the_limit_and_gets_all_in_order_once_it_reads() {
    for value_bytes in [1, 1_000, VALUE_BYTES_MAX] {
        let mut room = Room::new(Durability::Interval);
        let silent = room.enter();
        let other = room.enter();
        let value = |number: usize| format!("{:>value_bytes$}", number % 10);
        for number in 0..10 {
            room.says(silent, format!("SET {number} {}\n", value(number)).as_bytes());
        }
        room.settle();
        assert_eq!(room.take_answers(silent), "OK\n".repeat(10));

        // Ten times what it may be owed.
        let requests = 10 * OUTBOX_BYTES_MAX / (value_bytes + 1);
        let all: String = (0..requests).map(|number| format!("GET {}\n", number % 10)).collect();
        room.stops_reading(silent);
        room.says(silent, all.as_bytes());
        room.settle();

        let owed = room.node.sendable(silent).len();
        assert!((OUTBOX_BYTES_MAX..=OUTBOX_BYTES_MAX + value_bytes + 1).contains(&owed), "it is owed {owed} bytes");
        assert_eq!(room.node.waits(silent), Waits::ForReader);
        assert!(room.unread_bytes(silent) > 0 || value_bytes > 1_000, "the rest of its requests is left unread");
        // A growing buffer takes up to twice what is in it.
        let held = room.node.session_bytes();
        let held_max = 2 * (OUTBOX_BYTES_MAX + value_bytes + 1) + 2 * READ_BYTES;
        assert!(held <= held_max, "{held} bytes are held for it");
        room.says(other, b"GET 3\n");
        room.tick();
        assert_eq!(room.take_answers(other).len(), value_bytes + 1, "another client is served as always");

        room.reads_again(silent);
        room.settle();
        let expected: String = (0..requests).map(|number| value(number) + "\n").collect();
        assert!(room.take_answers(silent) == expected, "all {requests} answers of {value_bytes} bytes, in order");
        let left = room.node.session_bytes();
        assert!(left <= 4 * KEPT_BYTES, "{left} bytes are still held for two clients that are owed nothing");
    }
}

#[test]
fn a_client_that_reads_a_little_at_a_time_holds_bounded_memory_too() {
    let mut room = Room::new(Durability::Interval);
    let sipping = room.enter();
    room.says(sipping, format!("SET a {}\n", "v".repeat(999)).as_bytes());
    room.settle();
    room.take_answers(sipping);
    room.reads_at_most(sipping, 4_096);
    let requests = 8 * OUTBOX_BYTES_MAX / 1_000;
    room.says(sipping, "GET a\n".repeat(requests).as_bytes());
    let mut held_max = 0;
    let mut ticks = 0;
    while room.answer_bytes(sipping) < requests * 1_000 {
        room.tick();
        held_max = held_max.max(room.node.session_bytes());
        assert!(room.node.sendable(sipping).len() <= OUTBOX_BYTES_MAX + 1_000);
        ticks += 1;
        assert!(ticks <= requests, "every tick brings 4 KiB");
    }
    // What is sent already stays until it is as much as may be owed; a growing buffer takes up to twice what is in it.
    assert!(held_max <= 4 * (OUTBOX_BYTES_MAX + 1_000) + 2 * READ_BYTES, "{held_max} bytes were held");
    println!("a client that sips 8 MiB of answers had at most {held_max} bytes of buffers");
}

#[test]
fn one_byte_at_a_time_is_answered_with_the_byte_that_ends_the_line() {
    let mut room = Room::new(Durability::Interval);
    let slow = room.enter();
    for (line, answer) in [
        ("SET color dark blue\r\n", "OK\n"),
        ("GET color\n", "dark blue\n"),
        ("nonsense\n", "INVALID COMMAND\n"),
        ("\n", "INVALID COMMAND\n"),
        ("DELETE color\r\n", "OK\n"),
        ("GET color\n", "KEY NOT FOUND\n"),
    ] {
        let (last, before) = line.as_bytes().split_last().expect("a line has an end");
        for byte in before {
            room.says(slow, &[*byte]);
            assert_eq!(room.tick(), 0);
            assert_eq!(room.take_answers(slow), "", "{line:?} is not over");
        }
        room.says(slow, &[*last]);
        room.tick();
        assert_eq!(room.take_answers(slow), answer, "{line:?}");
        assert!(room.node.session_bytes() <= 2 * KEPT_BYTES);
    }
}

#[test]
fn an_endless_line_holds_no_more_than_the_longest_line_and_a_read() {
    let mut room = Room::new(Durability::Interval);
    let endless = room.enter();
    room.says(endless, b"SET endless ");
    let longest = line_bytes_max(VALUE_BYTES_MAX);
    let (mut held_max, mut reads) = (0, 0);
    while reads * READ_BYTES < 20 * longest {
        room.says(endless, &[b'x'; READ_BYTES]);
        room.tick();
        reads += 1;
        let held = room.node.session_bytes();
        held_max = held_max.max(held);
        if reads * READ_BYTES > longest {
            assert!(held <= 2 * KEPT_BYTES, "{held} bytes are held for a line that is dropped as it comes");
        }
    }
    println!("an endless line had at most {held_max} bytes of buffers, the longest line has {longest}");
    // A growing buffer takes up to twice what is in it.
    assert!(held_max <= 2 * (longest + READ_BYTES), "{held_max} bytes were held");
    let answer = format!("ERROR value too long: at most {VALUE_BYTES_MAX} bytes (--max-value-bytes)\n");
    assert_eq!(room.take_answers(endless), answer, "one answer, long before its end");
    room.says(endless, b"xxx\nSET short v\nGET short\nGET endless\n");
    room.tick();
    assert_eq!(room.take_answers(endless), "OK\nv\nKEY NOT FOUND\n", "it can go on");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_anything_leaves_no_memory_behind() {
    let flood = "GET a\n".repeat(100_000);
    let big = format!("SET a {}\n{}", "v".repeat(10_000), "GET a\n".repeat(1_000));
    let endless = "x".repeat(2 * line_bytes_max(VALUE_BYTES_MAX));
    for (middle, durability, said, waits) in [
        ("nothing", Durability::Interval, "", Waits::ForInput),
        ("a line", Durability::Interval, "SET a b", Waits::ForInput),
        ("a long line", Durability::Interval, &endless[..VALUE_BYTES_MAX], Waits::ForInput),
        ("a line that is dropped", Durability::Interval, &endless, Waits::ForInput),
        ("a flood", Durability::Interval, &flood, Waits::ForTurn),
        ("answers it does not read", Durability::Interval, &big, Waits::ForReader),
        ("a write that is not durable yet", Durability::Commit, "SET a b\nGET a\nSET c d\n", Waits::ForInput),
        ("a goodbye", Durability::Interval, "PING\nQUIT\nPING\n", Waits::ForNothing),
        ("a browser's request", Durability::Interval, "POST / HTTP/1.1\n", Waits::ForNothing),
    ] {
        let mut room = Room::new(durability);
        let other = room.enter();
        let leaving = room.enter();
        room.stops_reading(leaving);
        room.says(leaving, said.as_bytes());
        if waits == Waits::ForTurn {
            room.tick();
        } else {
            room.settle();
        }
        assert_eq!(room.node.waits(leaving), waits, "in the middle of {middle}");
        room.leaves(leaving);
        assert_eq!(room.node.session_bytes(), 0, "after a client left in the middle of {middle}");
        room.settle();
        room.says(other, b"PING\n");
        assert_eq!(room.tick(), 1, "nothing of it goes on in the middle of {middle}");
        assert_eq!(room.take_answers(other), "PONG\n");
        assert_eq!(room.enter(), leaving, "its place is free");
        room.says(leaving, b"PING\n");
        room.tick();
        assert_eq!(room.take_answers(leaving), "PONG\n", "who comes next begins afresh");
    }
}

/// A node and its clients. A tick is as the server's: one turn for each client that something happened to.
struct Room {
    node: Node,
    clients: Vec<Client>,
}

struct Client {
    here: bool,
    unread: Vec<u8>,
    unread_from: usize,
    answers: Vec<u8>,
    /// Bytes it takes in a tick.
    takes: usize,
}

impl Room {
    fn new(durability: Durability) -> Room {
        let clock = Clock::new(0, 0);
        let options = Options {
            nodes: 1,
            durability,
            snapshot_interval_ms: 2_000,
            value_bytes_max: VALUE_BYTES_MAX,
            clients_max: 100,
            memory_bytes_max: 0,
            idle_timeout_s: 0,
        };
        let reserved = Saver::checkpoint(0, 1, &clock, options.snapshot_interval_ms, NOW.unix_ms);
        let node = Node::new(Store::new([1, 2], 0, 1), clock, reserved, options, NOW);
        Room { node, clients: Vec::new() }
    }

    fn enter(&mut self) -> SessionId {
        let id = self.clients.iter().position(|client| !client.here).unwrap_or(self.clients.len());
        self.node.open(id, NOW).expect("there are few clients");
        let client = Client { here: true, unread: Vec::new(), unread_from: 0, answers: Vec::new(), takes: usize::MAX };
        self.clients.truncate(id);
        self.clients.push(client);
        id
    }

    fn leaves(&mut self, id: SessionId) {
        self.node.close(id);
        self.clients[id].here = false;
    }

    fn says(&mut self, id: SessionId, bytes: &[u8]) {
        self.clients[id].unread.extend_from_slice(bytes);
    }

    fn stops_reading(&mut self, id: SessionId) {
        self.reads_at_most(id, 0);
    }

    fn reads_again(&mut self, id: SessionId) {
        self.reads_at_most(id, usize::MAX);
    }

    fn reads_at_most(&mut self, id: SessionId, bytes_per_tick: usize) {
        self.clients[id].takes = bytes_per_tick;
    }

    fn take_answers(&mut self, id: SessionId) -> String {
        String::from_utf8(std::mem::take(&mut self.clients[id].answers)).expect("the tests send text")
    }

    fn answer_bytes(&self, id: SessionId) -> usize {
        self.clients[id].answers.len()
    }

    fn unread_bytes(&self, id: SessionId) -> usize {
        self.clients[id].unread.len() - self.clients[id].unread_from
    }

    /// Returns how many requests were executed.
    fn tick(&mut self) -> u64 {
        let before = self.node.metrics().requests;
        let mut turn = Vec::new();
        self.node.take_runnable(&mut turn);
        turn.extend((0..self.clients.len()).filter(|&id| self.unread_bytes(id) > 0 && self.clients[id].here));
        turn.sort_unstable();
        turn.dedup();
        for id in turn {
            let client = &mut self.clients[id];
            match self.node.waits(id) {
                Waits::ForTurn => self.node.resume(id, NOW),
                Waits::ForInput => {
                    let bytes = &client.unread[client.unread_from..];
                    let bytes = &bytes[..bytes.len().min(READ_BYTES)];
                    client.unread_from += bytes.len();
                    self.node.receive(id, bytes, NOW);
                }
                Waits::ForReader | Waits::ForSnapshot | Waits::ForNothing => (),
            }
        }
        self.node.take_touched(&mut Vec::new());
        for (id, client) in self.clients.iter_mut().enumerate() {
            let bytes = self.node.sendable(id);
            let count = bytes.len().min(client.takes);
            client.answers.extend_from_slice(&bytes[..count]);
            self.node.sent(id, count);
        }
        self.node.metrics().requests - before
    }

    /// Ticks until nothing happens any more.
    fn settle(&mut self) {
        let progress = |room: &mut Room| {
            let left: usize = (0..room.clients.len()).map(|id| room.unread_bytes(id)).sum();
            (room.node.metrics().requests, room.node.metrics().bytes_out, left)
        };
        let mut before = progress(self);
        loop {
            self.tick();
            let after = progress(self);
            let is_quiet = (0..self.clients.len()).all(|id| self.node.waits(id) != Waits::ForTurn);
            if after == before && is_quiet {
                return;
            }
            before = after;
        }
    }
}
