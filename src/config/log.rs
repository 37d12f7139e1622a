//! The flags about the log.

use clap::{Args, ValueEnum};
use log::LevelFilter;

use crate::logging::Format;
use crate::logging::levels;

/// See the module.
#[derive(Args, Debug)]
pub(super) struct LogArguments {
    /// Least important log lines to print: off, error, warn, info, debug or trace
    #[arg(long, value_name = "level", default_value = "info")]
    log_level: LevelFilter,

    /// Modules whose lines have a level of their own, as in replication=debug,snapshot=warn
    #[arg(long, value_name = "module=level", value_parser = modules)]
    log_filter: Option<Modules>,

    /// How log lines are printed: "text"; "json": an object a line; "journal": for systemd, with a priority and no time
    #[arg(long, value_name = "format", default_value = "text")]
    log_format: FormatArgument,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArgument {
    Text,
    Json,
    Journal,
}

/// Levels of modules, as one value.
#[derive(Clone, Debug, Default)]
struct Modules(Vec<(&'static str, LevelFilter)>);

fn modules(text: &str) -> Result<Modules, String> {
    levels::parse(text).map(Modules)
}

/// What is logged, and how.
#[derive(Debug)]
pub struct LogConfig {
    /// The level for all.
    pub level: LevelFilter,
    /// ... and those of modules that differ.
    pub modules: Vec<(&'static str, LevelFilter)>,
    /// How lines are printed.
    pub format: Format,
}

impl LogArguments {
    /// What they mean.
    pub(super) fn check(self) -> LogConfig {
        let format = match self.log_format {
            FormatArgument::Text => Format::Text,
            FormatArgument::Json => Format::Json,
            FormatArgument::Journal => Format::Journal,
        };
        let modules = self.log_filter.unwrap_or_default().0;
        LogConfig { level: self.log_level, modules, format }
    }
}
