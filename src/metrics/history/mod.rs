//! How the node was: a point for each second of the last quarter of an hour, and one for each ten of six hours.
//!
//! Nothing is counted for it. Once a second somebody says what all counts have come to, and a point is by how much they
//! have risen; so it costs a request nothing, and a tick one look at the time. How long turns took is told apart in the
//! same way: two histograms, one as of a second ago, differ by that second.
//!
//! A second in which the process did not run, as it was stopped or its machine suspended, is a gap. What tells it apart
//! from one in which there was nothing to do is that somebody wanted to note it and could not: the loop wakes for each.
//! A machine that is suspended stops the monotonic clock, too; then the wall clock is ahead of it.
//!
//! All of it has a fixed size whatever the cluster's: of more than [`LAGS`] peers the first have a column.
//!
//! - here: when a point is due, and what is in it
//! - [`point`]: one, and what each of its figures is called; [`ring`]: the last ones; [`sums`]: what they are made of

pub mod point;
pub mod ring;
pub mod sums;

use point::{Column, LAGS, NO_LAG, Point};
use ring::Ring;
use sums::Sums;

use super::durations::Durations;
use crate::store::{NodeId, Now};

const SECOND_US: u64 = 1_000_000;
/// A quarter of an hour of seconds.
const SECONDS: usize = 15 * 60;
/// Six hours of ten seconds.
const TENS: usize = 6 * 60 * 6;
const SECONDS_PER_TEN: u64 = 10;
/// A wall clock that goes ahead by more while the other does not was left alone by a machine that was suspended; less is
/// a clock that is set right.
const SUSPENDED_MS_MIN: u64 = 2_000;

/// How the node is at the end of a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    /// Memory of all entries.
    pub memory_bytes: u64,
    /// Time since the last snapshot was on disk.
    pub snapshot_age_ms: u64,
    /// Conflicts since the start: `CONFIG RESETSTAT` does not touch them.
    pub conflicts: u64,
    /// Up to when the process is known to have run.
    pub ran_until_us: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct History {
    /// When the second under way is over; 0: none is.
    due_us: u64,
    /// The time of the last note.
    noted: (u64, u64),
    /// All counts at the end of the second before.
    before: Sums,
    ticks_before: Durations,
    conflicts_before: u64,
    /// What the second under way has from before counts began anew.
    carried: Sums,
    ticks_carried: Durations,
    seconds: Ring<SECONDS>,
    tens: Ring<TENS>,
    /// The ten seconds under way: how many are over, what they had, and their turns.
    ten: (u64, Option<Point>),
    ten_ticks: Durations,
    /// Whose lag is in which place of a point.
    lag_ids: [Option<NodeId>; LAGS],
}

impl History {
    /// Whether a second is over that is to be noted.
    #[inline]
    pub fn is_due(&self, monotonic_us: u64) -> bool {
        monotonic_us >= self.due_us
    }

    /// When the next one is, in monotonic microseconds.
    pub fn due_us(&self) -> u64 {
        self.due_us
    }

    /// A second is over, or more. All counts have come to `sums`; `ticks` are all turns, and `longest_us` is the longest
    /// of those since the last call. `lags` are those of all peers.
    pub fn note(
        &mut self,
        now: Now,
        sums: &Sums,
        (ticks, longest_us): (&Durations, u64),
        gauges: Gauges,
        lags: impl Iterator<Item = (NodeId, Option<u64>)>,
    ) {
        let noted = std::mem::replace(&mut self.noted, (now.monotonic_us, now.unix_ms));
        if self.due_us == 0 {
            self.due_us = now.monotonic_us + SECOND_US;
            (self.before, self.conflicts_before) = (*sums, gauges.conflicts);
            return;
        }
        self.carry(sums, ticks);
        (self.before, self.ticks_before) = (*sums, ticks.clone());
        let (carried, mut turns) = (std::mem::take(&mut self.carried), std::mem::take(&mut self.ticks_carried));
        turns.cut_to(longest_us);
        let conflicts_before = std::mem::replace(&mut self.conflicts_before, gauges.conflicts);
        let conflicts = gauges.conflicts.saturating_sub(conflicts_before);
        let still = Point::still(gauges.memory_bytes, gauges.snapshot_age_ms, self.lags(lags));
        let after_us = now.monotonic_us - self.due_us;
        let (end_us, others) = (self.due_us, after_us / SECOND_US);
        self.due_us += (1 + others) * SECOND_US;
        let unix_ms = now.unix_ms.saturating_sub(after_us % SECOND_US / 1_000);
        self.push(Some(still.with(&carried, conflicts, &turns)), &turns, unix_ms);
        // Time that the wall clock alone has seen.
        let passed_ms = (now.monotonic_us - noted.0) / 1_000;
        let jumped_ms = now.unix_ms.saturating_sub(noted.1).saturating_sub(passed_ms);
        if jumped_ms >= SUSPENDED_MS_MIN {
            self.skip(jumped_ms / 1_000, unix_ms);
        }
        // A turn that took longer than a second was a turn all the same.
        let ran = gauges.ran_until_us.saturating_sub(end_us).div_ceil(SECOND_US).min(others);
        (0..ran).for_each(|_| self.push(Some(still), &Durations::default(), unix_ms));
        self.skip(others - ran, unix_ms);
    }

    /// Counts are about to begin anew: what they have come to since the last note is kept.
    pub fn carry(&mut self, sums: &Sums, ticks: &Durations) {
        self.carried.add(&sums.since(&self.before));
        self.ticks_carried.add_since(ticks, &self.ticks_before);
        (self.before, self.ticks_before) = (Sums::default(), Durations::default());
    }

    /// The columns that there are, in the order in which they are told.
    pub fn columns(&self) -> impl Iterator<Item = (Column, Option<NodeId>)> + '_ {
        let lags = self.lag_ids.iter().enumerate();
        let lags = lags.filter_map(|(place, id)| Some((Column::Lag(place), Some((*id)?))));
        Column::ALL.into_iter().map(|column| (column, None)).chain(lags)
    }

    /// The points a second apart.
    pub fn seconds(&self) -> &Ring<SECONDS> {
        &self.seconds
    }

    /// The points ten seconds apart.
    pub fn tens(&self) -> &Ring<TENS> {
        &self.tens
    }

    /// Memory that it may come to hold.
    pub fn bytes_max() -> usize {
        size_of::<History>() + (SECONDS + TENS) * size_of::<Option<Point>>()
    }

    fn push(&mut self, point: Option<Point>, turns: &Durations, unix_ms: u64) {
        self.seconds.push(point, unix_ms);
        self.ten_ticks.add(turns);
        let (count, sum) = &mut self.ten;
        *count += 1;
        *sum = match (*sum, point) {
            (Some(sum), Some(point)) => Some(sum.and(&point)),
            (sum, point) => point.or(sum),
        };
        if *count == SECONDS_PER_TEN {
            let turns = std::mem::take(&mut self.ten_ticks);
            let (_, sum) = std::mem::take(&mut self.ten);
            self.tens.push(sum.map(|sum| sum.with_turns(&turns)), unix_ms);
        }
    }

    /// So many seconds of which nothing is known.
    fn skip(&mut self, count: u64, unix_ms: u64) {
        // More than all there are would show no other picture.
        let count = count.min(SECONDS_PER_TEN * TENS as u64);
        let begun = (SECONDS_PER_TEN - self.ten.0) % SECONDS_PER_TEN;
        let begun = begun.min(count);
        (0..begun).for_each(|_| self.push(None, &Durations::default(), unix_ms));
        let (tens, rest) = ((count - begun) / SECONDS_PER_TEN, (count - begun) % SECONDS_PER_TEN);
        (0..tens).for_each(|_| self.tens.push(None, unix_ms));
        (0..(tens * SECONDS_PER_TEN).min(SECONDS as u64)).for_each(|_| self.seconds.push(None, unix_ms));
        (0..rest).for_each(|_| self.push(None, &Durations::default(), unix_ms));
    }

    /// The lags of peers, each in its place.
    fn lags(&mut self, lags: impl Iterator<Item = (NodeId, Option<u64>)>) -> [u32; LAGS] {
        let mut found = [NO_LAG; LAGS];
        let mut is_there = [false; LAGS];
        for (id, lag_ms) in lags {
            let Some(place) = self.place(id) else { continue };
            is_there[place] = true;
            found[place] = lag_ms.map_or(NO_LAG, |ms| u32::try_from(ms).unwrap_or(NO_LAG - 1));
        }
        // Who is no peer any more makes room.
        for (id, _) in self.lag_ids.iter_mut().zip(is_there).filter(|(_, is_there)| !is_there) {
            *id = None;
        }
        found
    }

    /// The place of a peer; a new one's has nothing of whoever had it before.
    fn place(&mut self, id: NodeId) -> Option<usize> {
        if let Some(place) = self.lag_ids.iter().position(|known| *known == Some(id)) {
            return Some(place);
        }
        let place = self.lag_ids.iter().position(Option::is_none)?;
        self.lag_ids[place] = Some(id);
        self.seconds.forget_lag(place);
        self.tens.forget_lag(place);
        if let Some(sum) = &mut self.ten.1 {
            sum.lags[place] = NO_LAG;
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests;
