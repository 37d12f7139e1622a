//! Clients that write for as long as a test wants: one thread for each node, which dials again when its node dies.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::{PATIENCE, wait_for};
use crate::random::Random;

/// Keys that all writers set and delete.
const SHARED_KEYS: usize = 300;
/// Keys of one writer alone, each set once.
const UNIQUE_KEYS_MAX: usize = 10_000;
const BATCH: usize = 40;
const PAUSE: Duration = Duration::from_millis(8);

pub struct Load {
    goes_on: Arc<AtomicBool>,
    /// Writes answered, by writer.
    answered: Vec<Arc<AtomicUsize>>,
    writers: Vec<JoinHandle<Written>>,
}

/// What one writer has written, or all of them.
#[derive(Default)]
pub struct Written {
    /// Keys set once, each to [`value_of`] it; whether they arrived is not known.
    pub unique: Vec<String>,
    /// Those whose `OK` came from a process that lives.
    pub certain: Vec<String>,
    pub answered: usize,
}

impl Load {
    pub fn on(addresses: &[SocketAddr], seed: u64) -> Load {
        let goes_on = Arc::new(AtomicBool::new(true));
        let answered: Vec<_> = addresses.iter().map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let writers = addresses.iter().enumerate().map(|(id, &address)| {
            let (goes_on, answered) = (Arc::clone(&goes_on), Arc::clone(&answered[id]));
            thread::spawn(move || write(id, address, seed, &goes_on, &answered))
        });
        Load { writers: writers.collect(), goes_on, answered }
    }

    /// Waits until each of these nodes has answered so many more.
    pub fn await_writes(&self, ids: &[usize], count: usize) {
        let answered = |id: usize| self.answered[id].load(Ordering::Relaxed);
        let wanted: Vec<(usize, usize)> = ids.iter().map(|&id| (id, answered(id) + count)).collect();
        wait_for("writes", || wanted.iter().all(|&(id, count)| answered(id) >= count).then_some(()));
    }

    pub fn stop(self) -> Written {
        self.goes_on.store(false, Ordering::Relaxed);
        let mut all = Written::default();
        for writer in self.writers {
            let written = writer.join().expect("its node answers as it should");
            all.unique.extend(written.unique);
            all.certain.extend(written.certain);
            all.answered += written.answered;
        }
        all
    }
}

impl Written {
    /// All that may be there.
    pub fn keys(&self) -> Vec<String> {
        (0..SHARED_KEYS).map(|number| format!("shared{number}")).chain(self.unique.iter().cloned()).collect()
    }

    /// Nothing that is certain is lost, and nothing is there that nobody wrote. `answers` are those for
    /// [`Written::keys`].
    pub fn check(&self, answers: &[String]) {
        let held = |(_, answer): &(&String, &String)| *answer != "KEY NOT FOUND";
        let unique: Vec<(&String, &String)> = self.unique.iter().zip(&answers[SHARED_KEYS..]).filter(held).collect();
        for (key, value) in &unique {
            assert_eq!(**value, value_of(key));
        }
        let held: HashSet<&String> = unique.iter().map(|(key, _)| *key).collect();
        let lost: Vec<&String> = self.certain.iter().filter(|key| !held.contains(key)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let (tried, certain) = (self.unique.len(), self.certain.len());
        println!(
            "{} writes answered; of {tried} unique keys {certain} were certain and {} are there",
            self.answered,
            held.len()
        );
    }
}

pub fn value_of(key: &str) -> String {
    format!("the value of {key}")
}

fn write(id: usize, address: SocketAddr, seed: u64, goes_on: &AtomicBool, answered: &AtomicUsize) -> Written {
    let mut random = Random::new(seed + id as u64);
    let mut written = Written::default();
    while goes_on.load(Ordering::Relaxed) {
        written.certain.clear();
        // A node that is down, or that dies, is dialed again.
        let _ = connect(address).and_then(|stream| converse(id, stream, &mut random, &mut written, goes_on, answered));
        thread::sleep(PAUSE);
    }
    written.answered = answered.load(Ordering::Relaxed);
    written
}

fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn converse(
    id: usize,
    mut stream: BufReader<TcpStream>,
    random: &mut Random,
    written: &mut Written,
    goes_on: &AtomicBool,
    answered: &AtomicUsize,
) -> std::io::Result<()> {
    while goes_on.load(Ordering::Relaxed) {
        let first = written.unique.len();
        let requests: String = (0..BATCH).map(|_| request(id, random, &mut written.unique)).collect();
        stream.get_mut().write_all(requests.as_bytes())?;
        for _ in 0..BATCH {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            match line.as_str() {
                "OK\n" | "KEY NOT FOUND\n" => (),
                "" => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                other => panic!("a write was answered {other:?}"),
            }
            answered.fetch_add(1, Ordering::Relaxed);
        }
        written.certain.extend_from_slice(&written.unique[first..]);
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn request(id: usize, random: &mut Random, unique: &mut Vec<String>) -> String {
    if random.once_in(4) && unique.len() < UNIQUE_KEYS_MAX {
        let key = format!("unique{id}-{}", unique.len());
        let request = format!("SET {key} {}\n", value_of(&key));
        unique.push(key);
        return request;
    }
    let key = random.below(SHARED_KEYS);
    if random.once_in(4) {
        format!("DELETE shared{key}\n")
    } else {
        format!("SET shared{key} {id} {}\n", random.number())
    }
}
