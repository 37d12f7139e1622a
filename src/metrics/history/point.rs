//! How the node was in one step of time.

use super::sums::Sums;
use crate::metrics::durations::Durations;

/// Peers whose lag is kept: of more nodes than anybody has put into a list so far.
pub const LAGS: usize = 16;
/// A lag that is not known.
pub const NO_LAG: u32 = u32::MAX;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    counts: [u32; 6],
    tick_us: [u32; 3],
    off_cpu_us: u32,
    snapshot_age_ms: u32,
    memory_bytes: u64,
    bytes_in: u64,
    bytes_out: u64,
    pub(super) lags: [u32; LAGS],
}

/// A figure of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Commands that look at keys.
    Reads,
    /// Commands that change some.
    Writes,
    /// All others.
    Others,
    /// `GET`s of a key with a value.
    Hits,
    /// `GET`s of a key without.
    Misses,
    /// Conflicts.
    Conflicts,
    /// How long half of the turns took at most.
    TickP50,
    /// ... 99 of 100.
    TickP99,
    /// ... all.
    TickMax,
    /// Time without a processor, as far as it is known.
    OffCpu,
    /// Memory of all entries.
    Memory,
    /// Bytes read.
    BytesIn,
    /// Bytes written.
    BytesOut,
    /// Time since the last snapshot was on disk.
    SnapshotAge,
    /// The lag of the peer in this place.
    Lag(usize),
}

impl Column {
    /// All that every node has.
    pub const ALL: [Column; 14] = [
        Column::Reads,
        Column::Writes,
        Column::Others,
        Column::Hits,
        Column::Misses,
        Column::TickP50,
        Column::TickP99,
        Column::TickMax,
        Column::OffCpu,
        Column::Memory,
        Column::BytesIn,
        Column::BytesOut,
        Column::SnapshotAge,
        Column::Conflicts,
    ];

    /// What it is called; of a lag, how its name begins.
    pub fn name(self) -> &'static str {
        match self {
            Column::Reads => "reads",
            Column::Writes => "writes",
            Column::Others => "others",
            Column::Hits => "hits",
            Column::Misses => "misses",
            Column::Conflicts => "conflicts",
            Column::TickP50 => "tick_us_p50",
            Column::TickP99 => "tick_us_p99",
            Column::TickMax => "tick_us_max",
            Column::OffCpu => "off_cpu_us",
            Column::Memory => "memory_bytes",
            Column::BytesIn => "bytes_in",
            Column::BytesOut => "bytes_out",
            Column::SnapshotAge => "snapshot_age_ms",
            Column::Lag(_) => "lag_ms_",
        }
    }
}

impl Point {
    /// Nothing has happened.
    pub(super) fn still(memory_bytes: u64, snapshot_age_ms: u64, lags: [u32; LAGS]) -> Point {
        Point {
            counts: [0; 6],
            tick_us: [0; 3],
            off_cpu_us: 0,
            snapshot_age_ms: short(snapshot_age_ms),
            memory_bytes,
            bytes_in: 0,
            bytes_out: 0,
            lags,
        }
    }

    /// This was counted, and the turns took so long.
    pub(super) fn with(self, sums: &Sums, conflicts: u64, turns: &Durations) -> Point {
        let Sums { reads, writes, others, hits, misses, bytes_in, bytes_out, off_cpu_us } = *sums;
        let counts = [reads, writes, others, hits, misses, conflicts].map(short);
        Point { counts, bytes_in, bytes_out, off_cpu_us: short(off_cpu_us), ..self }.with_turns(turns)
    }

    /// All turns took so long.
    pub(super) fn with_turns(self, turns: &Durations) -> Point {
        Point { tick_us: [turns.at_most(500), turns.at_most(990), turns.longest()].map(short), ..self }
    }

    /// What follows it, too. How long turns took is known of none of both any more but for the longest.
    pub(super) fn and(&self, next: &Point) -> Point {
        let mut lags = next.lags;
        for (lag, before) in lags.iter_mut().zip(self.lags).filter(|(_, before)| *before != NO_LAG) {
            *lag = if *lag == NO_LAG { before } else { (*lag).max(before) };
        }
        let mut counts = self.counts;
        counts.iter_mut().zip(next.counts).for_each(|(count, more)| *count = count.saturating_add(more));
        Point {
            counts,
            tick_us: [0, 0, self.tick_us[2].max(next.tick_us[2])],
            off_cpu_us: self.off_cpu_us.saturating_add(next.off_cpu_us),
            bytes_in: self.bytes_in + next.bytes_in,
            bytes_out: self.bytes_out + next.bytes_out,
            lags,
            ..*next
        }
    }

    /// One of its figures; `None`: it is not known.
    pub fn figure(&self, column: Column) -> Option<u64> {
        let [reads, writes, others, hits, misses, conflicts] = self.counts;
        let [p50, p99, longest] = self.tick_us;
        Some(match column {
            Column::Reads => reads.into(),
            Column::Writes => writes.into(),
            Column::Others => others.into(),
            Column::Hits => hits.into(),
            Column::Misses => misses.into(),
            Column::Conflicts => conflicts.into(),
            Column::TickP50 => p50.into(),
            Column::TickP99 => p99.into(),
            Column::TickMax => longest.into(),
            Column::OffCpu => self.off_cpu_us.into(),
            Column::Memory => self.memory_bytes,
            Column::BytesIn => self.bytes_in,
            Column::BytesOut => self.bytes_out,
            Column::SnapshotAge => self.snapshot_age_ms.into(),
            Column::Lag(place) => return self.lags.get(place).filter(|&&lag| lag != NO_LAG).map(|&lag| lag.into()),
        })
    }
}

/// As much of it as fits.
fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
