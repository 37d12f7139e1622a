//! Wakes the poll when the next request is due: to some microseconds, where a poll's own timeout has milliseconds.

use std::time::{Duration, Instant};

use mio::{Registry, Token};

/// What the poll returns with when it is time.
pub const ALARM: Token = Token(usize::MAX);
/// How long a poll waits that nothing wakes.
const WAIT: Duration = Duration::from_millis(100);

/// See the module.
#[cfg(target_os = "linux")]
pub struct Alarm {
    timer: std::os::fd::OwnedFd,
    /// When it wakes the poll, or did.
    at: Option<Instant>,
}

#[cfg(target_os = "linux")]
impl Alarm {
    pub fn new(registry: &Registry) -> std::io::Result<Alarm> {
        use std::os::fd::AsRawFd;

        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut mio::unix::SourceFd(&timer.as_raw_fd()), ALARM, mio::Interest::READABLE)?;
        Ok(Alarm { timer, at: None })
    }

    /// How long the poll is to wait, so that it returns at `at`.
    pub fn timeout(&mut self, at: Instant) -> std::io::Result<Duration> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() || self.at == Some(at) {
            return Ok(if left.is_zero() { left } else { WAIT });
        }
        let once =
            Itimerspec { it_interval: Timespec::default(), it_value: left.try_into().expect("it is not far off") };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        self.at = Some(at);
        Ok(WAIT)
    }
}

/// See the module. Elsewhere the poll does not wait where less than a millisecond is left.
#[cfg(not(target_os = "linux"))]
pub struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub fn new(_: &Registry) -> std::io::Result<Alarm> {
        Ok(Alarm)
    }

    /// How long the poll is to wait, so that it returns at `at`.
    pub fn timeout(&mut self, at: Instant) -> std::io::Result<Duration> {
        let left = at.saturating_duration_since(Instant::now());
        Ok(Duration::from_millis(left.as_millis() as u64).min(WAIT))
    }
}
