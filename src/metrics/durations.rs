//! Many durations in little memory: how many there were of about which length.

/// Buckets in which a doubling is told apart: a duration is known to within an eighth.
const STEPS: u64 = 8;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// From here on all are taken for the same: more than an hour.
const US_MAX: u64 = u32::MAX as u64;
/// The last bucket of a histogram ends at 2^24 us, some 16 s.
const POWER_MAX: u32 = 24;
const BUCKETS: usize = (u32::BITS - STEP_BITS + 1) as usize * STEPS as usize;

/// A histogram of durations, its size fixed. They are in microseconds, unless whoever notes them has another unit.
#[derive(Clone, Debug)]
pub struct Durations {
    count: u64,
    sum: u64,
    longest: u64,
    buckets: [u64; BUCKETS],
}

impl Default for Durations {
    fn default() -> Durations {
        Durations { count: 0, sum: 0, longest: 0, buckets: [0; BUCKETS] }
    }
}

impl Durations {
    /// Counts one.
    pub fn note(&mut self, us: u64) {
        self.count += 1;
        self.sum += us;
        self.longest = self.longest.max(us);
        self.buckets[bucket(us)] += 1;
    }

    /// Counts those of another.
    pub fn add(&mut self, more: &Durations) {
        self.count += more.count;
        self.sum += more.sum;
        self.longest = self.longest.max(more.longest);
        self.buckets.iter_mut().zip(more.buckets).for_each(|(count, more)| *count += more);
    }

    /// Counts those that another has beyond what it had. The longest of them is not known: it is taken for the longest
    /// of all, unless [`Durations::cut_to`] says which it is.
    pub fn add_since(&mut self, later: &Durations, earlier: &Durations) {
        self.count += later.count.saturating_sub(earlier.count);
        self.sum += later.sum.saturating_sub(earlier.sum);
        self.longest = self.longest.max(later.longest);
        for (at, count) in self.buckets.iter_mut().enumerate() {
            *count += later.buckets[at].saturating_sub(earlier.buckets[at]);
        }
    }

    /// The longest of them was so long.
    pub fn cut_to(&mut self, longest: u64) {
        self.longest = longest;
    }

    /// How long the longest was.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long all were together.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// So many of a thousand took at most this long, to within an eighth; 0 where there are none.
    pub fn at_most(&self, per_mille: u64) -> u64 {
        let wanted = (self.count * per_mille).div_ceil(1000);
        let mut seen = 0;
        let reaches = |&count: &u64| {
            seen += count;
            seen >= wanted
        };
        self.buckets.iter().position(reaches).map_or(0, |bucket| ceiling_us(bucket).min(self.longest))
    }

    /// For each power of two from 1 us to 16 s how many took less: the buckets of a histogram, which are the same for
    /// ever. What took less than a whole number of microseconds was cut to fewer, so none is in the wrong one.
    pub fn below_each_power(&self) -> impl Iterator<Item = (u64, u64)> {
        let (mut from, mut below) = (0, 0);
        (0..=POWER_MAX).map(move |power| {
            let end = bucket_end(1 << power);
            below += self.buckets[from..end].iter().sum::<u64>();
            from = end;
            (1 << power, below)
        })
    }

    /// Powers of two, and how many took less, from the first that any did to the first that all did. A power at which
    /// there are no more than at the one before is left out.
    pub fn below_powers(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut told = 0;
        (0..=u32::BITS).filter_map(move |power| {
            let below = self.buckets[..bucket_end(1 << power)].iter().sum();
            let is_new = below > told;
            told = below;
            is_new.then_some((1 << power, below))
        })
    }
}

/// The first eight are exact; from there on each doubling has eight.
fn bucket(us: u64) -> usize {
    let us = us.min(US_MAX);
    if us < STEPS {
        return us as usize;
    }
    let shift = us.ilog2() - STEP_BITS;
    (u64::from(shift) * STEPS + (us >> shift)) as usize
}

/// The number of buckets with durations below a power of two.
fn bucket_end(power_us: u64) -> usize {
    if power_us > US_MAX { BUCKETS } else { bucket(power_us) }
}

/// The longest duration in a bucket.
fn ceiling_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    ((STEPS + bucket % STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_a_bucket_that_ends_at_most_an_eighth_above_it() {
        let around = (0..32).flat_map(|power| [(1_u64 << power) - 1, 1 << power, (1 << power) * 5 / 4 + 1]);
        for us in (0..5_000).chain(around) {
            let ceiling = ceiling_us(bucket(us));
            assert!((us..=us + us / 8).contains(&ceiling), "{us} is in a bucket that ends at {ceiling}");
            assert!(bucket(ceiling + 1) == bucket(us) + 1 || ceiling == US_MAX, "{us} shares its bucket with others");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn of_a_thousand_durations_the_longest_one_stands_out() {
        let mut durations = Durations::default();
        assert_eq!(durations.at_most(999), 0);
        (0..999).for_each(|_| durations.note(100));
        durations.note(5_000);
        assert_eq!((durations.at_most(500), durations.at_most(999)), (103, 103));
        assert_eq!(durations.at_most(1000), 5_000);
        assert_eq!((durations.count(), durations.sum()), (1_000, 104_900));
    }

    #[test]
    fn powers_of_two_say_how_many_took_less() {
        let mut durations = Durations::default();
        [0, 1, 3, 100, 127, 128, u64::MAX / 2].into_iter().for_each(|us| durations.note(us));
        let below: Vec<_> = durations.below_powers().collect();
        assert_eq!(below, [(1, 1), (2, 2), (4, 3), (128, 5), (256, 6), (1 << 32, 7)]);
        // Those of a histogram are always there, and what took longer is in none of them.
        let each: Vec<_> = durations.below_each_power().collect();
        assert_eq!((each.len(), each[0], each[24]), (25, (1, 1), (16_777_216, 6)));
        assert_eq!(each[1..9].iter().map(|(_, below)| *below).collect::<Vec<_>>(), [2, 3, 3, 3, 3, 3, 5, 6]);
    }
}
