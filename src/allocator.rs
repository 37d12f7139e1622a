//! When memory goes back to the system: in small pieces, or by a thread that has the time.
//!
//! The process's allocator is mimalloc, version 2 (`main.rs` says so). It gathers what becomes free for some
//! milliseconds and gives it back in whatever call comes next: after a `FLUSHALL` hundreds of pieces in one tick, which
//! took 25 ms. And a large value that another thread frees it gives back in its owner's thread: 64 MiB took 4 ms.
//!
//! `unsafe`, for calls of C and of the system. What makes it sound:
//! - The option exists in the version that is built in, and 0 is a value that it takes.
//! - The memory whose pages are given back is borrowed, so nobody looks at it meanwhile, and reads as zeros afterwards
//!   or as before: bytes either way.
#![allow(unsafe_code)]

use bytes::Bytes;
use libmimalloc_sys::{mi_option_set, mi_option_t};

/// `mi_option_purge_delay` of `mimalloc.h`, version 2: so many milliseconds memory that became free is kept.
const PURGE_DELAY: mi_option_t = 15;
/// The system's pages begin at multiples of this, and are not larger.
const PAGE_BYTES: usize = 64 << 10;

/// Has the allocator give memory back as it becomes free, 64 KiB or more at a time: one system call each. To be called
/// before there is a second thread.
pub fn give_back_at_once() {
    // SAFETY: see the module; where there is one thread, no other reads options.
    unsafe { mi_option_set(PURGE_DELAY, 0) }
}

/// Frees memory, its pages first, where nobody else has it: so that nothing is left to the thread that allocated it.
pub fn free(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        give_pages_back(&mut bytes);
    }
}

/// The pages that lie whole in this memory may be taken away; what they held is lost.
fn give_pages_back(memory: &mut [u8]) {
    let before = memory.as_ptr().align_offset(PAGE_BYTES).min(memory.len());
    let pages = &mut memory[before..];
    let count = pages.len() / PAGE_BYTES * PAGE_BYTES;
    #[cfg(target_os = "linux")]
    if count > 0 {
        // SAFETY: see the module.
        let given = unsafe { rustix::mm::madvise(pages.as_mut_ptr().cast(), count, rustix::mm::Advice::LinuxDontNeed) };
        if let Err(error) = given {
            log::debug!("{count} bytes stay with the process for a while: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_around_whole_pages_stay_as_they_are() {
        for len in [0, 1, PAGE_BYTES - 1, PAGE_BYTES, 5 * PAGE_BYTES + 3] {
            let mut memory = vec![7; len + 2];
            give_pages_back(&mut memory[1..=len]);
            assert_eq!((memory[0], memory[len + 1]), (7, 7));
            assert!(memory.iter().all(|&byte| byte == 7 || cfg!(target_os = "linux") && byte == 0));
            let given = memory.iter().filter(|&&byte| byte == 0).count();
            assert!(given.is_multiple_of(PAGE_BYTES) && given + 2 * PAGE_BYTES >= len, "{given} of {len}");
        }
    }
}
