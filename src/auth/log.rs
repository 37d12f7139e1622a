//! What was refused to whom: `ACL LOG` (<https://redis.io/docs/latest/commands/acl-log/>).

use std::collections::VecDeque;

/// Refusals of the same kind within so long are one entry.
const GROUPED_MS: u64 = 60_000;
/// So many entries are looked at for one of the same kind.
const LOOKS: usize = 10;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
    /// To be somebody.
    Auth,
}

/// What was refused to whom.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What.
    pub reason: Reason,
    /// Whether a transaction was put together or run.
    pub is_in_transaction: bool,
    /// The command's name, the key, or the channel.
    pub object: Vec<u8>,
    /// Whose request, or who somebody wanted to be.
    pub user: Vec<u8>,
    /// The client, as `CLIENT LIST` describes it.
    pub client: String,
}

/// Refusals of one kind.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The last of them.
    pub last: Refused,
    /// How many.
    pub count: u64,
    /// The number among all there ever were.
    pub number: u64,
    /// When the first was.
    pub created_ms: u64,
    /// When the last was.
    pub updated_ms: u64,
}

/// The latest first.
#[derive(Debug)]
pub struct Log {
    entries: VecDeque<Entry>,
    /// Entries that are kept.
    pub entries_max: usize,
    next_number: u64,
}

impl Reason {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Auth => "auth",
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { entries: VecDeque::new(), entries_max: 128, next_number: 0 }
    }
}

impl Log {
    /// Something was refused.
    pub fn note(&mut self, refused: Refused, now_ms: u64) {
        let is_same = |Entry { last, updated_ms, .. }: &Entry| {
            last.reason == refused.reason
                && last.is_in_transaction == refused.is_in_transaction
                && last.object == refused.object
                && last.user == refused.user
                && now_ms.abs_diff(*updated_ms) <= GROUPED_MS
        };
        if self.entries_max > 0 {
            let known = self.entries.iter().take(LOOKS).position(is_same).and_then(|at| self.entries.remove(at));
            let number = self.next_number;
            let first = Entry { last: refused.clone(), count: 0, number, created_ms: now_ms, updated_ms: now_ms };
            self.next_number += u64::from(known.is_none());
            let known = known.unwrap_or(first);
            self.entries.push_front(Entry { last: refused, count: known.count + 1, updated_ms: now_ms, ..known });
        }
        self.entries.truncate(self.entries_max);
    }

    /// Forgets all. Numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The latest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }
}
