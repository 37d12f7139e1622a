//! The last points of a row, each by its number.

use std::ops::Range;

use super::point::{NO_LAG, Point};

/// The last `MAX` points, or gaps. Each keeps its number for as long as it is there. Memory is taken as it fills.
#[derive(Debug, Default)]
pub struct Ring<const MAX: usize> {
    /// Invariant: the one of number `n` lies at `n % MAX`.
    points: Vec<Option<Point>>,
    /// Points that ever were.
    count: u64,
    unix_ms: u64,
}

impl<const MAX: usize> Ring<MAX> {
    /// One more, which ends at this time; `None`: a gap.
    pub(super) fn push(&mut self, point: Option<Point>, unix_ms: u64) {
        if self.points.capacity() == 0 {
            self.points.reserve_exact(MAX);
        }
        let place = (self.count % MAX as u64) as usize;
        match self.points.get_mut(place) {
            Some(oldest) => *oldest = point,
            None => self.points.push(point),
        }
        self.count += 1;
        self.unix_ms = unix_ms;
    }

    /// Nobody knows the lag in this place.
    pub(super) fn forget_lag(&mut self, place: usize) {
        self.points.iter_mut().flatten().for_each(|point| point.lags[place] = NO_LAG);
    }

    /// The numbers of those that are there, the oldest first.
    pub fn numbers(&self) -> Range<u64> {
        self.count - self.points.len() as u64..self.count
    }

    /// The point with this number; `None`: a gap, or it is not there any more.
    pub fn get(&self, number: u64) -> Option<&Point> {
        if !self.numbers().contains(&number) {
            return None;
        }
        self.points[(number % MAX as u64) as usize].as_ref()
    }

    /// The wall clock at the end of the last one; 0: there is none.
    pub fn unix_ms(&self) -> u64 {
        self.unix_ms
    }

    /// Memory that is held.
    pub fn bytes(&self) -> usize {
        self.points.capacity() * size_of::<Option<Point>>()
    }
}
