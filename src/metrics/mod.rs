//! What the node counts and times of itself, and `INFO` shows.
//!
//! - here: counters
//! - [`ticks`]: the turns of the loop; [`tick`]: one of them
//! - [`rates`]: what comes and goes in a second
//! - [`calls`], [`errors`]: what became of the requests of each command, and which errors were answered
//! - [`slow_log`], [`latency`]: what took longer than it may
//! - [`events`]: the log lines that an operator may want to see later
//! - [`durations`]: how long all of a kind took
//! - [`history`]: how all of it was in the last hours; [`longest`]: the longest turns of the last one
//! - [`statistic`]: what is told of one figure, and how it is written
//!
//! Times are given to it. It does not read a clock.

pub mod calls;
pub mod durations;
pub mod errors;
pub mod events;
pub mod history;
pub mod latency;
pub mod longest;
pub mod rates;
pub mod slow_log;
pub mod statistic;
pub mod tick;
pub mod ticks;

use calls::AllCalls;
use durations::Durations;
use errors::Errors;
use history::History;
use history::sums::Sums;
use rates::Rates;
use ticks::{Ticks, Traffic};

/// All counts are since the start. Durations in microseconds.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Clients accepted.
    pub clients_accepted: u64,
    /// Clients turned away because `--max-clients` were connected.
    pub clients_refused: u64,
    /// Clients of other machines turned away by protected mode.
    pub clients_denied: u64,
    /// Clients closed because they did not authenticate in time, or were too many.
    pub clients_closed_unauthenticated: u64,
    /// Connections closed because they spoke HTTP.
    pub http_closed: u64,
    /// Connections closed because nothing came for `--idle-timeout-s`.
    pub idle_closed: u64,
    /// Handshakes of TLS that were done.
    pub tls_handshakes: u64,
    /// ... that failed: no TLS, no version or cipher in common, a certificate that does not hold.
    pub tls_failed: u64,
    /// ... that were given up, as they took too long or others waited.
    pub tls_shed: u64,
    /// Connections closed because they spoke plain text where TLS is required.
    pub plain_refused: u64,
    /// Scripts that took more than they may.
    pub scripts_ended: u64,
    /// Requests executed.
    pub requests: u64,
    /// Errors answered.
    pub requests_refused: u64,
    /// ... by their codes.
    pub errors: Errors,
    /// Calls of each command.
    pub calls: AllCalls,
    /// `GET`s of a key with a value.
    pub hits: u64,
    /// `GET`s of a key without.
    pub misses: u64,
    /// Keys whose time had come.
    pub keys_expired: u64,
    /// Requests that were not for the client's user: commands, keys, channels; and wrong passwords.
    pub denied: [u64; 4],
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
    /// Turns of the loop.
    pub ticks: Ticks,
    /// What comes and goes in a second.
    pub rates: Rates,
    /// How all of it was in the last hours.
    pub history: History,
    /// Snapshots committed.
    pub snapshots: u64,
    /// Snapshots that failed.
    pub snapshots_failed: u64,
    /// From the last slice of a snapshot to its commit.
    pub commits: Durations,
    /// Merges of journals into the rows of the data file.
    pub merges: Durations,
    /// Rows handed to the data file.
    pub rows_written: u64,
    /// Log lines that nobody took in time.
    pub log_lines_dropped: u64,
    /// What is kept of the disk in reserve, in bytes.
    pub disk_reserve_bytes: u64,
    /// What journals take of the disk that are not merged, in bytes.
    pub journal_bytes: u64,
    /// How often writers had to wait because a snapshot could not keep up.
    pub writer_stalls: u64,
}

impl Metrics {
    /// None yet. A random number decides which calls are timed.
    pub fn new(chance: u64) -> Metrics {
        Metrics { calls: AllCalls::new(fastrand::Rng::with_seed(chance)), ..Metrics::default() }
    }

    /// Begins to count anew. The number of clients goes on: it names them. What is taken of the disk is no count, and
    /// history stays what it was.
    pub fn reset(&mut self) {
        let sums = self.sums();
        self.history.carry(&sums, self.ticks.durations());
        let history = std::mem::take(&mut self.history);
        let (mut ticks, mut calls) = (std::mem::take(&mut self.ticks), std::mem::take(&mut self.calls));
        ticks.reset();
        calls.reset();
        let Metrics { clients_accepted, disk_reserve_bytes, journal_bytes, .. } = *self;
        let kept = Metrics { clients_accepted, disk_reserve_bytes, journal_bytes, ..Metrics::default() };
        *self = Metrics { ticks, calls, history, ..kept };
    }

    /// An error with this code is answered.
    #[cold]
    pub fn note_error(&mut self, code: &str) {
        self.requests_refused += 1;
        self.errors.note(code);
    }

    /// What history is made of. O(commands).
    pub fn sums(&self) -> Sums {
        let [reads, writes, others] = self.calls.by_kind();
        let Metrics { hits, misses, bytes_in, bytes_out, .. } = *self;
        Sums { reads, writes, others, hits, misses, bytes_in, bytes_out, off_cpu_us: self.ticks.off_cpu_us() }
    }

    /// What has come and gone.
    pub fn traffic(&self) -> Traffic {
        Traffic { requests: self.requests, bytes_in: self.bytes_in, bytes_out: self.bytes_out }
    }
}
