//! The process's allocator: mimalloc, version 2, told when memory is to go back to the system.
//!
//! By itself mimalloc gathers what becomes free for 10 ms, so that it may be taken again, and gives it back in whatever
//! call comes next: after a `FLUSHALL` hundreds of pieces in one tick, which took 25 ms, or nothing where no call comes.
//! So small pieces go back as soon as 64 KiB of them are free. Buffers and large values *linger* for the 10 ms where as
//! much has been taken: what is overwritten leaves its memory to what comes next, what only goes does not stay. Where a
//! large value may not linger, a thread that has the time [gives its pages back](give_pages_back): 64 MiB take 4 ms.
//!
//! Where the system gives no more memory, the process ends with a sentence.
//!
//! `unsafe`, for calls of C and of the system. What makes it sound:
//! - Memory comes from mimalloc and goes to it, with the layouts that the caller vouches for.
//! - The option exists, as a test sees. It is one aligned word that threads set and read without a lock: whichever of
//!   its two values one sees, its memory goes back sooner or later.
//! - The memory whose pages are given back is borrowed, so nobody looks at it meanwhile, and reads as zeros afterwards
//!   or as before: bytes either way.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_long;
use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use libmimalloc_sys::{mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, version 2: so many milliseconds memory that became free is kept.
const PURGE_DELAY: mi_option_t = 15;
const PURGE_DELAY_MS: c_long = 10;
/// What may linger so long: more than the allocator keeps anyhow, and no more than may linger together.
const LINGERING_BYTES: RangeInclusive<usize> = 64 << 10..=LINGERING_BYTES_MAX;
/// Of all that lingers, about: to give it back takes 0.25 ms.
const LINGERING_BYTES_MAX: usize = 4 << 20;
/// How much more may be freed and linger: as much as was taken meanwhile.
static MAY_LINGER: AtomicUsize = AtomicUsize::new(0);

/// Ends the process.
static END: OnceLock<fn() -> !> = OnceLock::new();

/// See the module. [`Allocator::start`] comes first.
pub struct Allocator;

impl Allocator {
    /// From here on small pieces go back at once, and `end` ends the process where no memory is left; it must not take
    /// any.
    pub fn start(&self, end: fn() -> !) {
        give_back_after_ms(0);
        END.get_or_init(|| end);
    }
}

// SAFETY: see the module.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let alloc = || unsafe { MiMalloc.alloc(layout) };
        given(if take(layout.size()) { lingering(alloc) } else { alloc() }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let alloc = || unsafe { MiMalloc.alloc_zeroed(layout) };
        given(if take(layout.size()) { lingering(alloc) } else { alloc() }, layout.size())
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let free = || unsafe { MiMalloc.dealloc(place, layout) };
        if linger(layout.size()) { lingering(free) } else { free() }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if !LINGERING_BYTES.contains(&bytes) && !LINGERING_BYTES.contains(&layout.size()) {
            return given(unsafe { MiMalloc.realloc(place, layout, bytes) }, bytes);
        }
        // As the trait has it by itself. A copy takes long, and what other threads free meanwhile should not linger.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
            if !new.is_null() {
                place.copy_to_nonoverlapping(new, layout.size().min(bytes));
                self.dealloc(place, layout);
            }
            new
        }
    }
}

/// What was given; where it is nothing, the end: who asks for memory here has no better answer.
#[inline]
fn given(place: *mut u8, bytes: usize) -> *mut u8 {
    if place.is_null() {
        end_without_memory(bytes);
    }
    place
}

/// Says so and ends the process, for both of which it takes no memory.
#[cold]
fn end_without_memory(bytes: usize) -> ! {
    // Whoever reads it; where nobody does, the end is the same.
    let _ = writeln!(
        std::io::stderr(),
        "kvstoreapp: out of memory: the system gave no {bytes} bytes more (a limit, such as ulimit -v, or that of a \
         container?); changes since the last snapshot are lost unless another node has them. --max-memory keeps keys and \
         values within bounds"
    );
    match END.get() {
        Some(end) => end(),
        None => std::process::abort(),
    }
}

/// Whether so much may linger when it is freed. As much is counted as taken.
#[inline]
fn take(bytes: usize) -> bool {
    let can = LINGERING_BYTES.contains(&bytes);
    if can {
        let more = |now: usize| Some((now + bytes).min(LINGERING_BYTES_MAX));
        let _ = MAY_LINGER.fetch_update(Relaxed, Relaxed, more);
    }
    can
}

/// Whether so much lingers that is freed now.
#[inline]
fn linger(bytes: usize) -> bool {
    let less = |now: usize| now.checked_sub(bytes);
    LINGERING_BYTES.contains(&bytes) && MAY_LINGER.fetch_update(Relaxed, Relaxed, less).is_ok()
}

/// Does what takes or frees memory that lingers: what lingers there already does so for longer, too.
fn lingering<T>(work: impl FnOnce() -> T) -> T {
    give_back_after_ms(PURGE_DELAY_MS);
    let done = work();
    give_back_after_ms(0);
    done
}

fn give_back_after_ms(delay_ms: c_long) {
    // SAFETY: see the module.
    unsafe { mi_option_set(PURGE_DELAY, delay_ms) }
}

/// Whether to free so much memory takes long enough to be left to somebody else: it may not linger.
pub fn is_slow_to_free(bytes: usize) -> bool {
    bytes > LINGERING_BYTES_MAX || (bytes >= *LINGERING_BYTES.start() && bytes > MAY_LINGER.load(Relaxed))
}

/// Gives the pages that lie whole in this memory to the system; what they held is lost.
#[cfg(target_os = "linux")]
pub fn give_pages_back(memory: &mut [u8]) {
    let page_bytes = rustix::param::page_size();
    let before = memory.as_ptr().align_offset(page_bytes).min(memory.len());
    let pages = &mut memory[before..];
    let count = pages.len() / page_bytes * page_bytes;
    if count == 0 {
        return;
    }
    // SAFETY: see the module.
    let given = unsafe { rustix::mm::madvise(pages.as_mut_ptr().cast(), count, rustix::mm::Advice::LinuxDontNeed) };
    if let Err(error) = given {
        log::debug!("{count} bytes stay with the process for a while: {error}");
    }
}

/// Nothing, here.
#[cfg(not(target_os = "linux"))]
pub fn give_pages_back(_memory: &mut [u8]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: see the module. Nobody sets it here.
        let delay_ms = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert!(delay_ms == PURGE_DELAY_MS || std::env::var_os("MIMALLOC_PURGE_DELAY").is_some(), "{delay_ms} ms");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_bytes_around_whole_pages_stay_as_they_are() {
        let page_bytes = rustix::param::page_size();
        for len in [0, 1, page_bytes - 1, page_bytes, 5 * page_bytes + 3] {
            let mut memory = vec![7; len + 2];
            give_pages_back(&mut memory[1..=len]);
            assert_eq!((memory[0], memory[len + 1]), (7, 7));
            let given = memory.iter().filter(|&&byte| byte == 0).count();
            assert!(given.is_multiple_of(page_bytes) && given + 2 * page_bytes > len, "{given} of {len}");
        }
    }
}
