//! Changes, and the data file.

use super::row::{Statistic, counter, gauge, histogram, text};
use super::section::Section::{Persistence, Replication};
use crate::metrics::statistic::Shown::{Bit, Plain, Verdict, Whole};
use crate::metrics::statistic::Value;

pub(super) const STATISTICS: &[Statistic] = &[
    gauge(
        "position",
        "The place of the latest change in the list of changes: a number of 64 bits, by which nodes refer to it.",
        |of| of.store().last_position().into(),
    ),
    counter("changes", "Changes applied since the start, own ones and those of peers.", |of| of.changes().into())
        .field(Replication, "master_repl_offset", Plain),
    text("loading", "Always 0: a node listens once its data is there.", |_| "0".into()).for_redis().too(Persistence),
    text("durability", "What a write's `OK` promises (`--durability`).", |of| {
        of.options().durability.to_string().into()
    })
    .label("node", "durability")
    .too(Persistence),
    gauge("durable_position", "The position up to which all changes are on disk.", |of| {
        of.snapshotter().durable().into()
    }),
    gauge("changes_not_durable", "Keys whose latest change is not on disk.", |of| {
        of.store().count_after(of.snapshotter().durable()).into()
    })
    .for_redis()
    .field(Persistence, "rdb_changes_since_last_save", Plain),
    text("snapshot_state", "What the snapshot under way is doing.", |of| of.snapshotter().state().into())
        .too(Persistence),
    gauge("snapshot_age_ms", "Time since the last snapshot was on disk.", |of| {
        Value::Count((of.now().monotonic_us - of.snapshotter().committed_us) / 1000)
    })
    .ms()
    .too(Persistence),
    gauge("snapshot_took_ms", "How long the last snapshot took.", |of| Value::Count(of.snapshotter().took_us / 1000))
        .ms()
        .field(Persistence, "rdb_last_bgsave_time_sec", Whole(1_000)),
    text("snapshot_error", "Why the disk takes nothing.", |of| of.named(of.snapshotter().error.clone()))
        .too(Persistence)
        .field(Persistence, "rdb_last_bgsave_status", Verdict),
    gauge("backing_up", "Whether `SAVE` or `BGSAVE` is under way.", |of| of.snapshotter().is_backing_up().into())
        .for_redis()
        .field(Persistence, "rdb_bgsave_in_progress", Bit),
    gauge("rows_unix_ms", "When the rows of the data file held all that was written before.", |of| {
        of.snapshotter().saved_unix_ms().into()
    })
    .named("rows_timestamp")
    .ms()
    .for_redis()
    .field(Persistence, "rdb_last_save_time", Whole(1_000)),
    text("aof_enabled", "Always 0: there is no log of commands.", |_| "0".into()).for_redis().too(Persistence),
    counter("snapshots", "Snapshots that are on disk.", |of| of.metrics().snapshots.into())
        .part_of("snapshots", "result", "committed")
        .too(Persistence),
    counter("snapshots_failed", "Snapshots that failed.", |of| of.metrics().snapshots_failed.into())
        .part_of("snapshots", "result", "failed")
        .too(Persistence),
    gauge("snapshot_failing", "Whether the disk takes nothing at present.", |of| of.snapshotter().is_failing().into())
        .for_machines(),
    histogram("commit_duration_us", "How long snapshots took from their last slice to their commit.", |of| {
        &of.metrics().commits
    }),
    gauge("commit_us", "How long the last commit took, from the last slice of its snapshot on.", |of| {
        of.snapshotter().commit_us.into()
    })
    .us()
    .named("last_commit")
    .too(Persistence),
    histogram("merge_duration_us", "How long merges of journals into the rows of the data file took.", |of| {
        &of.metrics().merges
    }),
    gauge("journal_bytes", "What journals hold that are not merged into the rows of the data file.", |of| {
        of.metrics().journal_bytes.into()
    })
    .bytes()
    .too(Persistence),
    gauge("disk_reserve_bytes", "What is kept of the disk for when it is full.", |of| {
        of.metrics().disk_reserve_bytes.into()
    })
    .bytes()
    .too(Persistence),
    counter("rows_written", "Changes given to the data file.", |of| of.metrics().rows_written.into()).too(Persistence),
    counter("writer_stalls", "How often a write had to wait for the data file.", |of| {
        of.metrics().writer_stalls.into()
    })
    .too(Persistence),
];
