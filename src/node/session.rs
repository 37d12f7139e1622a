//! One conversation: who the client is, what it is owed, and how far its request has come.
//!
//! It does not know sockets; whoever owns one brings bytes and takes bytes away.

use super::client::Client;
use super::progress::Progress;
use super::replies::Replies;
use super::waits::Waits;
use crate::protocol::Dialect;
use crate::replication::wire::GREETING;
use crate::store::value::SHARED_BYTES_MIN;

/// Memory that an empty inbox keeps: what a pipelining client needs again at once.
const KEPT_BYTES: usize = 16 << 10;

/// Bytes of a long request that are read at once.
const ROOM_BYTES: usize = 256 << 10;

/// See the module. A command has all of it, or the place for replies and the progress alone.
pub struct Session {
    pub(super) out: Replies,
    pub(super) progress: Progress,
    pub(super) client: Client,
}

impl Session {
    /// A conversation that begins.
    pub(super) fn new(client: Client, dialect: Dialect) -> Session {
        Session { out: Replies::new(dialect), progress: Progress::default(), client }
    }

    /// Whether the conversation begins, these bytes included, as one between nodes does.
    pub(super) fn greets(&self, bytes: &[u8]) -> bool {
        let begun = self.client.inbox.first().or(bytes.first());
        if begun != GREETING.first()
            || self.out.dialect().is_http()
            || !self.out.decoder.is_fresh()
            || !self.out.is_unused()
        {
            return false;
        }
        self.client.inbox.iter().chain(bytes).take(GREETING.len()).eq(GREETING)
    }

    /// Memory held for this conversation.
    pub fn bytes(&self) -> usize {
        self.client.inbox.capacity() + self.client.http_bytes() + self.out.memory_bytes()
    }

    /// Where the next bytes belong, if they are many of one request. Followed by [`Session::filled`].
    pub(super) fn room(&mut self) -> Option<&mut [u8]> {
        if self.client.http.is_some() {
            return self.client.body_under_way()?.room(SHARED_BYTES_MIN, ROOM_BYTES);
        }
        let len = self.client.inbox.len();
        let missing = self.out.decoder.needs().checked_sub(len).filter(|&missing| missing >= SHARED_BYTES_MIN)?;
        if self.client.waits != Waits::ForInput || self.client.inbox.try_reserve_exact(missing).is_err() {
            return None;
        }
        self.client.room_start = len;
        self.client.inbox.resize(len + missing.min(ROOM_BYTES), 0);
        Some(&mut self.client.inbox[len..])
    }

    /// So many bytes have come there. Returns whether the request may be whole.
    pub(super) fn filled(&mut self, count: usize) -> bool {
        if let Some(body) = self.client.body_under_way() {
            return body.filled(count);
        }
        self.client.inbox.truncate(self.client.room_start + count);
        self.client.inbox.len() >= self.out.decoder.needs()
    }

    /// Keeps the part of `bytes` that no request has used, for later.
    pub(super) fn keep_inbox(&mut self, mut inbox: Vec<u8>, used: usize) {
        inbox.drain(..used);
        if inbox.is_empty() {
            inbox.shrink_to(KEPT_BYTES);
        }
        self.client.inbox = inbox;
    }
}
