//! What scripts may take.

use clap::Args;

use crate::node::parse_bytes;
use crate::scripting::Limits;

/// Least and most memory of a script.
const MEMORY_BYTES_MIN: u64 = 1 << 20;
const MEMORY_BYTES_MAX: u64 = 1 << 30;

/// See the module.
#[derive(Debug, Args)]
pub(super) struct ScriptArguments {
    /// Milliseconds that a script (EVAL) may take. One that takes longer is ended, and nothing of it has happened;
    /// nobody else is served meanwhile
    #[arg(long, value_name = "ms", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    script_time_ms: u64,

    /// Memory that a script may take in bytes, 1M to 1G. One that takes more is ended, and nothing of it has happened.
    /// What Lua does in one piece, as to put two texts together, takes up to a millisecond for each 8M
    #[arg(long, value_name = "bytes", default_value = "8M", value_parser = memory)]
    script_memory: u64,
}

impl ScriptArguments {
    pub(super) fn limits(&self) -> Limits {
        Limits { time_ms: self.script_time_ms, memory_bytes: self.script_memory as usize }
    }
}

fn memory(text: &str) -> Result<u64, String> {
    let given = parse_bytes(text).filter(|given| (MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX).contains(given));
    given.ok_or_else(|| "a number of bytes from 1M to 1G is wanted".to_owned())
}
