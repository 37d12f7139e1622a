//! What the process has used of the machine, as Linux counts it in `/proc`
//! (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
//!
//! Reading it takes some 20 us, and no disk. It is read when somebody asks for it.

use crate::node::Usage;
use crate::node::options::CpuTime;

/// Places of fields in `stat`, counted from the one after the name, which may hold anything.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;
/// Of more than that the system has to have counted itself how many they are: a list of all takes as long.
const FILES_LISTED: usize = 1_000;

/// As of now; `None` where the system does not say so.
pub(super) fn of_process() -> Option<Usage> {
    let [process, thread] = ["/proc/self/stat", "/proc/thread-self/stat"].map(std::fs::read_to_string);
    let (ticks, page_bytes) = (rustix::param::clock_ticks_per_second(), rustix::param::page_size() as u64);
    let usage = read(&process.ok()?, &thread.ok()?, ticks, page_bytes)?;
    let files_max = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    Some(Usage { files: open_files(), files_max, ..usage })
}

/// How many files are open. Linux says so since 6.2 without listing them.
fn open_files() -> Option<u64> {
    const DIRECTORY: &str = "/proc/self/fd";
    let counted = std::fs::metadata(DIRECTORY).ok()?.len();
    if counted > 0 {
        return Some(counted);
    }
    let listed = std::fs::read_dir(DIRECTORY).ok()?.take(FILES_LISTED + 1).count();
    // One of them is the list.
    (listed <= FILES_LISTED).then(|| listed as u64 - 1)
}

fn read(process: &str, thread: &str, ticks_per_second: u64, page_bytes: u64) -> Option<Usage> {
    let cpu = |stat: &str| {
        let us = |place: usize| Some(field(stat, place)? * 1_000_000 / ticks_per_second);
        Some(CpuTime { user_us: us(USER_TICKS)?, system_us: us(SYSTEM_TICKS)? })
    };
    let resident_bytes = field(process, RESIDENT_PAGES)? * page_bytes;
    let (process_cpu, thread_cpu) = (cpu(process)?, cpu(thread)?);
    let virtual_bytes = field(process, VIRTUAL_BYTES)?;
    Some(Usage { process: process_cpu, thread: thread_cpu, resident_bytes, virtual_bytes, ..Usage::default() })
}

fn field(stat: &str, place: usize) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "71 (a) b (c)) S 1 71 71 0 -1 4194560 9 0 0 0 250 37 0 0 20 0 4 0 99 12345678 1024 18446744073709551615 1 1\n";

    #[test]
    fn the_fields_are_found_whatever_the_process_is_called() {
        let usage = read(STAT, &STAT.replace("250 37", "200 7"), 100, 4_096).expect("it is all there");
        assert_eq!(usage.process, CpuTime { user_us: 2_500_000, system_us: 370_000 });
        assert_eq!(usage.thread, CpuTime { user_us: 2_000_000, system_us: 70_000 });
        assert_eq!((usage.resident_bytes, usage.virtual_bytes), (4 << 20, 12_345_678));
    }

    #[test]
    fn what_is_cut_short_says_nothing() {
        assert_eq!(read("71 (a) S 1", STAT, 100, 4_096), None);
        assert_eq!(read(STAT, "", 100, 4_096), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_opened_is_counted_and_fewer_are_than_may_be() {
        let files = || of_process().and_then(|usage| usage.files).expect("Linux says so");
        // Other tests open and close files, too, but not this many.
        let before = files();
        let opened: Vec<_> = (0..200).map(|_| std::fs::File::open("/proc/self/stat").expect("it is there")).collect();
        let after = files();
        assert!(after >= before + 100, "{before} files, and then {after}");
        drop(opened);
        assert!(of_process().and_then(|usage| usage.files_max) >= Some(after));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_works_uses_processor_time_and_memory() {
        let before = of_process().expect("Linux says so");
        let mut sum = 0_u64;
        let usage = loop {
            sum = (0..1_000_000_u64).fold(sum, |sum, number| std::hint::black_box(sum ^ number));
            let usage = of_process().expect("Linux says so");
            if usage.thread.user_us > before.thread.user_us {
                break usage;
            }
        };
        assert!(usage.process.user_us >= before.process.user_us && usage.resident_bytes > 100_000, "{usage:?}");
    }
}
