//! Scripts.

use super::row::{Statistic, counter, gauge};
use super::section::Section::{Memory, Stats};
use crate::metrics::statistic::Shown::{Human, Plain};

pub(super) const STATISTICS: &[Statistic] = &[
    gauge("scripts", "Scripts that are kept under their digest.", |of| of.scripts().scripts().into()).field(
        Memory,
        "number_of_cached_scripts",
        Plain,
    ),
    gauge("script_text_bytes", "Memory of the texts of those scripts.", |of| of.scripts().text_bytes().into())
        .bytes()
        .field(Memory, "used_memory_scripts", Plain)
        .field(Memory, "used_memory_scripts_human", Human),
    gauge("script_memory_bytes", "Memory of Lua, with all scripts that are compiled; 0 until there is one.", |of| {
        of.scripts().memory_bytes().into()
    })
    .part_of("memory", "kind", "scripts")
    .bytes()
    .field(Memory, "used_memory_vm_eval", Plain)
    .field(Memory, "used_memory_lua", Plain)
    .field(Memory, "used_memory_lua_human", Human),
    counter("scripts_evicted", "Scripts that were forgotten because many others were run since.", |of| {
        of.scripts().evicted().into()
    })
    .field(Stats, "evicted_scripts", Plain),
    counter(
        "scripts_ended",
        "Scripts that took more time or memory than they may: nothing of them has happened.",
        |of| of.metrics().scripts_ended.into(),
    )
    .too(Stats),
];
