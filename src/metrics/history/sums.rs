//! What points are made of.

/// What was counted since the start, or since counts began anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Commands that look at keys.
    pub reads: u64,
    /// Commands that change some.
    pub writes: u64,
    /// All others.
    pub others: u64,
    /// `GET`s of a key with a value.
    pub hits: u64,
    /// `GET`s of a key without.
    pub misses: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Time without a processor, as far as it is known.
    pub off_cpu_us: u64,
}

impl Sums {
    /// By how much they have risen.
    pub(super) fn since(&self, before: &Sums) -> Sums {
        Sums {
            reads: self.reads.saturating_sub(before.reads),
            writes: self.writes.saturating_sub(before.writes),
            others: self.others.saturating_sub(before.others),
            hits: self.hits.saturating_sub(before.hits),
            misses: self.misses.saturating_sub(before.misses),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
            off_cpu_us: self.off_cpu_us.saturating_sub(before.off_cpu_us),
        }
    }

    /// So much more was counted.
    pub(super) fn add(&mut self, more: &Sums) {
        self.reads += more.reads;
        self.writes += more.writes;
        self.others += more.others;
        self.hits += more.hits;
        self.misses += more.misses;
        self.bytes_in += more.bytes_in;
        self.bytes_out += more.bytes_out;
        self.off_cpu_us += more.off_cpu_us;
    }
}
