//! What the process asks of the operating system beside bytes: cores, file descriptors, keep-alive.

use std::time::Duration;

/// File descriptors beside clients: listener, poll, waker, signals, data file, log.
const DESCRIPTORS_BESIDE_CLIENTS: u64 = 64;
/// Most clients that `--max-clients` takes.
const CLIENTS_MAX: u64 = 1_000_000;

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
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// Lets the system find out, within some 10 minutes, that the other side of a silent connection is gone without a word.
pub fn keep_alive(stream: &mio::net::TcpStream) -> std::io::Result<()> {
    use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle, set_tcp_keepintvl};
    set_socket_keepalive(stream, true)?;
    set_tcp_keepidle(stream, Duration::from_secs(300))?;
    Ok(set_tcp_keepintvl(stream, Duration::from_secs(30))?)
}

/// Makes room for as many clients as the system allows, or as may ever be asked for. Returns for how many there is room.
pub fn raise_descriptor_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = CLIENTS_MAX + DESCRIPTORS_BESIDE_CLIENTS;
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let granted = wanted.min(limit.maximum.unwrap_or(u64::MAX)).max(current);
    let raised = granted == current
        || setrlimit(Resource::Nofile, Rlimit { current: Some(granted), maximum: limit.maximum }).is_ok();
    let granted = if raised { granted } else { current };
    granted.saturating_sub(DESCRIPTORS_BESIDE_CLIENTS).clamp(1, CLIENTS_MAX) as usize
}
