//! A session's turn: the requests that are here, executed where they lie.

use memchr::memchr;

use super::commands::{self, Executed};
use super::session::{OUTBOX_BYTES_MAX, Session, Waits};
use super::{Core, Now};
use crate::protocol::{Decoded, Refusal, Reply, line};

/// Requests of one session executed in one turn, so that the longest turn stays far below a millisecond.
pub const REQUESTS_PER_TURN: usize = 512;
/// Least time between two log lines about connections that spoke HTTP.
const HTTP_LOG_US: u64 = 10_000_000;

impl Core {
    /// Executes the requests in `bytes`, a turn's worth at most, and returns how many bytes they were.
    pub(super) fn serve(&mut self, session: &mut Session, bytes: &[u8], now: Now) -> usize {
        let mut used = 0;
        for _ in 0..REQUESTS_PER_TURN {
            if session.waits == Waits::ForNothing {
                return bytes.len();
            }
            if session.burden() >= OUTBOX_BYTES_MAX {
                session.waits = Waits::ForReader;
                return used;
            }
            let rest = &bytes[used..];
            if session.skipping {
                match memchr(b'\n', rest) {
                    Some(end) => (used, session.skipping) = (used + end + 1, false),
                    None => return self.out_of_input(session, bytes.len(), bytes.len()),
                }
                continue;
            }
            match line::decode(rest, session.scanned, session.first, self.options.value_bytes_max) {
                Decoded::Request(request, count) => {
                    session.scanned = 0;
                    match commands::execute(self, session, request, now) {
                        Executed::Answered => (),
                        Executed::Ended => session.waits = Waits::ForNothing,
                        Executed::Wait => {
                            session.waits = Waits::ForSnapshot;
                            return used;
                        }
                        Executed::Waiting => {
                            session.waits = Waits::ForPeers;
                            session.first = false;
                            return used + count;
                        }
                    }
                    self.metrics.requests += 1;
                    session.first = false;
                    used += count;
                }
                Decoded::Malformed(reply, count) => {
                    self.metrics.requests_refused += 1;
                    session.answer(reply);
                    (session.scanned, used) = (0, used + count);
                }
                Decoded::Oversized(reply) => {
                    self.metrics.requests_refused += 1;
                    session.answer(reply);
                    (session.scanned, session.skipping, used) = (0, true, bytes.len());
                }
                Decoded::Http => {
                    self.note_http(now);
                    session.waits = Waits::ForNothing;
                }
                Decoded::Incomplete => {
                    session.scanned = rest.len();
                    return self.out_of_input(session, used, bytes.len());
                }
            }
        }
        if session.waits == Waits::ForNothing {
            return bytes.len();
        }
        session.waits = Waits::ForTurn;
        used
    }

    /// All that can be executed is; `used` of `len` bytes are.
    fn out_of_input(&mut self, session: &mut Session, used: usize, len: usize) -> usize {
        session.waits = Waits::ForInput;
        if !session.ended {
            return used;
        }
        if used < len {
            self.metrics.requests_refused += 1;
            session.answer(Reply::Error(Refusal::Unterminated));
        }
        session.waits = Waits::ForNothing;
        len
    }

    fn note_http(&mut self, now: Now) {
        self.metrics.http_closed += 1;
        if self.http_logged_us.is_none_or(|last| now.monotonic_us - last > HTTP_LOG_US) {
            self.http_logged_us = Some(now.monotonic_us);
            log::warn!(
                "closed a connection that spoke HTTP ({} so far): a web page may be trying to reach this port; \
                 bind it to an address that browsers cannot reach",
                self.metrics.http_closed
            );
        }
    }
}
