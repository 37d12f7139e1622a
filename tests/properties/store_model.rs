//! The store against a map: sets, deletions, clock steps, snapshots in slices, crashes and new lives.
//!
//! The model knows of each key its last change. The file is what a data file would hold: rows by slot, and what was
//! recorded beside them. What each commit left in it must be the model at exactly that position.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::for_all;
use crate::life::Life;

/// All that is new, in one slice.
const SAVE_ALL: Step = Step::Save { rows: usize::MAX, bytes: usize::MAX, retired: usize::MAX };

#[derive(Clone, Debug)]
pub enum Step {
    Set {
        key: usize,
        bytes: usize,
    },
    SetExpiring {
        key: usize,
        bytes: usize,
        expiry_ms: u64,
    },
    /// The store is told that it is that time.
    PassTo {
        unix_ms: u64,
    },
    Expire {
        max: usize,
    },
    Flush,
    /// Free all that is flushed, unless a snapshot is under way to a fixed target.
    Sweep,
    Delete {
        key: usize,
    },
    /// So many keys, one after the other: enough of these fill a segment of the change list.
    SetMany {
        first: usize,
        count: usize,
        bytes: usize,
    },
    DeleteMany {
        first: usize,
        count: usize,
    },
    /// The wall clock is put there.
    ClockTo {
        unix_ms: u64,
    },
    /// Forget deletions that are in the file.
    Collect {
        looks: usize,
    },
    /// A slice of a snapshot; the last one commits.
    Save {
        rows: usize,
        bytes: usize,
        retired: usize,
    },
    /// The snapshot goes up to the present end and no further.
    FixTarget,
    /// The file takes nothing of the open transaction.
    SaveFails,
    /// Only what was committed is there afterwards.
    Crash {
        unix_ms: u64,
        rows_turned: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0_usize..40;
    let bytes = || prop_oneof![4 => 0_usize..40, 2 => 0_usize..400, 1 => 0_usize..5_000];
    let unix_ms = || prop_oneof![3 => 1_000_000_u64..1_020_000, 1 => 0_u64..100_000_000];
    prop_oneof![
        16 => (key(), bytes()).prop_map(|(key, bytes)| Step::Set { key, bytes }),
        8 => (key(), bytes(), 0_u64..100)
            .prop_map(|(key, bytes, expiry_ms)| Step::SetExpiring { key, bytes, expiry_ms }),
        3 => (0_u64..100).prop_map(|unix_ms| Step::PassTo { unix_ms }),
        4 => (0_usize..8).prop_map(|max| Step::Expire { max }),
        1 => Just(Step::Flush),
        2 => Just(Step::Sweep),
        8 => key().prop_map(|key| Step::Delete { key }),
        2 => (0_usize..600, 1_usize..900, 0_usize..30)
            .prop_map(|(first, count, bytes)| Step::SetMany { first, count, bytes }),
        1 => (0_usize..600, 1_usize..900).prop_map(|(first, count)| Step::DeleteMany { first, count }),
        3 => unix_ms().prop_map(|unix_ms| Step::ClockTo { unix_ms }),
        4 => (1_usize..30).prop_map(|looks| Step::Collect { looks }),
        14 => (1_usize..12, 1_usize..3_000, 0_usize..10)
            .prop_map(|(rows, bytes, retired)| Step::Save { rows, bytes, retired }),
        6 => Just(SAVE_ALL),
        4 => Just(Step::FixTarget),
        1 => Just(Step::SaveFails),
        2 => (unix_ms(), any::<bool>()).prop_map(|(unix_ms, rows_turned)| Step::Crash { unix_ms, rows_turned }),
    ]
}

#[test]
fn the_store_does_what_a_map_does_through_snapshots_crashes_and_clock_steps() {
    for_all(300, vec(step(), 1..120), |steps| play(0, steps));
}

#[test]
fn a_limit_on_memory_refuses_what_is_above_it_and_changes_nothing() {
    for_all(150, (500_usize..20_000, vec(step(), 1..80)), |(limit, steps)| play(limit, steps));
}

#[test]
fn a_ceiling_recorded_after_the_wall_clock_stepped_back_still_covers_what_was_reserved_before() {
    play(
        0,
        [
            Step::Crash { unix_ms: 1_030_000, rows_turned: false },
            Step::ClockTo { unix_ms: 1_000_000 },
            SAVE_ALL,
            Step::ClockTo { unix_ms: 1_044_000 },
            Step::Set { key: 0, bytes: 1 },
            Step::Crash { unix_ms: 1_000_000, rows_turned: false },
            Step::Set { key: 0, bytes: 1 },
        ],
    );
}

#[test]
fn a_deletion_whose_row_a_failed_snapshot_was_to_take_out_brings_no_value_back() {
    let deleted_again = [set(5), SAVE_ALL, delete(5), SAVE_ALL, collect(), set(9), SAVE_ALL];
    let next_life = [Step::Crash { unix_ms: 2_000_000, rows_turned: false }, collect(), SAVE_ALL];
    play(0, rows_left_behind().into_iter().chain(deleted_again).chain(next_life));
}

#[test]
fn of_two_rows_with_one_key_the_newer_is_recovered_in_whatever_order_they_are_read() {
    for rows_turned in [false, true] {
        let next_life = [set(5), SAVE_ALL, Step::Crash { unix_ms: 2_000_000, rows_turned }, SAVE_ALL];
        play(0, rows_left_behind().into_iter().chain(next_life));
    }
}

#[test]
fn many_keys_deleted_and_set_again_in_a_second_life_fill_and_squeeze_many_segments() {
    let many = |first, bytes| Step::SetMany { first, count: 900, bytes };
    let round = [
        many(0, 20),
        many(600, 8),
        SAVE_ALL,
        Step::DeleteMany { first: 300, count: 900 },
        many(0, 20),
        Step::FixTarget,
        many(500, 21),
        Step::Save { rows: 100, bytes: 10_000, retired: 5 },
        Step::FixTarget,
        many(100, 22),
        SAVE_ALL,
        SAVE_ALL,
        Step::Collect { looks: 2_000 },
        many(900, 5),
        SAVE_ALL,
        Step::Crash { unix_ms: 5, rows_turned: true },
    ];
    let rounds = std::iter::repeat_n(round, 5).flatten();
    play(0, rounds);
}

/// Keys 0 and 5 are deleted and forgotten, but their rows are still in the file, because the snapshot that was to take
/// them out failed. When one of the keys is set again, it gets the other's slot, so that two rows have its name.
fn rows_left_behind() -> Vec<Step> {
    let failed = [set(7), set(8), Step::Save { rows: 1, bytes: 1, retired: 9 }, Step::SaveFails];
    [set(0), set(5), delete(0), delete(5), SAVE_ALL, collect()].into_iter().chain(failed).collect()
}

fn set(key: usize) -> Step {
    Step::Set { key, bytes: 1 }
}

fn delete(key: usize) -> Step {
    Step::Delete { key }
}

fn collect() -> Step {
    Step::Collect { looks: 9 }
}

fn play(bytes_max: usize, steps: impl IntoIterator<Item = Step>) {
    let mut life = Life::begin(bytes_max);
    for (number, step) in steps.into_iter().enumerate() {
        life.go(step);
        life.check(number);
    }
}
