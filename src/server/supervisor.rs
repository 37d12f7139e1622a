//! What the node tells the service manager that has started it: systemd's protocol, sd_notify(3). `NOTIFY_SOCKET` names a
//! socket, and each message is a datagram of lines to it.
//!
//! - `READY=1` once the data is read and clients are served. Around a reload, `RELOADING=1` and again `READY=1`.
//! - `WATCHDOG=1`, by the loop and nobody else, twice in each `WATCHDOG_USEC`: a loop that stands still says nothing, and
//!   the manager starts the node again.
//! - `STOPPING=1` when the end begins.
//! - `STATUS=` with each of them, for people.
//! - `EXTEND_TIMEOUT_USEC=` while a large file is read, and while the last changes are saved: see [`Extension`].
//!
//! The loop never waits for the manager: a datagram that is not taken at once is owed, and sent later. The process starts
//! no others that would inherit the variables.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::process;

/// How often the node says how it is, unless the watchdog wants to hear of it more often.
const PERIOD_US: u64 = 10_000_000;
/// The least, whatever the watchdog wants.
const PERIOD_US_MIN: u64 = 1_000;
/// After so long a datagram that was not taken is sent again.
const RETRY_US: u64 = 100_000;
/// How often more time is asked for, and how much: three times as long.
const EXTENSION: Duration = Duration::from_secs(10);
/// Who has used so much of the processors since it asked last is getting on, and is not stuck.
const PROGRESS_US: u64 = 10_000;

/// See the module.
#[derive(Default)]
pub(super) struct Supervisor {
    manager: Option<Manager>,
    stage: Stage,
    /// Whether it starts the node again where nothing is heard of it.
    has_watchdog: bool,
    period_us: u64,
    /// When it is told how the node is, or what it is owed; `None`: it is not.
    due_us: Option<u64>,
    /// What it has not taken yet.
    owed: VecDeque<String>,
    /// Whether the last message could not be sent, which was said.
    has_failed: bool,
    reloads: Reloads,
    ending: Option<Extension>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Starting,
    Serving,
    Stopping,
}

/// Reloads that were asked for: each ends when what was to be read has been read, which a mark behind it shows.
#[derive(Default)]
struct Reloads {
    without_mark: u32,
    with_mark: u32,
}

/// Where messages go.
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Supervisor {
    /// The one that the environment names; where that names none, nobody is told anything.
    pub(super) fn from_environment() -> Supervisor {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let Some(name) = variable("NOTIFY_SOCKET") else { return Supervisor::default() };
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = variable("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(std::process::id().into());
        let watchdog_us = number("WATCHDOG_USEC").filter(|&us| is_ours && us > 0);
        match Manager::at(&name) {
            Ok(manager) => Supervisor::of(manager, watchdog_us),
            Err(why) => {
                complain(&why);
                Supervisor::default()
            }
        }
    }

    fn of(manager: Manager, watchdog_us: Option<u64>) -> Supervisor {
        let period_us = watchdog_us.map_or(PERIOD_US, |us| (us / 2).clamp(PERIOD_US_MIN, PERIOD_US));
        let has_watchdog = watchdog_us.is_some();
        Supervisor { manager: Some(manager), has_watchdog, period_us, ..Supervisor::default() }
    }

    /// What takes long begins, and takes as long as what is returned lives.
    pub(super) fn extend(&mut self, status: &str) -> Option<Extension> {
        self.say(format!("STATUS={status}"), 0);
        Extension::begin(self.manager.as_ref()?, "", EXTENSION)
    }

    /// Clients are served.
    pub(super) fn ready(&mut self, status: &str, now_us: u64) {
        self.stage = Stage::Serving;
        self.say(format!("READY=1\nSTATUS={status}"), now_us);
    }

    /// Files are about to be read again.
    pub(super) fn reloading(&mut self, now_us: u64) {
        if self.manager.is_none() || self.stage != Stage::Serving {
            return;
        }
        self.reloads.without_mark += 1;
        // Who takes nothing need not be told of each.
        if self.owed.is_empty() {
            let monotonic_us = process::monotonic_us();
            self.say(format!("RELOADING=1\nMONOTONIC_USEC={monotonic_us}\nSTATUS=reading files again"), now_us);
        }
    }

    /// Whether a mark has to be set behind what is to be read, because it is all under way.
    pub(super) fn wants_mark(&mut self) -> bool {
        let marked = std::mem::take(&mut self.reloads.without_mark);
        self.reloads.with_mark += u32::from(marked > 0);
        marked > 0
    }

    /// A mark was reached. Whether that was the last.
    pub(super) fn marked(&mut self) -> bool {
        self.reloads.with_mark = self.reloads.with_mark.saturating_sub(1);
        self.stage == Stage::Serving && self.reloads.with_mark == 0 && self.reloads.without_mark == 0
    }

    /// The end begins.
    pub(super) fn stopping(&mut self, status: &str, now_us: u64) {
        self.stage = Stage::Stopping;
        self.say(format!("STOPPING=1\nSTATUS={status}"), now_us);
        // The loop ends before the last of it is saved.
        let beside = if self.has_watchdog { "WATCHDOG=1\n" } else { "" };
        self.ending = self.manager.as_ref().and_then(|manager| Extension::begin(manager, beside, EXTENSION));
    }

    /// The loop turns: what it is owed goes, and that it lives. To be called once it is [due](Supervisor::due_us).
    pub(super) fn hear(&mut self, status: impl FnOnce() -> String, now_us: u64) {
        if !self.owed.is_empty() {
            return self.pay(now_us);
        }
        match (self.stage, self.has_watchdog) {
            (Stage::Serving, true) => self.say(format!("WATCHDOG=1\nSTATUS={}", status()), now_us),
            (Stage::Serving, false) => self.say(format!("STATUS={}", status()), now_us),
            (Stage::Stopping, true) => self.say("WATCHDOG=1".to_owned(), now_us),
            (Stage::Stopping, false) | (Stage::Starting, _) => self.due_us = None,
        }
    }

    /// When that is due; `None`: not at all.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.due_us
    }

    fn say(&mut self, message: String, now_us: u64) {
        if self.manager.is_some() {
            self.owed.push_back(message);
            self.pay(now_us);
        }
    }

    fn pay(&mut self, now_us: u64) {
        let Some(manager) = &self.manager else { return };
        self.due_us = Some(now_us + self.period_us);
        while let Some(message) = self.owed.front() {
            match manager.send(message) {
                Ok(()) => self.has_failed = false,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    self.due_us = Some(now_us + RETRY_US.min(self.period_us));
                    return;
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.has_failed, true) {
                        complain(&error);
                    }
                }
            }
            self.owed.pop_front();
        }
    }
}

fn complain(why: &Error) {
    log::warn!(event = "notify_failed", why:%; "the service manager (NOTIFY_SOCKET) cannot be told how the node is: {why}");
}

impl Manager {
    fn at(name: &OsStr) -> Result<Manager> {
        let address = match name.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            [b'@', rest @ ..] => abstract_address(rest)?,
            _ => return Err(Error::other("that is neither a path nor an abstract name")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Manager { socket, address })
    }

    fn send(&self, message: &str) -> Result<()> {
        self.socket.send_to_addr(message.as_bytes(), &self.address).map(drop)
    }

    fn try_clone(&self) -> Result<Manager> {
        Ok(Manager { socket: self.socket.try_clone()?, address: self.address.clone() })
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

/// There are none here.
#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &[u8]) -> Result<SocketAddr> {
    Err(ErrorKind::Unsupported.into())
}

/// As long as it lives, and the process gets on, the manager is asked for more time than its unit says. A process that
/// uses no processor is stuck: it asks for none.
pub(super) struct Extension {
    /// Its end is the thread's.
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Extension {
    /// `beside`: what else is said each time. `None` where nobody can be asked.
    fn begin(manager: &Manager, beside: &str, every: Duration) -> Option<Extension> {
        let manager = manager.try_clone().ok()?;
        let message = format!("{beside}EXTEND_TIMEOUT_USEC={}", 3 * every.as_micros());
        let (ended, end) = channel::<()>();
        let ask = move || {
            // Who does not take one of these gets the next.
            let _ = manager.send(&message);
            let mut asked_us = process::cpu_us();
            while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(every) {
                let used_us = process::cpu_us();
                if used_us - asked_us >= PROGRESS_US {
                    asked_us = used_us;
                    let _ = manager.send(&message);
                }
            }
        };
        let thread = thread::Builder::new().name("extension".into()).spawn(ask).ok()?;
        Some(Extension { ended: Some(ended), thread: Some(thread) })
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        drop(self.ended.take());
        // It has said its last word when this returns.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn pair(directory: &tempfile::TempDir) -> (UnixDatagram, Manager) {
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("it can be bound");
        socket.set_nonblocking(true).expect("it can be set");
        (socket, Manager::at(path.as_os_str()).expect("it is a path"))
    }

    fn received(socket: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 4_096];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).expect("it is text"))
    }

    fn spend(us: u64) {
        let begun = process::cpu_us();
        while process::cpu_us() < begun + us {}
    }

    #[test]
    fn who_gets_on_is_given_more_time_again_and_again_until_it_is_done() {
        let directory = tempfile::tempdir().expect("there is room");
        let (socket, manager) = pair(&directory);
        let extension = Extension::begin(&manager, "WATCHDOG=1\n", Duration::from_millis(1)).expect("it begins");
        let mut asked = 0;
        let patience = Instant::now() + Duration::from_secs(60);
        while asked < 3 && Instant::now() < patience {
            spend(PROGRESS_US);
            asked += std::iter::from_fn(|| received(&socket))
                .inspect(|message| {
                    assert_eq!(message, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=3000");
                })
                .count();
        }
        assert!(asked >= 3, "{asked}");
        drop(extension);
        while received(&socket).is_some() {}
        spend(PROGRESS_US);
        assert_eq!(received(&socket), None);
    }

    #[test]
    fn what_is_not_taken_at_once_is_owed_and_comes_in_its_order() {
        let directory = tempfile::tempdir().expect("there is room");
        let (socket, manager) = pair(&directory);
        let filler = manager.try_clone().expect("it can be shared");
        let mut supervisor = Supervisor::of(manager, Some(1_000_000));
        let mut fill = 0;
        while filler.send("full").is_ok() {
            fill += 1;
            assert!(fill < 100_000, "a queue has an end");
        }
        supervisor.ready("well", 7);
        assert_eq!(supervisor.due_us(), Some(7 + RETRY_US));
        supervisor.reloading(8);
        assert!(supervisor.wants_mark() && supervisor.marked(), "it was not told of, and goes on all the same");
        supervisor.hear(|| panic!("it is owed something"), 9);
        while received(&socket).is_some_and(|message| message == "full") {}
        supervisor.hear(|| panic!("it is owed something"), 10);
        assert_eq!(received(&socket).as_deref(), Some("READY=1\nSTATUS=well"));
        assert_eq!(supervisor.due_us(), Some(10 + 500_000));
        supervisor.hear(|| "better".to_owned(), 11);
        assert_eq!(received(&socket).as_deref(), Some("WATCHDOG=1\nSTATUS=better"));
        supervisor.stopping("SIGTERM", 12);
        assert_eq!(received(&socket).as_deref(), Some("STOPPING=1\nSTATUS=SIGTERM"));
        supervisor.hear(|| panic!("it ends"), 13);
        let last: Vec<String> = std::iter::from_fn(|| received(&socket)).collect();
        assert!(last.contains(&"WATCHDOG=1".to_owned()), "{last:?}");
    }

    #[test]
    fn a_reload_is_over_when_the_last_of_several_is() {
        let directory = tempfile::tempdir().expect("there is room");
        let (socket, manager) = pair(&directory);
        let mut supervisor = Supervisor::of(manager, None);
        supervisor.reloading(0);
        assert_eq!(received(&socket), None, "it has not begun");
        supervisor.ready("well", 0);
        assert!(received(&socket).is_some());
        supervisor.reloading(0);
        assert!(received(&socket).is_some_and(|message| message.starts_with("RELOADING=1\nMONOTONIC_USEC=")));
        assert!(supervisor.wants_mark());
        supervisor.reloading(0);
        supervisor.reloading(0);
        assert!(!supervisor.marked(), "two were asked for since");
        assert!(supervisor.wants_mark() && !supervisor.wants_mark());
        assert!(supervisor.marked());
    }

    #[test]
    fn a_place_that_is_none_is_no_reason_not_to_run() {
        assert!(Manager::at(OsStr::new("vsock:2:1234")).is_err());
        let directory = tempfile::tempdir().expect("there is room");
        let mut supervisor = Supervisor::of(Manager::at(directory.path().as_os_str()).expect("it is a path"), None);
        supervisor.ready("well", 0);
        assert!(supervisor.has_failed && supervisor.owed.is_empty());
        supervisor.hear(|| "well".to_owned(), 1);
        assert_eq!(supervisor.due_us(), Some(1 + PERIOD_US));
    }
}
