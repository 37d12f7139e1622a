//! Connections as a network gives them: bytes in order or not at all, late, in pieces, and ends that one side hears of
//! and the other does not.

use std::collections::VecDeque;

use fastrand::Rng;
use kvstoreapp::replication::Binding;

pub type HostId = usize;
pub type Session = usize;

/// One direction of a connection.
#[derive(Default)]
pub struct Pipe {
    /// Bytes and when they are there.
    pieces: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    last_us: u64,
    /// The sender has closed, and that is heard then.
    end_us: Option<u64>,
    /// What is sent from here on goes nowhere.
    broken: bool,
}

/// An end of a connection: a host and the number it knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub host: HostId,
    pub session: Session,
}

/// Between two hosts. `pipes[0]` leads from `ends[0]` to `ends[1]`.
pub struct Connection {
    pub ends: [Option<End>; 2],
    pub pipes: [Pipe; 2],
    /// What either end knows it by where it is encrypted: two names where somebody stands between them.
    pub bindings: Option<[Binding; 2]>,
    /// When the other side hears of it first; it has no number there until then.
    pub reaches_us: Option<(HostId, u64)>,
}

#[derive(Default)]
pub struct Network {
    pub connections: Vec<Option<Connection>>,
    /// Until when nothing gets from one host to another.
    pub cut_until_us: Vec<Vec<u64>>,
}

impl Connection {
    /// Whether somebody stands between both ends.
    pub fn has_a_man_in_the_middle(&self) -> bool {
        self.bindings.is_some_and(|[one, other]| one != other)
    }
}

impl Network {
    pub fn new(hosts: usize) -> Network {
        Network { connections: Vec::new(), cut_until_us: vec![vec![0; hosts]; hosts] }
    }

    pub fn add(&mut self, connection: Connection) -> usize {
        let free = self.connections.iter().position(Option::is_none);
        let id = free.unwrap_or(self.connections.len());
        if free.is_none() {
            self.connections.push(None);
        }
        self.connections[id] = Some(connection);
        id
    }

    pub fn is_cut(&self, from: HostId, to: HostId, now_us: u64) -> bool {
        self.cut_until_us[from][to] > now_us
    }

    pub fn heal(&mut self, now_us: u64) {
        self.cut_until_us.iter_mut().flatten().for_each(|until_us| *until_us = (*until_us).min(now_us));
        // What was on its way is sent again at once.
        for pipe in self.connections.iter_mut().flatten().flat_map(|connection| connection.pipes.iter_mut()) {
            pipe.pieces.iter_mut().for_each(|(at_us, _)| *at_us = (*at_us).min(now_us));
            pipe.last_us = pipe.last_us.min(now_us);
            pipe.end_us = pipe.end_us.map(|end_us| end_us.min(now_us));
        }
    }

    /// The connection and the direction that lead away from this end.
    pub fn find(&mut self, host: HostId, session: Session) -> Option<(usize, usize)> {
        let end = Some(End { host, session });
        let mut all = self.connections.iter().enumerate();
        all.find_map(|(id, connection)| {
            let at = connection.as_ref()?.ends.iter().position(|&other| other == end)?;
            Some((id, at))
        })
    }
}

impl Pipe {
    /// Takes as many bytes as fit. Where the way is cut, they arrive after that.
    pub fn send(&mut self, bytes: &[u8], room: usize, due_us: u64, piece_bytes: usize, random: &mut Rng) -> usize {
        if self.broken {
            return bytes.len();
        }
        let count = bytes.len().min(room.saturating_sub(self.bytes));
        let mut rest = &bytes[..count];
        while !rest.is_empty() {
            let (piece, other) = rest.split_at(random.usize(1..=piece_bytes.min(rest.len())));
            self.last_us = self.last_us.max(due_us);
            self.pieces.push_back((self.last_us, piece.to_vec()));
            rest = other;
        }
        self.bytes += count;
        count
    }

    pub fn close(&mut self, due_us: u64) {
        self.end_us = Some(self.last_us.max(due_us));
    }

    /// What is on its way never arrives, but for some of it.
    pub fn break_off(&mut self, random: &mut Rng, now_us: u64) {
        self.broken = true;
        let kept = random.usize(0..=self.pieces.len());
        self.pieces.truncate(kept);
        self.bytes = self.pieces.iter().map(|(_, piece)| piece.len()).sum();
        self.end_us = Some(self.pieces.back().map_or(now_us, |&(at_us, _)| at_us));
    }

    /// Nobody will hear that the sender is gone.
    pub fn forget_end(&mut self) {
        self.end_us = None;
    }

    pub fn take(&mut self, now_us: u64) -> Option<Vec<u8>> {
        if self.pieces.front()?.0 > now_us {
            return None;
        }
        let (_, piece) = self.pieces.pop_front()?;
        self.bytes -= piece.len();
        Some(piece)
    }

    pub fn has_ended(&self, now_us: u64) -> bool {
        self.pieces.is_empty() && self.end_us.is_some_and(|end_us| end_us <= now_us)
    }

    pub fn next_us(&self) -> u64 {
        self.pieces.front().map(|&(at_us, _)| at_us).or(self.end_us).unwrap_or(u64::MAX)
    }

    pub fn is_full(&self, room: usize) -> bool {
        self.bytes >= room
    }
}
