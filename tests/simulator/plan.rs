//! What a run is made of: how many nodes, what they are told, and which faults come how often. Drawn from the seed.

use fastrand::Rng;
use kvstoreapp::replica::Durability;

pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000 * MS;

/// Of a source of its own, so that runs within one database stay what they are.
const SEVERAL_DATABASES: u64 = 0xda_7a_ba_5e;

/// Every kind of fault is on or off, with a strength of its own. A pause of 0 is "never".
#[derive(Clone, Debug)]
pub struct Plan {
    pub nodes: usize,
    pub keys: u64,
    pub durability: Durability,
    pub snapshot_interval_ms: u64,
    pub tombstones_max: usize,
    /// How long faults come, before all is healed.
    pub length_us: u64,
    /// Mean pause between two requests of a node's client, and the share of deletions in 100.
    pub request_us: u64,
    pub deletions: u64,
    /// The share of further writes that expire, in 100, and how long they last.
    pub expiring: u64,
    pub lasts_ms: std::ops::Range<u64>,
    /// The share of flushes, in 1,000.
    pub flushes: u64,
    /// Databases that are written into, each with a number far from the next one's.
    pub databases: u64,
    /// The share of requests with several keys, in 100.
    pub together: u64,
    /// The share of values too large to go with their change, in 100.
    pub large: u64,
    /// One way of a packet: at least, and at most more.
    pub delay_us: u64,
    pub jitter_us: u64,
    /// Longest piece in which bytes arrive.
    pub piece_bytes: usize,
    /// Bytes that lie between two nodes before the sender has to wait.
    pub pipe_bytes: usize,
    /// Mean time between two such faults, over all nodes.
    pub cut_us: u64,
    pub one_way_cut_us: u64,
    pub reset_us: u64,
    pub crash_us: u64,
    pub stop_us: u64,
    pub wipe_us: u64,
    pub roll_back_us: u64,
    pub clock_step_us: u64,
    pub disk_failure_us: u64,
    pub freeze_us: u64,
    /// How long a cut, a node that is down and a failing disk last, at most.
    pub outage_us: u64,
    /// Longest time the disk takes for a piece of work.
    pub disk_us: u64,
    /// Parts per million by which clocks run differently.
    pub drift_ppm: i64,
    /// Whether clock steps are of hours, and not of seconds.
    pub long_steps: bool,
    /// Whether the last node is not in the others' list at first.
    pub appended: bool,
    /// Whether only a majority survives, and whether the dead are then taken out of the list.
    pub majority: bool,
    pub removed: bool,
    /// Whether each node's client keeps to keys of its own.
    pub own_keys: bool,
}

/// What is done about the cluster's secret, by its operator and by strangers: in runs of their own.
#[derive(Clone, Debug)]
pub struct SecrecyPlan {
    /// Mean time between two steps of exchanging it, each at one node.
    pub exchange_us: u64,
    /// Mean time between two times that a node is told a wrong one.
    pub mistake_us: u64,
    /// Mean time between two strangers that dial.
    pub stranger_us: u64,
    /// The share of dials that a stranger answers, in 100, and of those that somebody stands in the middle of.
    pub impostors: u64,
    pub middle: u64,
}

impl SecrecyPlan {
    pub fn draw(random: &mut Rng) -> SecrecyPlan {
        SecrecyPlan {
            exchange_us: *random.choice(&[0, 20 * MS, 200 * MS]).expect("there are some"),
            mistake_us: *random.choice(&[0, 0, 300 * MS]).expect("there are some"),
            stranger_us: *random.choice(&[5 * MS, 50 * MS]).expect("there are some"),
            impostors: *random.choice(&[0, 10, 50]).expect("there are some"),
            middle: *random.choice(&[0, 10, 50]).expect("there are some"),
        }
    }
}

impl Plan {
    pub fn draw(random: &mut Rng) -> Plan {
        let nodes = *random.choice(&[2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 5, 7]).expect("there are some");
        // Two of three kinds of fault are off, so that each is also seen alone.
        let length_us = random.u64(200..2_000) * MS;
        // Of a source of its own, so that runs without them stay what they are.
        let mut expiring = Rng::with_seed(random.get_seed() ^ 0xe8_91_4e);
        let mut orderly = Rng::with_seed(random.get_seed() ^ 0x0d_e7_13);
        let mut several = Rng::with_seed(random.get_seed() ^ SEVERAL_DATABASES);
        let lasts_ms = [1..50, 100..2_000, 1_000..20_000];
        let often = |random: &mut Rng, usual_us: u64| {
            if random.u8(0..3) == 0 { usual_us * random.u64(30..300) / 100 } else { 0 }
        };
        Plan {
            nodes,
            keys: random.u64(1..40),
            durability: if random.u8(0..4) == 0 { Durability::Commit } else { Durability::Interval },
            snapshot_interval_ms: *random.choice(&[10, 50, 50, 200, 1_000]).expect("there are some"),
            tombstones_max: if random.u8(0..12) == 0 { 3 } else { 1_000_000 },
            length_us,
            request_us: *random.choice(&[4 * MS, 10 * MS, 40 * MS]).expect("there are some"),
            deletions: *random.choice(&[0, 20, 60]).expect("there are some"),
            expiring: *expiring.choice(&[0, 0, 0, 10, 50]).expect("there are some"),
            lasts_ms: expiring.choice(lasts_ms).expect("there are some"),
            flushes: *expiring.choice(&[0, 0, 0, 5, 50]).expect("there are some"),
            databases: *several.choice(&[1, 1, 2, 4]).expect("there are some"),
            together: *expiring.choice(&[0, 0, 10, 40]).expect("there are some"),
            large: *expiring.choice(&[0, 0, 5, 50]).expect("there are some"),
            delay_us: random.u64(20..5 * MS),
            jitter_us: *random.choice(&[1, MS, 30 * MS]).expect("there are some"),
            piece_bytes: *random.choice(&[20, 300, 16 << 10]).expect("there are some"),
            pipe_bytes: *random.choice(&[1 << 10, 8 << 10, 1 << 20]).expect("there are some"),
            cut_us: often(random, SECOND / 6),
            one_way_cut_us: often(random, SECOND / 6),
            reset_us: often(random, SECOND / 8),
            crash_us: often(random, SECOND / 6),
            stop_us: if orderly.u8(0..5) == 0 { SECOND / 6 } else { 0 },
            wipe_us: often(random, SECOND / 2),
            roll_back_us: often(random, SECOND / 2),
            clock_step_us: often(random, SECOND / 2),
            disk_failure_us: often(random, SECOND / 2),
            freeze_us: often(random, SECOND / 2),
            outage_us: *random.choice(&[50 * MS, 400 * MS, 6 * SECOND]).expect("there are some"),
            disk_us: *random.choice(&[100, 5 * MS, 100 * MS]).expect("there are some"),
            drift_ppm: *random.choice(&[0, 100, 20_000]).expect("there are some"),
            long_steps: random.u8(0..8) == 0,
            // Of two nodes the first is alone before.
            appended: (nodes > 2 && random.u8(0..6) == 0) || (nodes == 2 && orderly.u8(0..3) == 0),
            majority: random.u8(0..3) == 0,
            removed: random.bool(),
            own_keys: random.u8(0..4) == 0,
        }
    }

    /// A mesh in which nothing goes wrong.
    pub fn healthy(random: &mut Rng) -> Plan {
        Plan {
            cut_us: 0,
            one_way_cut_us: 0,
            reset_us: 0,
            crash_us: 0,
            stop_us: 0,
            wipe_us: 0,
            roll_back_us: 0,
            clock_step_us: 0,
            disk_failure_us: 0,
            freeze_us: 0,
            drift_ppm: 0,
            pipe_bytes: 1 << 20,
            disk_us: 100,
            appended: false,
            majority: false,
            tombstones_max: 1_000_000,
            // Longer than an acknowledgement takes: a deletion whose write is not known to be there is sent.
            lasts_ms: 1_000..3_000,
            ..Plan::draw(random)
        }
    }

    /// Keys may expire on one node by more than the allowed drift before they do on another.
    pub fn expires_askew(&self) -> bool {
        self.expiring > 0 && self.long_steps && self.clock_step_us > 0
    }

    /// Old values may come back with a disk, and a node that was no member yet knows nothing of deletions that all
    /// others have forgotten since: what was deleted may be alive for some time.
    pub fn forgets(&self) -> bool {
        self.wipe_us > 0 || self.roll_back_us > 0 || self.tombstones_max < 1_000 || self.appended
    }
}
