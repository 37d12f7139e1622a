//! Settings by the names that Redis tools know, changed while the node runs.
//!
//! A setting of Redis that means nothing here is kept and given back; a name that Redis does not have is refused.

use std::collections::BTreeMap;

/// Settings of Redis that mean nothing here, and what they are until somebody sets them.
const FOREIGN: [(&str, &str); 54] = [
    ("acllog-max-len", "128"),
    ("activedefrag", "no"),
    ("activerehashing", "yes"),
    ("active-expire-effort", "1"),
    ("always-show-logo", "no"),
    ("aof-rewrite-incremental-fsync", "yes"),
    ("aof-use-rdb-preamble", "yes"),
    ("appendfilename", "appendonly.aof"),
    ("appendfsync", "everysec"),
    ("appendonly", "no"),
    ("auto-aof-rewrite-min-size", "67108864"),
    ("auto-aof-rewrite-percentage", "100"),
    ("busy-reply-threshold", "5000"),
    ("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
    ("client-query-buffer-limit", "1073741824"),
    ("cluster-enabled", "no"),
    ("daemonize", "no"),
    ("databases", "1"),
    ("dbfilename", "backup.db"),
    ("dynamic-hz", "yes"),
    ("hash-max-listpack-entries", "512"),
    ("hash-max-listpack-value", "64"),
    ("hash-max-ziplist-entries", "512"),
    ("hash-max-ziplist-value", "64"),
    ("hz", "10"),
    ("io-threads", "1"),
    ("lazyfree-lazy-eviction", "no"),
    ("lazyfree-lazy-expire", "no"),
    ("lazyfree-lazy-server-del", "no"),
    ("lazyfree-lazy-user-del", "no"),
    ("lazyfree-lazy-user-flush", "no"),
    ("lfu-decay-time", "1"),
    ("lfu-log-factor", "10"),
    ("list-compress-depth", "0"),
    ("list-max-listpack-size", "-2"),
    ("list-max-ziplist-size", "-2"),
    ("logfile", ""),
    ("loglevel", "notice"),
    ("lua-time-limit", "5000"),
    ("maxmemory-policy", "noeviction"),
    ("maxmemory-samples", "5"),
    ("min-replicas-max-lag", "10"),
    ("min-replicas-to-write", "0"),
    ("rdbchecksum", "yes"),
    ("rdbcompression", "yes"),
    ("requirepass", ""),
    ("save", ""),
    ("set-max-intset-entries", "512"),
    ("stop-writes-on-bgsave-error", "no"),
    ("stream-node-max-entries", "100"),
    ("tcp-keepalive", "300"),
    ("zset-max-listpack-entries", "128"),
    ("zset-max-listpack-value", "64"),
    ("zset-max-ziplist-entries", "128"),
];

/// Those of them that were set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    set: BTreeMap<&'static str, String>,
}

impl Settings {
    /// All of them, in the order of their names.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        FOREIGN.into_iter().map(|(name, default)| (name, self.set.get(name).map_or(default, String::as_str)))
    }

    /// Keeps a setting. Returns whether Redis has one of that name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> bool {
        let known = FOREIGN.into_iter().find(|(other, _)| *other == name);
        if let Some((name, _)) = known {
            self.set.insert(name, value.to_owned());
        }
        known.is_some()
    }
}
