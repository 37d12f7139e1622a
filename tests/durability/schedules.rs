//! The node without a process: its pieces of work for the data file are taken and given back by hand, as slowly and
//! with as many failures as a test wants, and every commit is compared with the state at its position.

use kvstoreapp::node::waiting::Cause;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::store::Stamp;

use crate::disk::Disk;
use crate::history::Random;
use crate::play::{Play, Setting};

#[test]
fn every_commit_is_the_state_at_its_position_while_writes_outrun_the_writer() {
    let mut play = Play::new(Setting::default());
    let mut random = Random::new(3);
    while play.disk.commits < 12 {
        play.write_some(&mut random, 8_000, 60_000);
        play.writer_takes_one();
    }
    assert!(play.targets_seen > 0, "the load was too small to outrun the writer");
    play.settle();
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn every_commit_is_the_state_at_its_position_while_the_writer_keeps_up() {
    let mut play = Play::new(Setting::default());
    let mut random = Random::new(4);
    while play.disk.commits < 100 {
        play.write_some(&mut random, 40, 300);
        play.writer_takes_one();
    }
    play.settle();
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn a_failure_at_any_step_costs_no_write() {
    let mut targets_seen = 0;
    for step in 0..60 {
        let mut play = Play::new(Setting::default());
        play.disk.failing = (step..=step + step % 3).collect();
        let mut random = Random::new(step);
        while play.disk.commits < 3 || !play.disk.failing.is_empty() {
            play.write_some(&mut random, 3_500, 12_000);
            play.writer_takes_one();
        }
        play.settle();
        play.disk.assert_restores_to(&play.model);
        targets_seen += play.targets_seen;
    }
    assert!(targets_seen > 0, "no snapshot with a target was among them");
}

#[test]
fn a_file_that_is_removed_at_any_step_is_written_anew_as_a_whole() {
    let mut targets_seen = 0;
    for step in (0..60).step_by(5) {
        let mut play = Play::new(Setting { nodes: 1 + step as usize % 2, ..Setting::default() });
        play.disk.vanishing = [step, step + 1 + step % 3, step + 20].into();
        play.disk.failing = if step % 4 == 0 { [step + 2].into() } else { [].into() };
        let mut random = Random::new(step);
        while play.disk.commits < 3 || !play.disk.vanishing.is_empty() {
            play.write_some(&mut random, 3_500, 12_000);
            play.writer_takes_one();
        }
        play.settle();
        play.disk.assert_restores_to(&play.model);
        targets_seen += play.targets_seen;
    }
    assert!(targets_seen > 0, "no snapshot with a target was among them");
}

#[test]
fn an_end_saves_all_anew_where_the_file_is_removed() {
    let mut play = Play::new(Setting::default());
    for key in 0..5_000 {
        play.request(&format!("SET k{key} 1"));
    }
    play.settle();
    play.disk.vanishing.push_back(play.disk.steps);
    play.node.end();
    for _ in 0..1_000 {
        play.writer_takes_one();
    }
    assert_eq!(play.node.ended(), Some(Ok(())));
    assert_eq!(play.disk.rows.len(), 5_000);
}

#[test]
fn rows_of_collected_deletions_leave_the_file() {
    let play = delete_and_settle(&[]);
    assert_eq!(play.node.store().tombstones(), 0);
    assert_eq!(play.disk.rows.len(), play.node.store().keys());
}

#[test]
fn rows_of_collected_deletions_leave_the_file_also_where_the_snapshot_that_took_them_out_failed() {
    for step in 0..20 {
        let play = delete_and_settle(&[step]);
        assert_eq!(play.node.store().tombstones(), 0);
        assert_eq!(play.disk.rows.len(), play.node.store().keys(), "rows in the file, after a failure at step {step}");
    }
}

#[test]
fn deletions_stay_in_the_file_while_other_nodes_may_have_to_hear_of_them() {
    let mut play = Play::new(Setting { nodes: 3, ..Setting::default() });
    for request in ["SET a 1", "SET b 2", "DELETE a"] {
        play.request(request);
    }
    play.settle();
    assert_eq!(play.node.store().tombstones(), 1);
    assert_eq!(play.disk.rows.len(), 2);
}

#[test]
fn a_quarter_of_a_million_deletions_leave_the_file_within_a_few_snapshots() {
    const KEYS: u64 = 250_000;
    let mut play = Play::new(Setting::default());
    for verb in ["SET", "DELETE"] {
        let value = if verb == "SET" { " 1" } else { "" };
        for key in 0..KEYS {
            play.request(&format!("{verb} k{key}{value}"));
        }
        play.settle();
    }
    let commits = play.disk.commits;
    while play.node.store().tombstones() > 0 {
        play.writer_takes_one();
        assert!(play.disk.commits < commits + 20, "{} are left", play.node.store().tombstones());
    }
}

#[test]
fn an_end_waits_for_a_disk_that_fails_once() {
    let mut play = Play::new(Setting::default());
    play.request("SET a 1");
    play.disk.failing.push_back(play.disk.steps);
    play.node.end();
    for _ in 0..1_000 {
        play.writer_takes_one();
    }
    assert_eq!(play.node.ended(), Some(Ok(())));
    assert_eq!(play.disk.rows.len(), 1);
}

#[test]
fn a_slot_used_again_holds_its_new_key_in_every_commit() {
    let mut play = Play::new(Setting::default());
    for round in 0..50 {
        for key in 0..40 {
            play.request(&format!("SET {round}-{key} {round}"));
            play.writer_takes_one();
        }
        for key in 0..40 {
            play.request(&format!("DELETE {round}-{key}"));
            play.writer_takes_one();
        }
    }
    play.settle();
    assert!(play.disk.slots < 200, "2,000 keys in all, 40 at a time, took {} slots", play.disk.slots);
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn what_is_displaced_is_bounded_and_writers_that_wait_for_it_go_on() {
    const KEYS: u64 = 50_000;
    let mut play = Play::new(Setting::default());
    (0..KEYS).for_each(|key| play.request(&format!("SET k{key} 0")));
    play.begin_writing_to_a_target();
    let mut waited = 0;
    for key in (0..KEYS).rev() {
        play.send(&format!("SET k{key} 1"));
        let (rows, bytes) = play.node.store().displaced();
        assert!(rows <= 1 << 14 && bytes <= (1 << 20) + 100, "{rows} rows of {bytes} bytes are displaced");
        waited += usize::from(play.node.waits(0) == Waits::ForGate(Cause::Snapshot));
        play.finish_request();
    }
    assert!(waited > 0, "the writer was fast enough to take all");
    play.settle();
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn who_waits_for_this_node_s_disk_is_answered_by_the_commit() {
    let mut play = Play::new(Setting::default());
    play.request("SET color blue");
    play.send("*4\r\n$7\r\nWAITAOF\r\n$1\r\n1\r\n$1\r\n0\r\n$1\r\n0\r");
    let mut steps = 0;
    while play.node.waits(0) == Waits::ForGate(Cause::Copies) {
        assert_eq!((play.node.sendable(0), steps < 1_000), (&b""[..], true));
        play.writer_takes_one();
        steps += 1;
    }
    assert_eq!((play.node.sendable(0), steps > 0), (&b"*2\r\n:1\r\n:0\r\n"[..], true));
}

#[test]
fn writers_that_wait_go_on_where_the_snapshot_fails() {
    const KEYS: u64 = 50_000;
    let mut play = Play::new(Setting::default());
    (0..KEYS).for_each(|key| play.request(&format!("SET k{key} 0")));
    play.begin_writing_to_a_target();
    for key in (0..KEYS).rev() {
        play.send(&format!("SET k{key} 1"));
        if play.node.waits(0) == Waits::ForGate(Cause::Snapshot) {
            break;
        }
        play.finish_request();
    }
    play.disk.failing.push_back(play.disk.steps);
    play.writer_takes_one();
    play.turn();
    assert_eq!(play.node.waits(0), Waits::ForInput);
    assert_eq!(play.node.store().displaced(), (0, 0));
    play.finish_request();
    play.settle();
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn a_snapshot_costs_the_writer_no_more_slices_where_one_write_comes_between_any_two() {
    const KEYS: u64 = 20_000;
    let mut play = Play::new(Setting::default());
    (0..KEYS).for_each(|key| play.request(&format!("SET k{key} 0")));
    play.begin_writing_to_a_target();
    let (commits, steps) = (play.disk.commits, play.disk.steps);
    for key in (0..KEYS).rev() {
        if play.disk.commits > commits {
            break;
        }
        play.request(&format!("SET k{key} 1"));
        play.writer_takes_one();
    }
    let slices = play.disk.steps - steps;
    assert!(slices < 40, "{slices} slices for {KEYS} keys");
}

#[test]
fn stamps_and_positions_of_a_life_are_above_those_of_all_earlier_ones_also_when_the_wall_clock_stepped_back() {
    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    let mut used = (Stamp { clock: 0, node: 0 }, 0);
    let mut disk = Disk::default();
    for unix_ms in [20_000 * DAY_MS, 19_000 * DAY_MS, 1_000, 20_001 * DAY_MS, 0] {
        let mut play = Play::with_disk(Setting::default(), disk, unix_ms);
        let mut random = Random::new(unix_ms);
        // A disk that fails for an hour renews no ceiling, and the end of this life comes before any later commit.
        for (failing, pause_us) in [(false, 1_000), (true, 3_600_000_000)] {
            play.disk.failing =
                if failing { (play.disk.steps..play.disk.steps + 100_000).collect() } else { [].into() };
            play.now.monotonic_us += pause_us;
            play.now.unix_ms += pause_us / 1_000;
            for _ in 0..30 {
                play.write_some(&mut random, 100, 300);
                play.writer_takes_one();
            }
        }
        let handed_out = std::mem::take(&mut play.disk.handed_out);
        let oldest = handed_out.iter().filter(|&&(_, position)| position > play.born).min().copied();
        assert!(
            oldest.is_some_and(|(stamp, position)| stamp > used.0 && position > used.1),
            "{oldest:?} after {used:?}"
        );
        used = handed_out.into_iter().max().expect("there were writes");
        disk = play.disk;
        disk.crash();
    }
}

#[test]
fn a_rolled_back_file_gives_no_position_out_again_while_the_wall_clock_goes_on() {
    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    let mut first = Play::with_disk(Setting::default(), Disk::default(), 20_000 * DAY_MS);
    first.request("SET a 1");
    let last = first.node.store().last_position();
    let second = Play::with_disk(Setting::default(), Disk::default(), 20_001 * DAY_MS);
    assert!(second.node.store().last_position() > last);
}

fn delete_and_settle(failing: &[u64]) -> Play {
    let mut play = Play::new(Setting::default());
    (0..300).for_each(|key| play.request(&format!("SET k{key} 0")));
    play.settle();
    play.disk.failing = failing.iter().map(|step| play.disk.steps + step).collect();
    for key in 0..100 {
        play.request(&format!("DELETE k{key}"));
        if key % 10 == 0 {
            play.writer_takes_one();
        }
    }
    play.settle();
    play
}
