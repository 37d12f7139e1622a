//! What the process asks of the operating system beside bytes: cores, file descriptors, keep-alive.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::node::Process;

/// File descriptors beside clients: some 25 for listener, poll, waker, signals, data file and log; for a few clients that
/// are none any more, and for those that say they are nodes where there are no others.
const DESCRIPTORS_BESIDE_CLIENTS: usize = 64;
/// Hexadecimal digits of a run's name, as Redis has them.
const RUN_ID_DIGITS: usize = 40;
/// Most clients that `--max-clients` takes.
const CLIENTS_MAX: u64 = 1_000_000;

/// What the main thread needs of stack at the most, eight times over.
const STACK_BYTES_MIN: u64 = 1 << 20;
/// The allocator and the stacks of the threads reserve some 500 MiB of addresses, though little memory, before the first
/// key.
const ADDRESS_BYTES_MIN: u64 = 640 << 20;

/// Keeps this thread, and those it starts from here on, off a core where there is another.
#[cfg(target_os = "linux")]
pub fn keep_off(core: usize) -> Result<(), String> {
    use rustix::thread::{sched_getaffinity, sched_setaffinity};
    let mut cores = sched_getaffinity(None).map_err(|error| format!("cannot ask for the cores: {error}"))?;
    if core >= rustix::thread::CpuSet::MAX_CPU || !cores.is_set(core) {
        return Err(format!("--cpu={core} is not a core that this process may use"));
    }
    cores.unset(core);
    if cores.count() == 0 {
        return Ok(());
    }
    sched_setaffinity(None, &cores).map_err(|error| format!("cannot leave core {core}: {error}"))
}

/// Pins this thread to a core.
#[cfg(target_os = "linux")]
pub fn pin_to(core: usize) -> Result<(), String> {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    rustix::thread::sched_setaffinity(None, &cores).map_err(|error| format!("cannot pin to core {core}: {error}"))
}

/// Threads cannot be pinned here.
#[cfg(not(target_os = "linux"))]
pub fn keep_off(_core: usize) -> Result<(), String> {
    Err("--cpu is supported on Linux only".to_owned())
}

/// Threads cannot be pinned here.
#[cfg(not(target_os = "linux"))]
pub fn pin_to(_core: usize) -> Result<(), String> {
    Err("--cpu is supported on Linux only".to_owned())
}

/// Processor time of this thread, in microseconds.
pub fn thread_cpu_us() -> u64 {
    clock_us(ClockId::ThreadCPUTime)
}

/// Processor time of all threads, in microseconds.
pub fn cpu_us() -> u64 {
    clock_us(ClockId::ProcessCPUTime)
}

/// The clock that service managers compare with, in microseconds since the machine began.
pub fn monotonic_us() -> u64 {
    clock_us(ClockId::Monotonic)
}

fn clock_us(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// Fills memory with random bytes that nobody can foresee.
pub fn fill_with_chance(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        // Up to 256 bytes come at once; a signal may come in between.
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()).unwrap_or(0);
    }
}

/// Sets up a stream of TCP: what is written goes at once, and within some 10 minutes the system finds out that the other
/// side is gone without a word.
pub fn set_up(stream: impl AsFd) -> std::io::Result<()> {
    use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_nodelay};
    set_tcp_nodelay(&stream, true)?;
    set_socket_keepalive(&stream, true)?;
    set_tcp_keepidle(&stream, Duration::from_secs(300))?;
    Ok(set_tcp_keepintvl(&stream, Duration::from_secs(30))?)
}

/// Checks the limits on memory, with which nothing could run, and raises that on the stack where it may. An error is a
/// sentence.
pub fn check_memory_limits() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let too_low = |limit: Option<u64>, bytes_min: u64| limit.filter(|&bytes| bytes < bytes_min);
    let limit = getrlimit(Resource::Stack);
    if too_low(limit.current, STACK_BYTES_MIN).is_some() {
        let current = Some(STACK_BYTES_MIN.min(limit.maximum.unwrap_or(u64::MAX)));
        // What cannot be raised is complained about below.
        let _ = setrlimit(Resource::Stack, Rlimit { current, maximum: limit.maximum });
    }
    let limits = [
        (Resource::Stack, "stack (ulimit -s)", STACK_BYTES_MIN),
        (Resource::As, "memory (ulimit -v)", ADDRESS_BYTES_MIN),
    ];
    for (resource, name, bytes_min) in limits {
        if let Some(bytes) = too_low(getrlimit(resource).current, bytes_min) {
            let [kib, kib_min] = [bytes, bytes_min].map(|bytes| bytes >> 10);
            return Err(format!(
                "the limit on the {name} is {kib} KiB, but a node needs {kib_min} KiB, and more for its data"
            ));
        }
    }
    Ok(())
}

/// Adds what is known from the start on: the process's number, a name for this run of it, and the machine.
pub fn describe(process: &mut Process, chance: [u64; 3]) {
    let system = rustix::system::uname();
    let [name, release, machine] =
        [system.sysname(), system.release(), system.machine()].map(|part| part.to_string_lossy());
    process.id = std::process::id();
    process.run_id = chance.map(|number| format!("{number:016x}")).concat()[..RUN_ID_DIGITS].to_owned();
    process.system = format!("{name} {release} {machine}");
    process.memory_bytes = memory_bytes();
}

#[cfg(target_os = "linux")]
fn memory_bytes() -> Option<u64> {
    let info = rustix::system::sysinfo();
    Some(info.totalram as u64 * u64::from(info.mem_unit))
}

/// Not asked for here.
#[cfg(not(target_os = "linux"))]
fn memory_bytes() -> Option<u64> {
    None
}

/// Why the system does not let the process start, with what may be behind it.
pub fn explain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::WouldBlock => {
            format!("{error}: look at the limits on processes (ulimit -u) and memory (ulimit -v)")
        }
        _ => error.to_string(),
    }
}

/// Makes room for as many clients as the system allows, or as may ever be asked for, where so many connections of other
/// nodes may be there beside. Returns for how many there is room; an error, in a sentence, where there is none.
pub fn raise_descriptor_limit(peers: usize) -> Result<usize, String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let beside = (DESCRIPTORS_BESIDE_CLIENTS + peers) as u64;
    let wanted = CLIENTS_MAX + beside;
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let granted = wanted.min(limit.maximum.unwrap_or(u64::MAX)).max(current);
    let raised = granted == current
        || setrlimit(Resource::Nofile, Rlimit { current: Some(granted), maximum: limit.maximum }).is_ok();
    let granted = if raised { granted } else { current };
    match granted.saturating_sub(beside) {
        0 => Err(format!(
            "the limit on open files (ulimit -n) is {granted}, but a node needs {beside}, and one more for each client"
        )),
        room => Ok(room.min(CLIENTS_MAX) as usize),
    }
}
