//! Connections to the server, and when each request is sent and answered.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::alarm::{ALARM, Alarm};
use crate::options::Options;
use crate::replies::{self, Reply};
use crate::stream::{Stream, Trust};
use crate::work::Work;

/// Longest latency that is told apart: a minute, in nanoseconds.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Requests under way while the keys are written first, per connection.
const FILL_DEPTH: u64 = 64;
/// Latencies are gathered for so long for the picture over time.
const SLICE: Duration = Duration::from_millis(100);
/// A request of an open loop that goes out so late, or an answer that is read so long after one should have gone,
/// waited for this tool to get a processor.
const STALL: Duration = Duration::from_micros(200);
/// The shortest sleep of an open loop: what falls due meanwhile goes out together; its latency counts from when it was
/// due.
const NAP: Duration = Duration::from_micros(50);
/// No answer for so long is a server that is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// A part of the picture over time.
pub struct Slice {
    pub at_s: f64,
    pub p50_ns: u64,
    pub max_ns: u64,
}

/// Processor time in nanoseconds.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    /// Of the process' first thread.
    pub first_thread_ns: u64,
    pub all_ns: u64,
}

/// What was seen in the seconds that count.
pub struct Measured {
    pub requests: u64,
    pub errors: u64,
    pub seconds: f64,
    /// In nanoseconds.
    pub latencies: Histogram<u64>,
    /// Of an open loop: of those requests alone that did not wait for this tool.
    pub undisturbed: Option<Histogram<u64>>,
    pub slices: Vec<Slice>,
    pub server: Option<Cpu>,
    pub own: Cpu,
}

struct Connection {
    stream: Stream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// When each unanswered request was due.
    waiting: VecDeque<Instant>,
}

struct Load<'a> {
    options: &'a Options,
    work: Work,
    poll: Poll,
    alarm: Alarm,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    /// What counts from here on, and how long latencies were.
    since: Option<Instant>,
    latencies: Histogram<u64>,
    undisturbed: Histogram<u64>,
    slice: Histogram<u64>,
    slices: Vec<Slice>,
    requests: u64,
    errors: u64,
    heard: Instant,
    clock: Clock,
}

/// What an open loop sees of the time.
struct Clock {
    /// When the next request is due.
    due: Option<Instant>,
    /// So late is a stall: longer than the sleeps that are meant.
    stall: Duration,
    /// The end of the last stall.
    stalled_until: Instant,
}

impl Clock {
    fn look(&mut self) -> Instant {
        let now = Instant::now();
        if self.due.is_some_and(|due| now.saturating_duration_since(due) > self.stall) {
            self.stalled_until = now;
        }
        now
    }
}

/// Connects, writes the keys where that is asked for, and measures.
pub fn run(options: &Options) -> Result<Measured, String> {
    let mut load = Load::new(options)?;
    if options.fill {
        load.fill()?;
    }
    load.measure()
}

impl Load<'_> {
    fn new(options: &Options) -> Result<Load<'_>, String> {
        let poll = Poll::new().map_err(|error| error.to_string())?;
        let alarm = Alarm::new(poll.registry()).map_err(|error| error.to_string())?;
        let own = options.tls_cert.as_deref().zip(options.tls_key.as_deref());
        let trust = options.tls_ca.as_deref().map(|authority| Trust { authority, own }.load()).transpose()?;
        let mut connections = Vec::new();
        for id in 0..options.clients as usize {
            let connect = || -> std::io::Result<Stream> {
                let stream = Stream::connect(options, trust.as_ref())?;
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut SourceFd(&stream.descriptor()), Token(id), both)?;
                Ok(stream)
            };
            let stream = connect().map_err(|error| format!("cannot connect to {}: {error}", options.target()))?;
            connections.push(Connection { stream, inbox: Vec::new(), outbox: Vec::new(), waiting: VecDeque::new() });
        }
        let now = Instant::now();
        let stall = STALL + 2 * Duration::from_micros(options.nap.unwrap_or(0));
        let histogram = || Histogram::new_with_max(LATENCY_NS_MAX, 3).expect("three digits are possible");
        Ok(Load {
            options,
            work: Work::new(options),
            poll,
            alarm,
            connections,
            buffer: vec![0; 256 << 10],
            since: None,
            latencies: histogram(),
            undisturbed: histogram(),
            slice: histogram(),
            slices: Vec::new(),
            requests: 0,
            errors: 0,
            heard: now,
            clock: Clock { due: None, stall, stalled_until: now },
        })
    }

    /// Every key once, over all connections.
    fn fill(&mut self) -> Result<(), String> {
        let mut next = 0;
        loop {
            for id in 0..self.connections.len() {
                let Connection { outbox, waiting, .. } = &mut self.connections[id];
                while next < self.options.keys && (waiting.len() as u64) < FILL_DEPTH {
                    self.work.set(next, outbox);
                    waiting.push_back(Instant::now());
                    next += 1;
                }
                self.push(id)?;
                self.pull(id)?;
            }
            if next == self.options.keys && self.connections.iter().all(|one| one.waiting.is_empty()) {
                return match std::mem::take(&mut self.errors) {
                    0 => Ok(()),
                    errors => Err(format!("{errors} of {next} keys were not taken while they were written first")),
                };
            }
        }
    }

    fn measure(mut self) -> Result<Measured, String> {
        let begun = Instant::now();
        let counts_from = begun + Duration::from_secs_f64(self.options.warm_up);
        let end = counts_from + Duration::from_secs_f64(self.options.seconds);
        // In an open loop what is due goes out between a few answers and the next.
        let mut events = Events::with_capacity(if self.options.rate.is_some() { 8 } else { 1024 });
        let (mut server, mut own) = (None, Cpu::default());
        let (mut sent, mut progress, mut sliced) = (0_u64, begun, counts_from);
        if self.options.rate.is_none() {
            for id in 0..self.connections.len() {
                self.send_batch(id)?;
            }
        }
        loop {
            let now = self.clock.look();
            if self.since.is_none() && now >= counts_from {
                self.since = Some(now);
                server = self.options.server_pid.map(cpu_of).transpose()?;
                own = cpu_of(std::process::id())?;
            }
            if now >= end {
                break;
            }
            if now.duration_since(self.heard) > PATIENCE {
                return Err(format!("no answer for {} s", PATIENCE.as_secs()));
            }
            if now.duration_since(progress).as_secs() >= 1 && !self.options.json {
                progress = now;
                let seconds = self.since.map_or(0.0, |since| now.duration_since(since).as_secs_f64());
                eprint!("\r{seconds:.0} s, {} requests ", self.requests);
            }
            while sliced + SLICE <= now {
                self.end_slice(sliced.duration_since(counts_from).as_secs_f64());
                sliced += SLICE;
            }
            if let Some(rate) = self.options.rate {
                self.send_due(begun, rate, now, &mut sent)?;
            }
            if let Some(us) = self.options.nap {
                std::thread::sleep(Duration::from_micros(us));
                for id in 0..self.connections.len() {
                    if !self.connections[id].waiting.is_empty() {
                        self.push(id)?;
                        self.pull(id)?;
                    }
                }
                continue;
            }
            let timeout = match self.clock.due {
                _ if self.options.busy_poll => Duration::ZERO,
                Some(due) => self.alarm.timeout(due.max(now + NAP)).map_err(|error| error.to_string())?,
                None => Duration::from_millis(100),
            };
            let wait = self.poll.poll(&mut events, Some(timeout));
            wait.or_else(|error| if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) })
                .map_err(|error| error.to_string())?;
            for id in events.iter().map(|event| event.token()).filter(|&token| token != ALARM).map(|Token(id)| id) {
                self.push(id)?;
                self.pull(id)?;
                if self.options.rate.is_none() && self.connections[id].waiting.is_empty() {
                    self.send_batch(id)?;
                }
            }
        }
        if !self.options.json {
            eprint!("\r{:40}\r", "");
        }
        let since = self.since.unwrap_or(end);
        let minus = |after: Cpu, before: Cpu| Cpu {
            first_thread_ns: after.first_thread_ns - before.first_thread_ns,
            all_ns: after.all_ns - before.all_ns,
        };
        Ok(Measured {
            requests: self.requests,
            errors: self.errors,
            seconds: since.elapsed().as_secs_f64(),
            server: match (server, self.options.server_pid) {
                (Some(before), Some(pid)) => Some(minus(cpu_of(pid)?, before)),
                (_, _) => None,
            },
            own: minus(cpu_of(std::process::id())?, own),
            latencies: self.latencies,
            undisturbed: self.options.rate.map(|_| self.undisturbed),
            slices: self.slices,
        })
    }

    fn send_batch(&mut self, id: usize) -> Result<(), String> {
        let Connection { outbox, waiting, .. } = &mut self.connections[id];
        let now = Instant::now();
        for _ in 0..self.options.depth {
            self.work.next(outbox);
            waiting.push_back(now);
        }
        self.push(id)
    }

    /// Sends what is due, and notes when the next is.
    fn send_due(&mut self, begun: Instant, rate: f64, now: Instant, sent: &mut u64) -> Result<(), String> {
        let due = |number: u64| begun + Duration::from_secs_f64(number as f64 / rate);
        let due_count = (now.duration_since(begun).as_secs_f64() * rate) as u64 + 1;
        let first = *sent;
        while *sent < due_count {
            let id = *sent as usize % self.connections.len();
            let Connection { outbox, waiting, .. } = &mut self.connections[id];
            self.work.next(outbox);
            waiting.push_back(due(*sent));
            *sent += 1;
        }
        for number in first..(*sent).min(first + self.connections.len() as u64) {
            self.push(number as usize % self.connections.len())?;
        }
        self.clock.due = Some(due(*sent));
        Ok(())
    }

    fn end_slice(&mut self, at_s: f64) {
        if !self.slice.is_empty() {
            let (p50_ns, max_ns) = (self.slice.value_at_quantile(0.5), self.slice.max());
            self.slices.push(Slice { at_s, p50_ns, max_ns });
            self.slice.reset();
        }
    }

    /// Sends what is to be sent.
    fn push(&mut self, id: usize) -> Result<(), String> {
        let Connection { stream, outbox, .. } = &mut self.connections[id];
        loop {
            match stream.send(outbox) {
                Ok(count) => drop(outbox.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(format!("the server hung up: {error}")),
            }
            if outbox.is_empty() {
                return Ok(());
            }
        }
    }

    /// Takes what was answered.
    fn pull(&mut self, id: usize) -> Result<(), String> {
        let Load {
            options,
            connections,
            buffer,
            since,
            latencies,
            undisturbed,
            slice,
            requests,
            errors,
            heard,
            clock,
            ..
        } = self;
        let Connection { stream, inbox, waiting, .. } = &mut connections[id];
        loop {
            match stream.receive(buffer) {
                Ok(0) => return Err("the server hung up".to_owned()),
                Ok(count) => inbox.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("the server hung up: {error}")),
            }
            let now = clock.look();
            *heard = now;
            let mut used = 0;
            loop {
                let length = match replies::first(options.dialect, &inbox[used..]) {
                    Reply::Answer(length) => length,
                    Reply::Error(length) => {
                        *errors += 1;
                        length
                    }
                    Reply::Incomplete => break,
                };
                used += length;
                let due = waiting.pop_front().ok_or("more answers than requests")?;
                if since.is_some_and(|since| due >= since) {
                    let ns = (now.duration_since(due).as_nanos() as u64).clamp(1, LATENCY_NS_MAX);
                    latencies.record(ns).expect("it is within the range");
                    slice.record(ns).expect("it is within the range");
                    if due >= clock.stalled_until {
                        undisturbed.record(ns).expect("it is within the range");
                    }
                    *requests += 1;
                }
            }
            inbox.drain(..used);
            // All is answered, so no more is there.
            if waiting.is_empty() {
                return Ok(());
            }
        }
    }
}

/// What the operating system has counted for the process.
fn cpu_of(pid: u32) -> Result<Cpu, String> {
    let path = format!("/proc/{pid}/task");
    let said = |error: std::io::Error| format!("{path}: {error}");
    let mut cpu = Cpu::default();
    for task in std::fs::read_dir(&path).map_err(said)? {
        let task = task.map_err(said)?;
        let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) else { continue };
        let ns = text.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        cpu.all_ns += ns;
        if task.file_name().to_str() == Some(&pid.to_string()) {
            cpu.first_thread_ns = ns;
        }
    }
    Ok(cpu)
}
