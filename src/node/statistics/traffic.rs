//! What came and went.

use super::row::{Statistic, counter, gauge};
use super::section::Section::Stats;
use crate::metrics::statistic::Shown::{Hundredths, Plain};
use crate::metrics::statistic::Value;

/// What Redis calls a kilobyte.
const KIB: u64 = 1 << 10;

pub(super) const STATISTICS: &[Statistic] = &[
    counter("requests", "Requests executed.", |of| of.metrics().requests.into()).field(
        Stats,
        "total_commands_processed",
        Plain,
    ),
    counter("requests_refused", "Errors answered, those to parts of a transaction included.", |of| {
        of.metrics().requests_refused.into()
    })
    .field(Stats, "total_error_replies", Plain),
    gauge("requests_per_s", "Requests a second, over the last 1.5 seconds.", |of| of.rates().requests.into())
        .named("requests_per_second")
        .field(Stats, "instantaneous_ops_per_sec", Plain),
    counter("hits", "Reads of a key that has a value.", |of| of.metrics().hits.into())
        .part_of("lookups", "result", "hit")
        .field(Stats, "keyspace_hits", Plain),
    counter("misses", "Reads of a key that has none.", |of| of.metrics().misses.into())
        .part_of("lookups", "result", "miss")
        .field(Stats, "keyspace_misses", Plain),
    counter("bytes_in", "Bytes read from clients and peers.", |of| of.metrics().bytes_in.into())
        .part_of("network", "direction", "in")
        .bytes()
        .field(Stats, "total_net_input_bytes", Plain),
    counter("bytes_out", "Bytes written to clients and peers.", |of| of.metrics().bytes_out.into())
        .part_of("network", "direction", "out")
        .bytes()
        .field(Stats, "total_net_output_bytes", Plain),
    gauge("bytes_in_per_s", "Bytes read a second, over the last 1.5 seconds.", |of| of.rates().bytes_in.into())
        .part_of("network_per_second", "direction", "in")
        .bytes()
        .field(Stats, "instantaneous_input_kbps", Hundredths(KIB)),
    gauge("bytes_out_per_s", "Bytes written a second, over the last 1.5 seconds.", |of| of.rates().bytes_out.into())
        .part_of("network_per_second", "direction", "out")
        .bytes()
        .field(Stats, "instantaneous_output_kbps", Hundredths(KIB)),
    gauge("pubsub_channels", "Channels that somebody listens to.", |of| Value::from(of.pubsub().channels.len()))
        .for_redis()
        .too(Stats),
    gauge("pubsub_patterns", "Patterns of channels that somebody listens to.", |of| of.pubsub().patterns.len().into())
        .for_redis()
        .too(Stats),
    gauge("pubsubshard_channels", "Shard channels that somebody listens to.", |of| of.pubsub().shards.len().into())
        .for_redis()
        .too(Stats),
];
