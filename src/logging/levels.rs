//! Which lines are printed: a level for all, and others for modules that are named.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use log::LevelFilter;

/// What a module's name follows in a line's target.
const ROOT: &str = "kvstoreapp::";

/// The modules that say something: the names that can be given a level.
pub const MODULES: [&str; 8] = ["allocator", "node", "replica", "replication", "secrets", "server", "snapshot", "tool"];

/// See the module. The level for all can be changed while lines are printed.
#[derive(Debug)]
pub struct Levels {
    all: AtomicUsize,
    modules: Vec<(&'static str, LevelFilter)>,
}

impl Levels {
    /// One for all, and those of modules, of which the last that names a module counts.
    pub fn new(all: LevelFilter, modules: Vec<(&'static str, LevelFilter)>) -> Levels {
        Levels { all: AtomicUsize::new(all as usize), modules }
    }

    /// Sets the one for all that are not named.
    pub fn set(&self, level: LevelFilter) {
        self.all.store(level as usize, Relaxed);
    }

    /// The least important lines that anybody says something of.
    pub fn most(&self) -> LevelFilter {
        self.modules.iter().map(|(_, level)| *level).fold(self.all(), Ord::max)
    }

    /// The one that lines of this target need.
    pub fn of(&self, target: &str) -> LevelFilter {
        let module = target.strip_prefix(ROOT).map(|path| path.split("::").next().unwrap_or(path));
        let named = self.modules.iter().rev().find(|(name, _)| Some(*name) == module);
        named.map_or_else(|| self.all(), |(_, level)| *level)
    }

    fn all(&self) -> LevelFilter {
        let number = self.all.load(Relaxed);
        LevelFilter::iter().find(|level| *level as usize == number).unwrap_or(LevelFilter::Info)
    }
}

/// What `--log-filter` says: `replication=debug,snapshot=warn`. An error is a sentence.
pub fn parse(text: &str) -> Result<Vec<(&'static str, LevelFilter)>, String> {
    text.split(',').map(|part| one(part.trim())).collect()
}

fn one(part: &str) -> Result<(&'static str, LevelFilter), String> {
    let (module, level) =
        part.split_once('=').ok_or_else(|| format!("{part:?} is no <module>=<level>, as in replication=debug"))?;
    let known = MODULES.into_iter().find(|known| *known == module.trim());
    let known = known.ok_or_else(|| format!("{module:?} is no module: there are {}", MODULES.join(", ")))?;
    let level = level.trim();
    let level = level
        .parse()
        .map_err(|_| format!("{level:?} is no level: there are off, error, warn, info, debug and trace"))?;
    Ok((known, level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_named_has_its_own_level() {
        let levels = Levels::new(LevelFilter::Warn, parse("replication=debug, snapshot=off,server=trace").unwrap());
        assert_eq!(levels.of("kvstoreapp::replication::peers"), LevelFilter::Debug);
        assert_eq!(levels.of("kvstoreapp::snapshot"), LevelFilter::Off);
        // The names are whole.
        assert_eq!(levels.of("kvstoreapp::replica"), LevelFilter::Warn);
        assert_eq!(levels.of("kvstoreapp"), LevelFilter::Warn);
        assert_eq!(levels.of("replication"), LevelFilter::Warn);
        assert_eq!(levels.most(), LevelFilter::Trace);
        levels.set(LevelFilter::Error);
        assert_eq!(levels.of("kvstoreapp::node"), LevelFilter::Error);
        assert_eq!(levels.of("kvstoreapp::replication"), LevelFilter::Debug);
    }

    #[test]
    fn of_two_levels_for_a_module_the_last_counts() {
        let levels = Levels::new(LevelFilter::Info, parse("node=debug,node=error").unwrap());
        assert_eq!(levels.of("kvstoreapp::node::serving"), LevelFilter::Error);
    }

    #[test]
    fn what_is_no_filter_is_refused_with_what_there_is() {
        for (text, wanted) in [
            ("", "\"\" is no <module>=<level>, as in replication=debug"),
            ("debug", "\"debug\" is no <module>=<level>, as in replication=debug"),
            ("peers=debug", "\"peers\" is no module: there are allocator, node, replica, replication, "),
            ("node=loud", "\"loud\" is no level: there are off, error, warn, info, debug and trace"),
            ("node=info,", "\"\" is no <module>=<level>"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.starts_with(wanted), "{text}: {why}");
        }
    }
}
