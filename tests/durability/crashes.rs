//! `kill -9` under load. Kills come by the count of answers received, drawn from seeds; `scripts/crash.sh` runs more
//! of them.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::sqlite::{assert_is_intact, sqlite3};
use crate::harness::{Client, Over, PATIENCE, Server, wait_for, wait_within};
use crate::history::{History, Random, State};

/// What runs where `KVSTOREAPP_CRASH_SEEDS` names no others.
const SEEDS: [u64; 2] = [1, 20];
/// Incarnations after each other on one data directory.
const ROUNDS: u64 = 4;
/// States of the file seen under a load without a pause: merges become rarer while it lasts.
const LOOKS: usize = 2;
/// ... and the slower the machine is, the rarer they are.
const MERGE_MAX: Duration = Duration::from_secs(300);

#[test]
fn a_write_answered_under_commit_durability_survives_any_crash() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let mut writers: Vec<Writer> = (1..=4)
            .map(|place| Writer::new(History { seed: 10 * seed + place, keys: 5 << (2 * place), value_bytes: 40 }))
            .collect();
        let mut directory = new_directory();
        for _ in 0..ROUNDS {
            let answers = 1 + random.below(500);
            directory = crash_while_all_write(directory, &mut writers, answers);
            let server = Server::start_in(directory, &["--durability=commit"]);
            for writer in &mut writers {
                let found = read_state(&mut server.connect(), &writer.history);
                writer.go_on_from(found, writer.answered);
            }
            directory = server.kill();
        }
    }
}

#[test]
fn under_interval_durability_a_crash_leaves_one_beginning_of_the_history_not_older_than_the_last_snapshot_seen() {
    for (seed, keys) in seeds().into_iter().flat_map(|seed| [(seed, 12), (seed, 3_000)]) {
        let mut random = Random::new(seed);
        let mut writer = Writer::new(History { seed, keys, value_bytes: 60 });
        let mut server = Server::start(&["--snapshot-interval-ms=20"]);
        for round in 0..ROUNDS {
            let (answers, snapshots) = (1 + random.below(20_000), round % 2 * 2);
            let durable = write_until(&server, &mut writer, answers, snapshots);
            let directory = server.kill();
            assert_is_intact(&directory.path().join("data/backup.db"));
            server = Server::start_in(directory, &["--snapshot-interval-ms=20"]);
            let found = read_state(&mut server.connect(), &writer.history);
            writer.go_on_from(found, durable);
        }
    }
}

#[test]
fn sqlite3_shows_exactly_the_live_rows_of_one_moment_while_the_node_runs_and_writes() {
    let history = History { seed: 5, keys: 500, value_bytes: 60 };
    let (server, sent) = watch_under_load(history);
    server.connect().ask("SET 5-7 0 the last word");
    wait_until_saved(&server);
    wait_until_merged(&server);
    let file = server.data_file();
    let shown = sqlite3(&file, "SELECT key, value FROM kvstore WHERE key <> '5-7'");
    let mut last = history.nothing();
    for number in 1..=sent {
        history.apply(number, &mut last);
    }
    last[7] = 0;
    assert_eq!(history.state(rows(&shown)), last);
    assert_eq!(sqlite3(&file, "SELECT value FROM kvstore WHERE key = '5-7'").trim(), "0 the last word");
    assert_eq!(sqlite3(&file, "SELECT count(*) FROM kvstore").trim(), server.info("keys"));
}

#[test]
fn a_load_above_what_the_disk_takes_starves_no_snapshot_and_each_is_a_beginning_of_the_history() {
    let history = History { seed: 6, keys: 60_000, value_bytes: 100 };
    let (server, sent) = watch_under_load(history);
    let directory = server.kill();
    let file = directory.path().join("data/backup.db");
    assert_is_intact(&file);
    let server = Server::start_in(directory, &[]);
    let found = read_state(&mut server.connect(), &history);
    let beginning = history.beginning_that_is(&found, &history.nothing(), 1, 0..=sent);
    assert!(beginning.is_some(), "what was recovered is no beginning of the history");
}

/// Starts a node with short intervals, overwrites as fast as it takes, and looks at the file until it has shown `LOOKS`
/// states, each later than the one before. Returns the node with all sent writes answered, and how many they are.
fn watch_under_load(history: History) -> (Server, u64) {
    let server = Server::start(&["--snapshot-interval-ms=20"]);
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let load = scope.spawn(|| overwrite(server.address, history, &sent, &stop));
        let _over = Over(&stop);
        let (mut beginning, mut state) = (0, history.nothing());
        for _ in 0..LOOKS {
            (beginning, state) = wait_within(MERGE_MAX, "the file to go on", || {
                assert!(!load.is_finished(), "the load ended before its time");
                let shown = sqlite3(&server.data_file(), "SELECT key, value FROM kvstore");
                let found = history.state(rows(&shown));
                let shown = history
                    .beginning_that_is(&found, &state, beginning + 1, beginning..=sent.load(SeqCst))
                    .expect("the file holds a beginning of the history, not older than before");
                (shown > beginning).then_some((shown, found))
            });
        }
    });
    (server, sent.load(SeqCst))
}

fn overwrite(address: SocketAddr, history: History, sent: &AtomicU64, stop: &AtomicBool) {
    const BATCH: u64 = 1_000;
    let mut pipeline = Pipeline::connect(address);
    let mut owed = 0;
    for first in (1..).step_by(BATCH as usize) {
        let stopping = stop.load(SeqCst);
        if !stopping {
            let requests: String = (first..first + BATCH).map(|number| history.request(number) + "\n").collect();
            sent.store(first + BATCH - 1, SeqCst);
            assert!(pipeline.send(&requests));
            owed += BATCH;
        }
        // One batch stays on its way, so that the node never waits for this side.
        while owed > if stopping { 0 } else { BATCH } {
            let answer = pipeline.answer().expect("the node lives");
            assert!(answer == "OK" || answer == "KEY NOT FOUND", "{answer}");
            owed -= 1;
        }
        if stopping {
            break;
        }
    }
}

/// One client's part of the history, over all incarnations.
struct Writer {
    history: History,
    /// What was there when the present incarnation began, and the number of the next write then.
    start: State,
    first: u64,
    /// Numbers of the last write answered and the last one sent.
    answered: u64,
    sent: u64,
}

impl Writer {
    fn new(history: History) -> Writer {
        Writer { start: history.nothing(), history, first: 1, answered: 0, sent: 0 }
    }

    /// Checks that what was found is the state after a write at or after `least`, and goes on from there.
    fn go_on_from(&mut self, found: State, least: u64) {
        let Writer { history, start, first, answered, sent } = self;
        let beginning = history.beginning_that_is(&found, start, *first, least..=*sent);
        assert!(
            beginning.is_some(),
            "seed {}: found no state after a write from {least} to {sent} (first {first}, answered {answered})",
            history.seed
        );
        *start = found;
        (*first, *answered) = (*sent + 1, *sent);
    }
}

/// Kills the node once all writers together have received so many answers.
fn crash_while_all_write(directory: TempDir, writers: &mut [Writer], answers: u64) -> TempDir {
    let server = Server::start_in(directory, &["--durability=commit"]);
    let answered = AtomicU64::new(0);
    // All are there before the first can end it.
    let pipelines: Vec<Pipeline> = writers.iter().map(|_| Pipeline::connect(server.address)).collect();
    thread::scope(|scope| {
        for (writer, pipeline) in writers.iter_mut().zip(pipelines) {
            let (server, answered) = (&server, &answered);
            scope.spawn(move || {
                write_until_it_is_gone(pipeline, writer, || {
                    if answered.fetch_add(1, SeqCst) + 1 == answers {
                        server.signal(Signal::KILL);
                    }
                });
            });
        }
    });
    let directory = server.kill();
    assert_is_intact(&directory.path().join("data/backup.db"));
    directory
}

fn write_until_it_is_gone(mut pipeline: Pipeline, writer: &mut Writer, mut answered: impl FnMut()) {
    const PIPELINED: usize = 16;
    let mut state = writer.start.clone();
    let mut expected = VecDeque::new();
    loop {
        while expected.len() < PIPELINED {
            writer.sent += 1;
            expected.push_back(if writer.history.apply(writer.sent, &mut state) { "OK" } else { "KEY NOT FOUND" });
            if !pipeline.send(&(writer.history.request(writer.sent) + "\n")) {
                return;
            }
        }
        let Some(answer) = pipeline.answer() else { return };
        assert_eq!(Some(answer.as_str()), expected.pop_front());
        writer.answered += 1;
        answered();
    }
}

/// Writes until so many answers are there and the node has shown so many snapshots, then once more without waiting
/// for the answers. Returns the number of the last write that `INFO` showed to be on disk.
fn write_until(server: &Server, writer: &mut Writer, answers: u64, snapshots: u64) -> u64 {
    const PIPELINED: u64 = 64;
    let mut client = server.connect();
    let number = |text: String| text.parse::<u64>().expect("a number");
    let position_before = number(client.info("position"));
    let snapshots_before = number(client.info("snapshots"));
    let mut state = writer.start.clone();
    // The write of each position since the start of this incarnation.
    let mut writes = vec![writer.first - 1];
    let mut send = |client: &mut Client, writer: &mut Writer, writes: &mut Vec<u64>| -> Vec<bool> {
        let numbers = writer.sent + 1..=writer.sent + PIPELINED;
        writer.sent += PIPELINED;
        client.send(numbers.clone().map(|number| writer.history.request(number) + "\n").collect::<String>());
        let changed = |number| {
            let changed = writer.history.apply(number, &mut state);
            writes.extend(changed.then_some(number));
            changed
        };
        numbers.map(changed).collect()
    };
    while writer.answered + 1 < writer.first + answers
        || number(client.info("snapshots")) < snapshots_before + snapshots
    {
        for changed in send(&mut client, writer, &mut writes) {
            assert_eq!(client.line(), if changed { "OK" } else { "KEY NOT FOUND" });
            writer.answered += 1;
        }
    }
    let durable = number(client.info("durable_position")).saturating_sub(position_before) as usize;
    assert!(snapshots == 0 || durable > 0, "a snapshot was seen");
    send(&mut client, writer, &mut writes);
    writes[durable]
}

/// A connection whose other end may vanish at any moment.
struct Pipeline {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Pipeline {
    fn connect(address: SocketAddr) -> Pipeline {
        let stream = TcpStream::connect(address).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("a socket option can be set");
        let reader = BufReader::new(stream.try_clone().expect("a socket can be shared"));
        Pipeline { stream, reader }
    }

    /// Whether the other end was still there.
    fn send(&mut self, requests: &str) -> bool {
        self.stream.write_all(requests.as_bytes()).is_ok()
    }

    /// The next whole answer, if it came.
    fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        line.strip_suffix('\n').map(str::to_owned)
    }
}

fn read_state(client: &mut Client, history: &History) -> State {
    let keys: Vec<String> = (0..history.keys).map(|index| history.key(index)).collect();
    let mut values = Vec::with_capacity(keys.len());
    for keys in keys.chunks(500) {
        client.send(keys.iter().map(|key| format!("GET {key}\n")).collect::<String>());
        values.extend(keys.iter().map(|_| client.line()));
    }
    let rows = keys.iter().map(String::as_str).zip(values.iter().map(String::as_str));
    history.state(rows.filter(|&(_, value)| value != "KEY NOT FOUND"))
}

fn rows(shown: &str) -> impl Iterator<Item = (&str, &str)> {
    shown.lines().map(|line| line.split_once('\t').expect("two columns"))
}

fn wait_until_saved(server: &Server) {
    let position = server.info("position");
    wait_for("all to be on disk", || (server.info("durable_position") == position).then_some(()));
}

/// Until then the rows are those of an earlier moment.
fn wait_until_merged(server: &Server) {
    let directory = server.data_file();
    let directory = directory.parent().expect("a file lies in a directory");
    wait_for("the journals to be merged", || {
        let mut names =
            std::fs::read_dir(directory).expect("it is there").map(|entry| entry.expect("a name").file_name());
        (!names.any(|name| name.to_string_lossy().contains(".journal-"))).then_some(())
    });
}

fn new_directory() -> TempDir {
    tempfile::tempdir().expect("there is a temporary directory")
}

fn seeds() -> Vec<u64> {
    match std::env::var("KVSTOREAPP_CRASH_SEEDS") {
        Ok(seeds) => seeds.split_whitespace().map(|seed| seed.parse().expect("seeds are numbers")).collect(),
        Err(_) => SEEDS.to_vec(),
    }
}
