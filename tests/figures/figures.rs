//! The store's figures: memory per key, the longest single insert and overwrite, heap allocations per operation.
//!
//! `cargo run --release --example figures [keys]`, on the allocator that the server runs with. What it prints is
//! quoted in `src/README.md`.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use kvstoreapp::store::{Stamp, Store};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { mimalloc::MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { mimalloc::MiMalloc.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let keys = std::env::args().nth(1).map_or(10_000_000, |keys| keys.parse().expect("a number of keys"));
    let mut store = Store::new([1, 2], 0, 1);
    let before = resident_bytes();

    let inserts = timed(keys, |number| put(&mut store, number, b'a'));
    println!("keys of 16 B with values of 64 B: {keys}");
    println!("resident bytes per key: {:.1}", (resident_bytes() - before) as f64 / keys as f64);
    println!("insert: {inserts}");

    let overwrites = timed(keys, |number| put(&mut store, number.wrapping_mul(7_919) % keys, b'b'));
    println!("overwrite: {overwrites}");
    println!(
        "resident bytes per key after overwriting all in another order: {:.1}",
        (resident_bytes() - before) as f64 / keys as f64
    );

    let reads = timed(keys, |number| assert!(store.get(&key(number.wrapping_mul(7_919) % keys)).is_some()));
    println!("get: {reads}");
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

struct Timing {
    mean: Duration,
    longest: Duration,
    above_1_ms: u64,
    allocations_per_operation: f64,
}

impl std::fmt::Display for Timing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Timing { mean, longest, above_1_ms, allocations_per_operation } = self;
        write!(out, "mean {mean:?}, longest {longest:?}, {above_1_ms} above 1 ms, ")?;
        write!(out, "{allocations_per_operation:.6} allocations each")
    }
}

/// Times each call alone; the mean includes some 25 ns for the clock.
fn timed(count: u64, mut operation: impl FnMut(u64)) -> Timing {
    let allocations = ALLOCATIONS.load(Relaxed);
    let (begun, mut longest, mut above_1_ms) = (Instant::now(), Duration::ZERO, 0);
    let mut last = begun;
    for number in 0..count {
        operation(number);
        let now = Instant::now();
        let took = now - last;
        last = now;
        longest = longest.max(took);
        above_1_ms += u64::from(took > Duration::from_millis(1));
    }
    let allocations = ALLOCATIONS.load(Relaxed) - allocations;
    let mean = begun.elapsed() / count as u32;
    Timing { mean, longest, above_1_ms, allocations_per_operation: allocations as f64 / count as f64 }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells a process its memory");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the resident size is among it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("in KiB") * 1024
}
