//! The figures of store and data file: memory per key, the longest single insert and overwrite, heap allocations per
//! operation, rows written and recovered per second.
//!
//! `cargo run --release --example figures [keys]`, on the allocator that the server runs with. What it prints is
//! quoted in `scripts/MEASUREMENTS.md`. Times of single operations are processor time of the thread, so that a busy machine does
//! not count; rates are given for both clocks.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use kvstoreapp::allocator::Allocator;
use kvstoreapp::replica::{Checkpoint, Disk};
use kvstoreapp::snapshot::file::DataFile;
use kvstoreapp::store::{Batch, Copied, Restore, Stamp, Store};

/// Rounds in which the same operations are timed.
const ROUNDS: u32 = 3;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { Allocator.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { Allocator.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    Allocator.start(|| std::process::abort());
    let keys = std::env::args().nth(1).map_or(10_000_000, |keys| keys.parse().expect("a number of keys"));
    println!("keys of 16 B with values of 64 B: {keys}");
    let (mut inserts, mut overwrites, mut gets) = (Timing::new(keys), Timing::new(keys), Timing::new(keys));
    let before = resident_bytes();
    let per_key = || (resident_bytes() - before) as f64 / keys as f64;
    let mut store = Store::new([1, 2], 0, 1);
    for round in 0..ROUNDS {
        store = Store::new([1, 2], 0, 1);
        inserts.round(|number| put(&mut store, number, b'a'));
        if round == 0 {
            println!("resident bytes per key: {:.1}", per_key());
        }
        overwrites.round(|number| put(&mut store, shuffled(number, keys), b'b'));
        if round == 0 {
            println!("resident bytes per key, all overwritten in another order: {:.1}", per_key());
        }
        gets.round(|number| assert!(store.get(&key(shuffled(number, keys))).is_some()));
    }
    println!("insert: {inserts}");
    println!("overwrite: {overwrites}");
    println!("get: {gets}");

    let mut fresh = Store::new([1, 2], 0, 1);
    (0..keys).for_each(|number| put(&mut fresh, number, b'a'));
    let other = tempfile::tempdir().expect("there is a temporary directory");
    println!("write rows as they were inserted: {}", rate(keys, || save(&fresh, &mut new_file(other.path()), 0)));
    drop(fresh);

    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let mut file = new_file(directory.path());
    println!("write rows in random order: {}", rate(keys, || save(&store, &mut file, 0)));
    let (saved, changed) = (store.last_position(), keys / 10);
    (0..changed).for_each(|number| put(&mut store, shuffled(number, keys), b'c'));
    println!("write a tenth of them, changed in random order: {}", rate(changed, || save(&store, &mut file, saved)));
    file.close();
    drop(store);
    let before = resident_bytes();
    let mut recovered = None;
    let recovery = rate(keys, || {
        let mut opened = DataFile::open(directory.path(), 0, Restore::new([1, 2], 0)).expect("the file just written");
        recovered = Some(opened.restore(1).expect("the rows just written"));
    });
    println!("recover: {recovery}");
    println!(
        "resident bytes per key after recovery: {:.1} more than before",
        (resident_bytes() as f64 - before as f64) / keys as f64
    );
    assert_eq!(recovered.map(|store| store.keys() as u64), Some(keys));
}

fn new_file(directory: &std::path::Path) -> DataFile {
    DataFile::open(directory, 0, Restore::new([1, 2], 0)).expect("a new file").file
}

/// As a snapshot does: bounded slices, one transaction.
fn save(store: &Store, file: &mut DataFile, saved: u64) {
    let (mut batch, mut cursor) = (Batch::default(), saved);
    file.begin().expect("the disk takes rows");
    loop {
        let copied = store.copy_changes(cursor, u64::MAX, 2_048, 1 << 18, &mut batch);
        file.write(&batch).expect("the disk takes rows");
        batch.clear(1 << 18);
        match copied {
            Copied::UpTo(position) => cursor = position,
            Copied::All => break,
        }
    }
    let checkpoint = Checkpoint { position: store.last_position(), ..Checkpoint::default() };
    file.commit(&checkpoint).expect("the disk takes a commit");
    file.checkpoint_if_due();
}

/// Each number below `keys` once, in an order that no cache likes.
fn shuffled(number: u64, keys: u64) -> u64 {
    number.wrapping_mul(7_919) % keys
}

fn rate(count: u64, work: impl FnOnce()) -> String {
    let (begun, processor) = (Instant::now(), processor_time());
    work();
    let (wall, processor) = (begun.elapsed().as_secs_f64(), (processor_time() - processor).as_secs_f64());
    format!("{:.0} rows/s ({:.0} per second of processor time)", count as f64 / wall, count as f64 / processor)
}

/// Of this thread.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    key[4..12].copy_from_slice(&number.to_be_bytes());
    key
}

fn put(store: &mut Store, number: u64, fill: u8) {
    let stamp = Stamp { clock: store.last_position() + 1, node: 0 };
    store.set(&key(number), &[fill; 64], stamp).expect("no limit is set");
}

/// Times each operation alone, in several rounds of the same operations. What a busy machine adds to one of them it
/// does not add in every round, so each operation counts as long as in its shortest round.
struct Timing {
    shortest_ns: Vec<u32>,
    allocations: u64,
}

impl Timing {
    fn new(operations: u64) -> Timing {
        Timing { shortest_ns: vec![u32::MAX; operations as usize], allocations: 0 }
    }

    fn round(&mut self, mut operation: impl FnMut(u64)) {
        let allocations = ALLOCATIONS.load(Relaxed);
        let mut last = processor_time();
        for (number, shortest_ns) in self.shortest_ns.iter_mut().enumerate() {
            operation(number as u64);
            let now = processor_time();
            *shortest_ns = (*shortest_ns).min((now - last).as_nanos() as u32);
            last = now;
        }
        self.allocations += ALLOCATIONS.load(Relaxed) - allocations;
    }
}

impl std::fmt::Display for Timing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.shortest_ns.len() as f64;
        let mean_ns = self.shortest_ns.iter().map(|&ns| f64::from(ns)).sum::<f64>() / count;
        let longest_us = f64::from(self.shortest_ns.iter().copied().max().unwrap_or_default()) / 1000.0;
        let allocations = self.allocations as f64 / count / f64::from(ROUNDS);
        write!(out, "mean {mean_ns:.0} ns, longest {longest_us:.0} us, {allocations:.4} allocations each")
    }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells a process its memory");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the resident size is among it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("in KiB") * 1024
}
