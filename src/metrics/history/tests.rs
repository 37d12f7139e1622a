//! What history says of seconds with much, with nothing, and of those that nobody saw.

use super::super::longest::Longest;
use super::*;

const START: Now = Now { monotonic_us: 5_000_000, unix_ms: 1_700_000_000_000 };

fn at(ms: u64) -> Now {
    Now { monotonic_us: START.monotonic_us + ms * 1_000, unix_ms: START.unix_ms + ms }
}

/// A node's counts, and what becomes of them.
struct Place {
    history: History,
    sums: Sums,
    ticks: Durations,
    longest_us: u64,
    gauges: Gauges,
}

impl Place {
    fn new() -> Place {
        let (history, ticks) = (History::default(), Durations::default());
        let gauges = Gauges { memory_bytes: 100, ..Gauges::default() };
        let mut place = Place { history, sums: Sums::default(), ticks, longest_us: 0, gauges };
        assert!(place.history.is_due(START.monotonic_us), "a node that begins has yet to begin its history");
        place.note(START);
        place
    }

    /// So many reads, in a turn of that length.
    fn read(&mut self, count: u64, us: u64) {
        self.sums.reads += count;
        self.ticks.note(us);
        self.longest_us = self.longest_us.max(us);
    }

    fn note(&mut self, now: Now) {
        let longest_us = std::mem::take(&mut self.longest_us);
        let lags = [(1, Some(7)), (2, None)].into_iter();
        self.history.note(now, &self.sums, (&self.ticks, longest_us), self.gauges, lags);
    }

    fn seconds(&self, column: Column) -> Vec<Option<u64>> {
        let ring = self.history.seconds();
        ring.numbers().map(|number| ring.get(number).and_then(|point| point.figure(column))).collect()
    }

    fn tens(&self, column: Column) -> Vec<Option<u64>> {
        let ring = self.history.tens();
        ring.numbers().map(|number| ring.get(number).and_then(|point| point.figure(column))).collect()
    }
}

#[test]
fn a_point_is_by_how_much_counts_have_risen_in_its_second() {
    let mut place = Place::new();
    for second in 1..=25 {
        place.read(second, 10 * second);
        assert!(!place.history.is_due(at(1_000 * second - 1).monotonic_us));
        assert!(place.history.is_due(at(1_000 * second).monotonic_us));
        // The turn that notes it begins a little later.
        place.note(at(1_000 * second + 3));
    }
    assert_eq!(place.seconds(Column::Reads), (1..=25).map(Some).collect::<Vec<_>>());
    assert_eq!(place.seconds(Column::TickMax)[24], Some(250));
    assert_eq!(place.history.seconds().unix_ms(), START.unix_ms + 25_000);
    assert_eq!(place.tens(Column::Reads), [Some(55), Some(155)]);
    assert_eq!(place.tens(Column::TickMax), [Some(100), Some(200)]);
    let half = place.tens(Column::TickP50)[0].expect("it is known");
    assert!((50..=57).contains(&half), "half of 10, 20 to 100 us took at most {half}");
    assert_eq!(place.history.tens().unix_ms(), START.unix_ms + 20_000);
    assert_eq!((place.tens(Column::Memory)[1], place.tens(Column::Writes)[1]), (Some(100), Some(0)));
    let names: Vec<String> = place
        .history
        .columns()
        .map(|(column, peer)| peer.map_or(column.name().to_owned(), |id| format!("{}{id}", column.name())))
        .collect();
    assert_eq!(names[14..], ["lag_ms_1", "lag_ms_2"]);
    assert_eq!((place.tens(Column::Lag(0))[0], place.tens(Column::Lag(1))[0]), (Some(7), None));
}

#[test]
fn a_second_that_nobody_could_note_is_a_gap_and_a_long_turn_is_none() {
    let mut place = Place::new();
    place.read(5, 10);
    place.gauges.ran_until_us = at(600).monotonic_us;
    // Stopped from then on, for 12 s.
    place.note(at(12_600));
    let expected = [vec![Some(5)], vec![None; 11]].concat();
    assert_eq!(place.seconds(Column::Reads), expected);
    assert_eq!(place.tens(Column::Reads), [Some(5)]);
    place.note(at(13_000));
    assert_eq!(place.seconds(Column::Reads)[12..], [Some(0)]);
    // A turn of 3.5 s that has worked all the time.
    place.gauges.ran_until_us = at(17_000).monotonic_us;
    place.read(9, 3_500_000);
    place.note(at(17_010));
    assert_eq!(place.seconds(Column::Reads)[13..], [Some(9), Some(0), Some(0), Some(0)]);
    // A day.
    place.note(at(86_400_000));
    assert!(place.seconds(Column::Reads).iter().all(Option::is_none));
    assert_eq!(place.history.seconds().unix_ms(), START.unix_ms + 86_400_000);
    assert_eq!((place.seconds(Column::Reads).len(), place.tens(Column::Reads).len()), (900, 2_160));
}

#[test]
fn a_machine_that_was_suspended_leaves_a_gap_although_its_clock_stood_still() {
    let mut place = Place::new();
    place.read(5, 10);
    let woken = Now { unix_ms: at(1_000).unix_ms + 30_000, ..at(1_000) };
    place.note(woken);
    assert_eq!(place.seconds(Column::Reads), [vec![Some(5)], vec![None; 30]].concat());
    assert_eq!(place.history.seconds().unix_ms(), woken.unix_ms);
    // A clock that is set right by a second is none.
    let set = Now { unix_ms: woken.unix_ms + 2_000, ..at(2_000) };
    place.note(set);
    assert_eq!(place.seconds(Column::Reads)[31..], [Some(0)]);
}

#[test]
fn counts_that_begin_anew_make_no_rate_negative_and_lose_nothing() {
    let mut place = Place::new();
    place.read(70, 10);
    place.history.carry(&place.sums, &place.ticks);
    (place.sums, place.ticks) = (Sums::default(), Durations::default());
    place.read(3, 20);
    place.note(at(1_000));
    place.read(4, 20);
    place.note(at(2_000));
    assert_eq!(place.seconds(Column::Reads), [Some(73), Some(4)]);
    assert_eq!(place.seconds(Column::TickP50), [Some(10), Some(20)]);
}

#[test]
fn a_peer_that_takes_the_place_of_another_has_none_of_its_past() {
    let mut history = History::default();
    let mut note = |second: u64, ids: &[NodeId]| {
        let lags = ids.iter().map(|&id| (id, Some(u64::from(id))));
        history.note(at(1_000 * second), &Sums::default(), (&Durations::default(), 0), Gauges::default(), lags);
        let columns: Vec<_> = history.columns().filter_map(|(column, id)| Some((id?, column))).collect();
        let ring = history.seconds();
        let figures = |column| ring.numbers().map(move |number| ring.get(number)?.figure(column)).collect::<Vec<_>>();
        columns.into_iter().map(|(id, column)| (id, figures(column))).collect::<Vec<_>>()
    };
    note(0, &[]);
    assert_eq!(note(1, &[1, 2]), [(1, vec![Some(1)]), (2, vec![Some(2)])]);
    assert_eq!(note(2, &[2]), [(2, vec![Some(2), Some(2)])]);
    assert_eq!(note(3, &[2, 9]), [(9, vec![None, None, Some(9)]), (2, vec![Some(2); 3])]);
    // There are columns for so many, and no more.
    let many: Vec<NodeId> = (0..100).collect();
    assert_eq!(note(4, &many).len(), LAGS);
}

#[test]
fn all_of_it_has_less_than_512_kib_whatever_the_cluster() {
    let mut place = Place::new();
    for second in 1..30_000 {
        let lags = (0..100).map(|id| (id, Some(second)));
        place.read(1, 1);
        place.history.note(at(1_000 * second), &place.sums, (&place.ticks, 1), place.gauges, lags);
    }
    let held = size_of::<History>() + place.history.seconds().bytes() + place.history.tens().bytes();
    let bytes = held + Longest::bytes_max();
    assert_eq!(held, History::bytes_max());
    assert!(bytes < 512 << 10, "{bytes} bytes");
}
