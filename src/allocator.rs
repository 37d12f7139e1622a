//! The process's allocator: mimalloc, version 2, told when memory is to go back to the system.
//!
//! By itself mimalloc gathers what becomes free for 10 ms, so that it may be taken again, and gives it back in whatever
//! call comes next: after a `FLUSHALL` hundreds of pieces in one tick, which took 25 ms. So small pieces go back as soon
//! as 64 KiB of them are free; buffers and large values, which are wanted again at once, are few and stay for the 10 ms.
//! What is larger still, a thread that has the time [gives back](free): 64 MiB take 4 ms.
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
use std::ops::RangeInclusive;

use bytes::Bytes;
use libmimalloc_sys::{mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, version 2: so many milliseconds memory that became free is kept.
const PURGE_DELAY: mi_option_t = 15;
const PURGE_DELAY_MS: c_long = 10;
/// What lingers so long: more than the allocator keeps anyhow, and less than what has a segment of its own.
const LINGERING_BYTES: RangeInclusive<usize> = 64 << 10..=16 << 20;

/// See the module. [`Allocator::start`] comes first.
pub struct Allocator;

impl Allocator {
    /// From here on small pieces go back at once.
    pub fn start(&self) {
        give_back_after_ms(0);
    }
}

// SAFETY: see the module.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        lingering(layout.size(), || unsafe { MiMalloc.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        lingering(layout.size(), || unsafe { MiMalloc.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        lingering(layout.size(), || unsafe { MiMalloc.dealloc(place, layout) })
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        lingering(layout.size().max(bytes), || unsafe { MiMalloc.realloc(place, layout, bytes) })
    }
}

/// Does what takes or frees so much memory; what lingers does so for longer from here on, too.
#[inline]
fn lingering<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if !LINGERING_BYTES.contains(&bytes) {
        return work();
    }
    give_back_after_ms(PURGE_DELAY_MS);
    let done = work();
    give_back_after_ms(0);
    done
}

fn give_back_after_ms(delay_ms: c_long) {
    // SAFETY: see the module.
    unsafe { mi_option_set(PURGE_DELAY, delay_ms) }
}

/// Frees memory, its pages first, where nobody else has it: so that nothing is left to the thread that allocated it.
pub fn free(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        give_pages_back(&mut bytes);
    }
}

/// The pages that lie whole in this memory may be taken away; what they held is lost.
#[cfg(target_os = "linux")]
fn give_pages_back(memory: &mut [u8]) {
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

#[cfg(not(target_os = "linux"))]
fn give_pages_back(_memory: &mut [u8]) {}

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
