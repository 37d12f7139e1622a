//! The config file of a node that runs: read again where that is asked for, or once it says something else.

use std::time::Duration;

use clap::Args;

use super::cluster::{ClusterFile, NodeAddress};

/// The flags about it.
#[derive(Args, Debug)]
pub(super) struct WatchConfigArguments {
    /// Look at the config file every 5 s, and take what it says as with SIGHUP once that is something else: for files
    /// that come without a signal, such as a ConfigMap of Kubernetes. Certificates and secrets are read at SIGHUP alone
    #[arg(long)]
    watch_config: bool,

    /// Milliseconds between two of these looks, 10 to 3600000
    #[arg(long, value_name = "ms", default_value = "5000", requires = "watch_config", value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    watch_config_ms: u64,
}

/// The list of nodes, `None` in the place of one that was removed; or why there is none, in a sentence.
pub type Said = Result<Vec<Option<NodeAddress>>, String>;

/// The file, and what it said last.
#[derive(Clone, Debug)]
pub struct WatchedFile {
    file: ClusterFile,
    /// Between two looks; `None`: nobody looks.
    period: Option<Duration>,
    said: Said,
    /// What the last look found wrong: somebody may be about to write it.
    doubt: Option<String>,
}

impl WatchConfigArguments {
    fn period(&self) -> Option<Duration> {
        self.watch_config.then(|| Duration::from_millis(self.watch_config_ms))
    }
}

impl WatchedFile {
    /// The node has begun with these nodes: as the file says, or on its own, where there is none.
    pub(super) fn new(
        file: ClusterFile,
        arguments: &WatchConfigArguments,
        nodes: &[Option<NodeAddress>],
    ) -> WatchedFile {
        let said = if file.is_absent() { file.read() } else { Ok(nodes.to_vec()) };
        WatchedFile { file, period: arguments.period(), said, doubt: None }
    }

    /// What it says: somebody asks.
    pub fn read(&mut self) -> Said {
        self.said = self.file.read();
        self.said.clone()
    }

    /// What it says, where that is something else than when it was read last. A mistake is told once, and not before
    /// two looks have found it: a file that is half written is none.
    pub fn look(&mut self) -> Option<Said> {
        let said = self.file.read();
        let doubted = self.doubt.take();
        if said == self.said {
            return None;
        }
        if let Err(why) = &said
            && doubted.as_ref() != Some(why)
        {
            self.doubt = Some(why.clone());
            return None;
        }
        self.said.clone_from(&said);
        Some(said)
    }

    /// How long after a look it is time for the next; `None`: it never is.
    pub fn period(&self) -> Option<Duration> {
        self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"[{ "ip": "10.0.0.1", "port": 5000 }]"#;
    const TWO: &str = r#"[{ "ip": "10.0.0.1", "port": 5000 }, { "ip": "10.0.0.2", "port": 5000 }]"#;

    #[test]
    fn a_look_tells_what_is_new_and_a_mistake_once() {
        let directory = tempfile::tempdir().expect("there is room");
        let path = directory.path().join("node_config.json");
        let write = |text: &str| std::fs::write(&path, text).expect("it can be written");
        let file = ClusterFile::named(Some(path.clone()));
        let arguments = WatchConfigArguments { watch_config: true, watch_config_ms: 10 };
        let count = |said: Option<Said>| said.map(|said| said.map(|nodes| nodes.len()));

        let mut alone = WatchedFile::new(file.clone(), &arguments, &[Some(NodeAddress::alone())]);
        assert_eq!(count(alone.look()), None, "there was no file, and there is none");
        write(ONE);
        assert_eq!(count(alone.look()), Some(Ok(1)));

        let mut watched = WatchedFile::new(file.clone(), &arguments, &file.read().expect("it is right"));
        assert_eq!(count(watched.look()), None);
        write(TWO);
        assert_eq!((count(watched.look()), count(watched.look())), (Some(Ok(2)), None));
        // As somebody else formats it.
        write(&TWO.replace(' ', "\n"));
        assert_eq!(count(watched.look()), None);
        // Who writes it is not done, or is.
        write("[");
        assert_eq!(count(watched.look()), None);
        write(ONE);
        assert_eq!(count(watched.look()), Some(Ok(1)));
        write("[");
        assert_eq!(count(watched.look()), None);
        assert!(watched.look().is_some_and(|said| said.is_err_and(|why| why.contains("line 1 column 1"))));
        assert_eq!(count(watched.look()), None);
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!(count(watched.look()), None);
        assert!(watched.look().is_some_and(|said| said.is_err_and(|why| why.contains("No such file"))));
        assert_eq!(count(watched.look()), None);
        // Who asks is told each time, and a look after that tells nothing new.
        write(ONE);
        assert_eq!(watched.read().map(|nodes| nodes.len()), Ok(1));
        assert_eq!(watched.read().map(|nodes| nodes.len()), Ok(1));
        assert_eq!(count(watched.look()), None);
    }

    #[test]
    fn nobody_looks_where_nobody_asked_for_it() {
        let arguments = WatchConfigArguments { watch_config: false, watch_config_ms: 10 };
        assert_eq!(arguments.period(), None);
    }
}
