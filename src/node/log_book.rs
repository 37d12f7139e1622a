//! The log, as far as the node has a say in it: the events that are kept, and what is printed.

use std::fmt::Debug;

use log::LevelFilter;

use crate::metrics::events::Event;

/// See the module. Whoever starts the node gives it one.
pub trait LogBook: Debug {
    /// Those that are kept with a number above that, the earliest first; of more than `most` the latest.
    fn after(&self, number: u64, most: usize) -> Vec<Event>;

    /// Lines less important than that are not printed from here on, but for those of modules with a level of their own.
    fn set_level(&self, level: LevelFilter);
}

/// The log of a node that nobody has given one.
#[derive(Debug)]
pub(super) struct NoLog;

impl LogBook for NoLog {
    fn after(&self, _number: u64, _most: usize) -> Vec<Event> {
        Vec::new()
    }

    fn set_level(&self, _level: LevelFilter) {}
}

/// Redis' name for what is printed with this level.
pub fn redis_name(level: LevelFilter) -> &'static str {
    match level {
        LevelFilter::Off => "nothing",
        LevelFilter::Error | LevelFilter::Warn => "warning",
        LevelFilter::Info => "notice",
        LevelFilter::Debug => "verbose",
        LevelFilter::Trace => "debug",
    }
}

/// The level that has this name, here or in Redis.
pub fn level_named(name: &str) -> Option<LevelFilter> {
    Some(match name.to_ascii_lowercase().as_str() {
        "nothing" | "off" => LevelFilter::Off,
        "error" => LevelFilter::Error,
        "warning" | "warn" => LevelFilter::Warn,
        "notice" | "info" => LevelFilter::Info,
        "verbose" => LevelFilter::Debug,
        "debug" | "trace" => LevelFilter::Trace,
        _ => return None,
    })
}
