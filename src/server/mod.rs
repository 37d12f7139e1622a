//! The loop: sockets, timers, signals, and the tick that drives the node.
//!
//! One thread, one poll. It brings bytes to the node and takes bytes away; what they mean it does not know. No client
//! gets more than one read and one write per tick, and a tick looks only at connections that something happened to.

mod acceptor;
mod admission;
mod background;
mod carrier;
mod connection;
mod dialing;
mod encrypting;
mod group;
pub mod memory;
mod off_cpu;
pub mod process;
mod proving;
mod reports;
pub mod signals;
mod socket;
pub mod starting;
mod supervising;
mod supervisor;
mod tls;
mod transport;
mod turns;
mod unix_socket;
mod usage;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use acceptor::Acceptor;
use background::{Background, Job};
use connection::{Connection, Next};
use group::Group;
use mio::{Events, Interest, Poll, Token, Waker};
use off_cpu::OffCpu;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::flag;
use signal_hook_mio::v1_0::Signals;
use slab::Slab;
use supervisor::Supervisor;
use tls::files::Loaded;
use tls::handshakes::Handshakes;

use crate::config::users::UsersFile;
use crate::config::{ProvenLinks, WatchedFile};
use crate::logging;
use crate::metrics::ticks::Phase;
use crate::node::waits::Waits;
use crate::node::{Node, Now, SessionId};
use crate::snapshot::Writer;
use crate::snapshot::copies::Copies;
use crate::snapshot::file::DataFile;

const LISTENER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);
const WAKER: Token = Token(usize::MAX - 2);

/// Bytes written to one client in one tick.
const WRITE_BYTES: usize = 256 << 10;
/// Events taken from the poll in one tick.
const EVENTS: usize = 1_024;
/// How long the end waits for clients that keep sending, and again for those that do not read.
const DRAIN_US: u64 = 1_000_000;

/// How far the server is.
#[derive(Clone, Copy)]
enum Stage {
    Serving,
    /// Nothing new is accepted; what has arrived is answered, until then at most.
    Draining {
        until_us: u64,
    },
    /// The last snapshot is under way.
    Saving,
    /// All is saved or cannot be; answers go out, until then at most.
    Parting {
        until_us: u64,
    },
}

/// See the module.
pub struct Server {
    poll: Poll,
    acceptor: Acceptor,
    signals: Signals,
    node: Node,
    writer: Writer,
    copies: Copies,
    background: Background,
    /// Where clients may speak TLS, or links are proven.
    handshakes: Option<Handshakes>,
    /// Where links are proven: how.
    proven_links: Option<ProvenLinks>,
    /// Names looked up so far.
    dials: usize,
    woken: Arc<AtomicBool>,
    wake: Arc<dyn Fn() + Send + Sync>,
    connections: Slab<Connection>,
    /// Connections that may have something to read or to execute.
    ready: Vec<SessionId>,
    /// Connections that may have something to be sent.
    unsent: Vec<SessionId>,
    /// The memory of the list that is being worked on, for the next.
    turn: Vec<SessionId>,
    /// When to look whether a client is idle: one entry a client, present where there is a timeout.
    idle: BinaryHeap<Reverse<(u64, SessionId)>>,
    group: Group,
    busy_poll: bool,
    stage: Stage,
    supervisor: Supervisor,
    off_cpu: OffCpu,
    started: Instant,
    now: Now,
}

/// The monotonic part counts from `started`.
pub fn now(started: Instant) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { monotonic_us: started.elapsed().as_micros() as u64, unix_ms: unix.as_millis() as u64 }
}

impl Server {
    /// Puts the node behind the acceptor. `started` is what the node's monotonic time counts from, `config` the file to
    /// be read again on SIGHUP, `users` that of its users, `tls` the certificate where clients may speak TLS.
    fn new(
        acceptor: Acceptor,
        node: Node,
        file: DataFile,
        config: WatchedFile,
        users: Option<UsersFile>,
        tls: Option<Loaded>,
        started: Instant,
    ) -> std::io::Result<Server> {
        let poll = Poll::new()?;
        let mut acceptor = acceptor;
        // First of all, or one that comes here would be noted below and never seen.
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2])?;
        // In the signals' handlers, so that a second one works whatever the loop is waiting for: leave where an
        // earlier one was noted, then note this one.
        let noted = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            flag::register_conditional_shutdown(signal, 1, Arc::clone(&noted))?;
            flag::register(signal, Arc::clone(&noted))?;
        }
        acceptor.register(poll.registry(), LISTENER)?;
        poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let woken = Arc::new(AtomicBool::new(false));
        let pending = Arc::clone(&woken);
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            // One wake is enough until the loop has looked.
            if !pending.swap(true, Ordering::AcqRel) {
                waker.wake().expect("the poll lives as long as the process serves");
            }
        });
        let [wake_from_writer, wake_from_copies, wake_from_background, wake_from_handshakes] =
            [(); 4].map(|()| Arc::clone(&wake));
        let copies = Copies::of(&file, wake_from_copies)?;
        let mut node = node;
        node.time_by(move || started.elapsed().as_nanos() as u64);
        node.measure_by(usage::of_process);
        node.log_to(logging::Kept);
        node.random_by(process::fill_with_chance);
        let writer = Writer::start(file, move || wake_from_writer())?;
        node.metrics().disk_reserve_bytes = writer.reserve_bytes();
        let mut background = Background::start(config, users, move || wake_from_background())?;
        let handshakes = tls.map(|tls| Handshakes::start(Some(tls), move || wake_from_handshakes())).transpose()?;
        if signals::was_hung_up() {
            background.give(Job::Reload);
            node.renew();
            node.reload_users();
        }
        Ok(Server {
            poll,
            acceptor,
            signals,
            node,
            writer,
            copies,
            background,
            handshakes,
            proven_links: None,
            dials: 0,
            woken,
            wake,
            connections: Slab::new(),
            ready: Vec::new(),
            unsent: Vec::new(),
            turn: Vec::new(),
            idle: BinaryHeap::new(),
            group: Group::new(),
            busy_poll: false,
            stage: Stage::Serving,
            supervisor: Supervisor::default(),
            off_cpu: OffCpu::default(),
            started,
            now: now(started),
        })
    }

    /// Never sleep while waiting.
    pub fn busy_poll(&mut self, busy_poll: bool) {
        self.busy_poll = busy_poll;
    }

    /// Serves until a signal ends it. An error is a sentence.
    pub fn run(mut self) -> Result<(), String> {
        let mut events = Events::with_capacity(EVENTS);
        let verdict = loop {
            self.wait(&mut events)?;
            self.node.begin_tick(self.now);
            self.take_in(&events);
            self.node.spent(Phase::Intake);
            self.serve_clients();
            if self.node.is_shutting_down() {
                self.drain("SHUTDOWN");
            }
            self.dial_peers();
            self.renew_certificates();
            self.give_jobs();
            self.node.finish_tick(self.now, |save| self.writer.give(save));
            self.send_out();
            self.close_idle();
            self.report();
            self.note_tick();
            if let Some(verdict) = self.proceed() {
                break verdict;
            }
        };
        let closed = self.writer.close();
        verdict.and(closed.map_err(|why| format!("what was saved is gone: {why}")))
    }

    /// Until something happens or is due.
    fn wait(&mut self, events: &mut Events) -> Result<(), String> {
        let due_us = self.due_us();
        loop {
            let timeout = match (self.busy_poll, due_us) {
                (true, _) => Some(Duration::ZERO),
                (false, u64::MAX) => None,
                (false, _) => Some(Duration::from_micros(due_us.saturating_sub(self.now.monotonic_us))),
            };
            match self.poll.poll(events, timeout) {
                Ok(()) => (),
                Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
                Err(error) => return Err(format!("cannot wait for events: {error}")),
            }
            self.now = now(self.started);
            self.off_cpu.begin(self.now.monotonic_us, process::thread_cpu_us);
            if !self.busy_poll || !events.is_empty() || due_us <= self.now.monotonic_us {
                break;
            }
        }
        Ok(())
    }

    /// When the next tick is due, in monotonic microseconds, where nothing happens before; `u64::MAX` where none is.
    fn due_us(&self) -> u64 {
        if !self.ready.is_empty() || !self.unsent.is_empty() {
            return 0;
        }
        let stage_us = match self.stage {
            Stage::Draining { until_us } | Stage::Parting { until_us } => Some(until_us),
            Stage::Serving | Stage::Saving => None,
        };
        let idle_us = self.idle.peek().map(|&Reverse((due_us, _))| due_us);
        let due_us = [idle_us, self.accept_due_us(), stage_us, self.supervisor.due_us()];
        due_us.into_iter().flatten().fold(self.node.deadline_us(), u64::min)
    }

    fn take_in(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                LISTENER => self.acceptor.look(),
                SIGNALS => self.take_signals(),
                WAKER => (),
                Token(id) => {
                    let Some(connection) = self.connections.get_mut(id) else { continue };
                    if connection.note(event) {
                        self.unsent.push(id);
                    }
                    if connection.is_readable() {
                        queue(&mut self.ready, connection, id);
                    }
                }
            }
        }
        if self.woken.swap(false, Ordering::AcqRel) {
            self.take_reports();
        }
        self.accept();
    }

    fn take_signals(&mut self) {
        for signal in self.signals.pending() {
            match signal {
                SIGHUP => self.reload(),
                SIGINT => self.drain("SIGINT"),
                SIGXCPU => self.drain("SIGXCPU, the limit on processor time (ulimit -t)"),
                SIGUSR1 | SIGUSR2 => log::warn!(event = "signal_ignored"; "SIGUSR1 and SIGUSR2 mean nothing here"),
                _ => self.drain("SIGTERM"),
            }
        }
    }

    /// The end begins, unless it has begun.
    fn drain(&mut self, why: &str) {
        if !matches!(self.stage, Stage::Serving) {
            return;
        }
        log::info!(
            event = "shutting_down", why;
            "{why}: answering what was received, then saving; a second signal exits at once"
        );
        let status = format!("{why}: answering what was received, then saving");
        self.supervisor.stopping(&status, self.now.monotonic_us);
        self.node.shut_down();
        self.accept_the_last();
        self.stage = Stage::Draining { until_us: self.now.monotonic_us + DRAIN_US };
        // What lies in the sockets has been received, too.
        for (id, connection) in &mut self.connections {
            connection.socket().look();
            queue(&mut self.ready, connection, id);
        }
    }

    /// One write for each connection with something to send.
    fn send_out(&mut self) {
        let mut turn = std::mem::replace(&mut self.unsent, std::mem::take(&mut self.turn));
        self.node.take_touched(&mut turn);
        for id in turn.drain(..) {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            let bytes = self.node.sendable(id);
            if connection.owes(bytes) {
                match connection.send(&bytes[..bytes.len().min(WRITE_BYTES)]) {
                    Ok(count) => self.node.sent(id, count),
                    Err(error) => {
                        self.drop_connection(id, &error.to_string());
                        continue;
                    }
                }
            }
            match connection.next(self.node.sendable(id), self.node.is_over(id)) {
                Next::Write => self.unsent.push(id),
                Next::WaitForRoom if self.node.is_leaving(id) => {
                    self.drop_connection(id, "it was hung up on, and reads nothing");
                }
                Next::Wait | Next::WaitForRoom
                    if connection.is_readable() && self.node.waits(id) == Waits::ForInput =>
                {
                    queue(&mut self.ready, connection, id);
                }
                Next::Wait | Next::WaitForRoom => (),
                Next::End => {
                    connection.part();
                    self.drop_connection(id, "it is over");
                }
            }
        }
        self.turn = turn;
    }

    fn close_idle(&mut self) {
        let timeout_us = self.node.options().idle_timeout_s * 1_000_000;
        while let Some(&Reverse((due_us, id))) = self.idle.peek() {
            if due_us > self.now.monotonic_us {
                return;
            }
            self.idle.pop();
            // The entry may be an earlier connection's with the same number.
            let Some(connection) = self.connections.get_mut(id).filter(|one| one.idle_us == due_us) else { continue };
            if !self.node.is_client(id) {
                continue;
            }
            connection.idle_us = self.node.active_us(id) + timeout_us;
            if connection.idle_us <= self.now.monotonic_us {
                self.node.metrics().idle_closed += 1;
                self.drop_connection(id, "it was idle");
            } else {
                self.idle.push(Reverse((connection.idle_us, id)));
            }
        }
    }

    fn note_tick(&mut self) {
        let took_us = self.node.spent(Phase::Replies);
        let off_cpu_us = self.off_cpu.end(took_us, process::thread_cpu_us);
        self.node.metrics().log_lines_dropped = logging::dropped();
        self.node.end_tick(off_cpu_us);
    }

    /// From one stage to the next. The verdict ends the loop.
    fn proceed(&mut self) -> Option<Result<(), String>> {
        match self.stage {
            Stage::Serving => None,
            Stage::Draining { until_us } => {
                let drained = self.ready.is_empty() && self.node.is_quiet();
                if drained || self.now.monotonic_us >= until_us {
                    self.node.end();
                    self.stage = Stage::Saving;
                }
                None
            }
            Stage::Saving => {
                let _verdict = self.node.ended()?;
                self.stage = Stage::Parting { until_us: self.now.monotonic_us + DRAIN_US };
                self.proceed()
            }
            Stage::Parting { until_us } => {
                let owed = self.connections.iter().any(|(id, connection)| connection.owes(self.node.sendable(id)));
                if owed && self.now.monotonic_us < until_us {
                    return None;
                }
                self.node.ended()
            }
        }
    }

    fn drop_connection(&mut self, id: SessionId, why: &str) {
        self.node.close(id);
        self.node.lose_peer(id, why, self.now);
        let mut connection = self.connections.remove(id);
        self.abandon_handshake(connection.carrier());
        // Closing the socket deregisters it; an error here says no more than that it was closed already.
        let _ = connection.socket().deregister(self.poll.registry());
    }
}

fn queue(ready: &mut Vec<SessionId>, connection: &mut Connection, id: SessionId) {
    if !connection.queued {
        connection.queued = true;
        ready.push(id);
    }
}
