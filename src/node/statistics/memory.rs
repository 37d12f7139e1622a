//! Keys, and what they take.

use super::row::{Statistic, counter, gauge, text};
use super::section::Section::{Memory, Stats};
use crate::metrics::statistic::Shown::{Human, Plain};
use crate::metrics::statistic::Value;

pub(super) const STATISTICS: &[Statistic] =
    &[
        gauge("keys", "Keys with a value.", |of| of.store().keys().into()),
        gauge("keys_expiring", "Keys that expire.", |of| of.store().expiring().into()),
        gauge("keys_ttl_ms", "The time that expiring keys have left on average: not counted, always 0.", |_| {
            Value::Count(0)
        })
        .named("keys_ttl_mean")
        .ms()
        .for_redis(),
        counter("keys_expired", "Keys deleted because their time had come.", |of| of.metrics().keys_expired.into())
            .field(Stats, "expired_keys", Plain),
        counter("keys_evicted", "Keys deleted to make room: none ever is.", |_| Value::Count(0)).for_redis().field(
            Stats,
            "evicted_keys",
            Plain,
        ),
        gauge("tombstones", "Deletions that are remembered until all nodes know them.", |of| {
            of.store().tombstones().into()
        })
        .field(Memory, "tombstones", Plain),
        gauge("memory_bytes", "Memory of keys, values and remembered deletions, as `--max-memory` counts it.", |of| {
            of.store().bytes().into()
        })
        .part_of("memory", "kind", "keys")
        .bytes()
        .field(Memory, "used_memory", Plain)
        .field(Memory, "used_memory_human", Human)
        .field(Memory, "used_memory_dataset", Plain),
        gauge(
            "memory_bytes_max",
            "Memory that keys, values and remembered deletions may take (`--max-memory`); 0: any amount.",
            |of| of.options().memory_bytes_max.into(),
        )
        .bytes()
        .field(Memory, "maxmemory", Plain)
        .field(Memory, "maxmemory_human", Human),
        text("memory_policy", "What happens where memory is full: writes are refused.", |_| "noeviction".into())
            .for_redis()
            .field(Memory, "maxmemory_policy", Plain),
        counter("memory_exceeding_peer_writes", "Writes of peers that were taken although memory was full.", |of| {
            of.replication().over_memory().into()
        })
        .field(Memory, "maxmemory_exceeding_peer_writes", Plain),
        gauge("memory_resident_bytes", "Memory of the machine that the whole process takes.", |of| {
            of.known(of.usage().map(|usage| usage.resident_bytes))
        })
        .of_process("resident_memory")
        .bytes()
        .field(Memory, "used_memory_rss", Plain)
        .field(Memory, "used_memory_rss_human", Human),
        gauge("memory_virtual_bytes", "Addresses that the whole process has reserved.", |of| {
            of.known(of.usage().map(|usage| usage.virtual_bytes))
        })
        .bytes()
        .of_process("virtual_memory")
        .too(Memory),
        gauge(
            "memory_resident_ratio",
            "Memory of the whole process, as a multiple of `memory_bytes`; 0 where there are no keys.",
            |of| match (of.usage(), of.store().bytes()) {
                (None, _) => Value::Unknown,
                (Some(_), 0) => Value::Fraction(0.0),
                (Some(usage), bytes) => Value::Fraction(usage.resident_bytes as f64 / bytes as f64),
            },
        )
        .for_redis()
        .field(Memory, "mem_fragmentation_ratio", Plain),
        gauge("memory_total_bytes", "Memory of the machine.", |of| of.known(of.options().process.memory_bytes))
            .named("machine_memory")
            .bytes()
            .field(Memory, "total_system_memory", Plain)
            .field(Memory, "total_system_memory_human", Human),
        gauge("change_list_bytes", "Memory of the list of changes.", |of| of.store().change_list_bytes().into())
            .part_of("memory", "kind", "change_list")
            .bytes()
            .too(Memory),
        gauge("peer_bytes", "Memory held for peers beside the keys.", |of| of.replication().bytes().into())
            .part_of("memory", "kind", "peers")
            .bytes()
            .field(Memory, "used_memory_peers", Plain),
        text("mem_allocator", "What the process takes memory by.", |_| "mimalloc".into()).for_redis().too(Memory),
    ];
