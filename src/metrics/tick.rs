//! One turn of the loop: when it was, what it was spent on, and what came and went in it.

/// What a tick does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Turns expired keys into deletions, and frees what was flushed.
    Expiry,
    /// Notes events, accepts clients, takes back what the writer thread has done.
    Intake,
    /// Reads from clients, and executes what they ask for.
    Clients,
    /// Takes over what peers send, and sends them what they lack.
    Peers,
    /// Hands the writer thread the next slices, and forgets deletions.
    Snapshot,
    /// Writes to sockets.
    Replies,
}

pub(super) const PHASES: usize = Phase::ALL.len();

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 6] =
        [Phase::Expiry, Phase::Intake, Phase::Clients, Phase::Peers, Phase::Snapshot, Phase::Replies];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Expiry => "expiry",
            Phase::Intake => "intake",
            Phase::Clients => "clients",
            Phase::Peers => "peers",
            Phase::Snapshot => "snapshot",
            Phase::Replies => "replies",
        }
    }
}

/// What came and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests executed.
    pub requests: u64,
    /// Bytes read from clients and peers.
    pub bytes_in: u64,
    /// Bytes written to them.
    pub bytes_out: u64,
}

impl Traffic {
    pub(super) fn since(self, before: Traffic) -> Traffic {
        Traffic {
            requests: self.requests.saturating_sub(before.requests),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
        }
    }

    /// Of so much that came and went in this time, what did in a second.
    pub(super) fn per_second(self, us: u64) -> Traffic {
        let per_second = |count: u64| (u128::from(count) * 1_000_000 / u128::from(us)) as u64;
        let Traffic { requests, bytes_in, bytes_out } = self;
        Traffic { requests: per_second(requests), bytes_in: per_second(bytes_in), bytes_out: per_second(bytes_out) }
    }
}

/// One turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Its number among all since the start.
    pub number: u64,
    /// The wall clock when it began.
    pub unix_ms: u64,
    /// What it did for clients and peers.
    pub traffic: Traffic,
    /// How much of it the thread had no processor; known of long ones.
    pub off_cpu_us: u64,
    pub(super) phases_us: [u64; PHASES],
}

impl Tick {
    /// How long it took.
    pub fn us(&self) -> u64 {
        self.phases_us.iter().sum()
    }

    /// How much of that a phase was.
    pub fn phase_us(&self, phase: Phase) -> u64 {
        self.phases_us[phase as usize]
    }

    /// The phase that was most of it.
    pub fn longest_phase(&self) -> Phase {
        Phase::ALL.into_iter().max_by_key(|&phase| self.phase_us(phase)).expect("there are phases")
    }
}
