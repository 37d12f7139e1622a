//! Settings of Redis that are not this node's own: what each is here, and what becomes of another value.
//!
//! A value is read as Redis reads it and refused in its words. What is accepted is kept: a setting that nobody here would
//! keep is refused with a sentence, unless it is set to what is true anyway.

use std::fmt::Write;

use super::Options;
use super::sessions::LISTENER_BYTES_MAX;
use crate::protocol::resp::{self, REQUEST_BYTES_MAX};
use crate::replica::Durability;

/// What becomes of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Chosen at the start, here or in Redis.
    Immutable,
    /// Where files are: nobody who can only reach the port may say.
    Protected,
    /// Kept. It is about how Redis works inside; no client could see a difference here.
    Harmless(Check),
    /// One value is true here, and any other is refused: why.
    Fixed(Check, &'static str),
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    YesNo,
    Integer(i64, i64),
    /// An integer that Redis moves into these bounds.
    Within(i64, i64),
    /// A number of bytes.
    Bytes,
    OneOf(&'static [&'static str]),
    /// Classes of clients with a hard limit, a soft limit, and the seconds it may be passed.
    BufferLimits,
    /// Seconds and changes, in pairs.
    SavePoints,
    Text,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreign {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What it is until somebody sets it, where the node's options do not say.
    value: &'static str,
}

const LONG: Check = Check::Integer(0, i64::MAX);
const INT: Check = Check::Integer(0, i32::MAX as i64);
const PORT: Check = Check::Integer(0, u16::MAX as i64);
const POLICIES: Check = Check::OneOf(&[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
]);

const fn immutable(name: &'static str, value: &'static str) -> Foreign {
    Foreign { name, kind: Kind::Immutable, value }
}

const fn protected(name: &'static str, value: &'static str) -> Foreign {
    Foreign { name, kind: Kind::Protected, value }
}

const fn harmless(name: &'static str, check: Check, value: &'static str) -> Foreign {
    Foreign { name, kind: Kind::Harmless(check), value }
}

const fn fixed(name: &'static str, check: Check, value: &'static str, why: &'static str) -> Foreign {
    Foreign { name, kind: Kind::Fixed(check, why), value }
}

const ADDRESS: &str = "the address is chosen at the start, by the config file or --bind";
const NO_MASTER: &str = "there is no master here: nodes are linked by their configuration";
const NO_TLS: &str = "TLS has no port of its own here: it is spoken on the same one";
const OWN_LIMITS: &str = "what a client may be owed is fixed here: one that listens to channels is hung up on at 32 MiB, \
                          any other is read no further until it has read its answers";

/// All of them, in the order of their names.
pub(super) const FOREIGN: &[Foreign] = &[
    harmless("active-expire-effort", Check::Integer(1, 10), "1"),
    fixed(
        "activedefrag",
        Check::YesNo,
        "no",
        "nothing is moved here: memory goes back to the system as it becomes free",
    ),
    harmless("activerehashing", Check::YesNo, "yes"),
    immutable("always-show-logo", "no"),
    harmless("aof-rewrite-incremental-fsync", Check::YesNo, "yes"),
    harmless("aof-use-rdb-preamble", Check::YesNo, "yes"),
    immutable("aof_rewrite_cpulist", ""),
    immutable("appenddirname", ""),
    immutable("appendfilename", ""),
    fixed(
        "appendfsync",
        Check::OneOf(&["everysec", "always", "no"]),
        "",
        "what an OK promises is chosen at the start, by --durability and --snapshot-interval-ms",
    ),
    fixed(
        "appendonly",
        Check::YesNo,
        "no",
        "there is no append only file here: with --durability=commit every OK waits for the disk",
    ),
    harmless("auto-aof-rewrite-min-size", Check::Bytes, "67108864"),
    harmless("auto-aof-rewrite-percentage", INT, "100"),
    immutable("bgsave_cpulist", ""),
    fixed("bind", Check::Text, "", ADDRESS),
    immutable("bio_cpulist", ""),
    harmless("busy-reply-threshold", LONG, "5000"),
    fixed("client-output-buffer-limit", Check::BufferLimits, "", OWN_LIMITS),
    fixed("client-query-buffer-limit", Check::Bytes, "", "the longest request follows from --max-value-bytes"),
    immutable("cluster-config-file", ""),
    immutable("cluster-enabled", "no"),
    immutable("cluster-port", "0"),
    immutable("daemonize", "no"),
    immutable("databases", "16"),
    protected("dbfilename", "backup.db"),
    protected("dir", ""),
    immutable("disable-thp", "no"),
    harmless("dynamic-hz", Check::YesNo, "yes"),
    immutable("enable-debug-command", "yes"),
    immutable("enable-module-command", "no"),
    immutable("enable-protected-configs", "no"),
    harmless("hash-max-listpack-entries", LONG, "512"),
    harmless("hash-max-listpack-value", Check::Bytes, "64"),
    harmless("hll-sparse-max-bytes", Check::Bytes, "3000"),
    harmless("hz", Check::Within(1, 500), "10"),
    immutable("io-threads", "1"),
    immutable("io-threads-do-reads", "no"),
    harmless("lazyfree-lazy-eviction", Check::YesNo, "no"),
    harmless("lazyfree-lazy-expire", Check::YesNo, "no"),
    harmless("lazyfree-lazy-server-del", Check::YesNo, "no"),
    harmless("lazyfree-lazy-user-del", Check::YesNo, "no"),
    harmless("lazyfree-lazy-user-flush", Check::YesNo, "no"),
    harmless("lfu-decay-time", INT, "1"),
    harmless("lfu-log-factor", INT, "10"),
    harmless("list-compress-depth", INT, "0"),
    harmless("list-max-listpack-size", Check::Integer(i32::MIN as i64, i32::MAX as i64), "-2"),
    immutable("logfile", ""),
    fixed("masterauth", Check::Text, "", NO_MASTER),
    fixed("masteruser", Check::Text, "", NO_MASTER),
    fixed("maxmemory-clients", Check::Bytes, "0", OWN_LIMITS),
    harmless("maxmemory-eviction-tenacity", Check::Integer(0, 100), "10"),
    fixed("maxmemory-policy", POLICIES, "noeviction", "nothing is evicted here: above maxmemory writes are refused"),
    harmless("maxmemory-samples", Check::Integer(1, i32::MAX as i64), "5"),
    harmless("min-replicas-max-lag", INT, "10"),
    fixed("min-replicas-to-write", INT, "0", "no write is refused here for want of peers: WAIT says how many have it"),
    fixed(
        "oom-score-adj",
        Check::OneOf(&["no", "yes", "relative", "absolute"]),
        "no",
        "that is for whoever starts the process",
    ),
    immutable("pidfile", ""),
    fixed("port", PORT, "", ADDRESS),
    fixed("proto-max-bulk-len", Check::Bytes, "", "the longest value is chosen at the start, by --max-value-bytes"),
    immutable("rdbchecksum", "yes"),
    harmless("rdbcompression", Check::YesNo, "yes"),
    fixed("replica-read-only", Check::YesNo, "no", "every node takes writes here"),
    fixed("replica-serve-stale-data", Check::YesNo, "yes", "every node answers here, whatever its links"),
    immutable("replicaof", ""),
    fixed(
        "save",
        Check::SavePoints,
        "",
        "there are no save points here: a snapshot is made every --snapshot-interval-ms",
    ),
    immutable("server_cpulist", ""),
    harmless("set-max-intset-entries", LONG, "512"),
    immutable("set-proc-title", "no"),
    immutable("slaveof", ""),
    immutable("socket-mark-id", "0"),
    fixed(
        "stop-writes-on-bgsave-error",
        Check::YesNo,
        "",
        "it follows from --durability: with commit, writes are refused while the disk fails",
    ),
    harmless("stream-node-max-bytes", Check::Bytes, "4096"),
    harmless("stream-node-max-entries", LONG, "100"),
    immutable("supervised", "no"),
    immutable("syslog-enabled", "no"),
    immutable("syslog-facility", ""),
    immutable("syslog-ident", ""),
    immutable("tcp-backlog", "4096"),
    fixed("tcp-keepalive", INT, "300", "silent connections are asked after 300 s here"),
    fixed("tls-port", PORT, "0", NO_TLS),
    harmless("tracking-table-max-keys", LONG, "1000000"),
    immutable("unixsocket", ""),
    immutable("unixsocketperm", "0"),
    harmless("zset-max-listpack-entries", LONG, "128"),
    harmless("zset-max-listpack-value", Check::Bytes, "64"),
];

/// Older names of the same.
pub(super) const ALIASES: [(&str, &str); 10] = [
    ("hash-max-ziplist-entries", "hash-max-listpack-entries"),
    ("hash-max-ziplist-value", "hash-max-listpack-value"),
    ("list-max-ziplist-size", "list-max-listpack-size"),
    ("lua-time-limit", "busy-reply-threshold"),
    ("min-slaves-max-lag", "min-replicas-max-lag"),
    ("min-slaves-to-write", "min-replicas-to-write"),
    ("slave-read-only", "replica-read-only"),
    ("slave-serve-stale-data", "replica-serve-stale-data"),
    ("zset-max-ziplist-entries", "zset-max-listpack-entries"),
    ("zset-max-ziplist-value", "zset-max-listpack-value"),
];

impl Foreign {
    /// The row of this name or older name, in small letters.
    pub(super) fn named(name: &str) -> Option<&'static Foreign> {
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
        FOREIGN.iter().find(|foreign| foreign.name == name)
    }

    /// What it is in a node with these options, until somebody sets it.
    pub(super) fn truth(&self, options: &Options) -> String {
        let is_commit = options.durability == Durability::Commit;
        match self.name {
            // Redis' names for the least that is true: `everysec` loses a second's writes at most.
            "appendfsync" if is_commit => "always".to_owned(),
            "appendfsync" if options.snapshot_interval_ms <= 1_000 => "everysec".to_owned(),
            "appendfsync" => "no".to_owned(),
            "bind" => options.process.address.clone(),
            "client-output-buffer-limit" => limits_text(&OWN_BUFFER_LIMITS),
            "client-query-buffer-limit" => (REQUEST_BYTES_MAX + options.value_bytes_max).to_string(),
            "databases" => options.databases.to_string(),
            "dir" => options.process.directory.clone(),
            "port" => options.process.port.to_string(),
            "proto-max-bulk-len" => options.value_bytes_max.to_string(),
            "unixsocket" => options.process.unix_socket.as_ref().map_or_else(String::new, |socket| socket.path.clone()),
            "unixsocketperm" => format!("{:o}", options.process.unix_socket.as_ref().map_or(0, |socket| socket.mode)),
            "stop-writes-on-bgsave-error" => if is_commit { "yes" } else { "no" }.to_owned(),
            _ => self.value.to_owned(),
        }
    }

    /// The value as it is kept and given back, or why it is refused.
    pub(super) fn accept(&self, value: &str, options: &Options) -> Result<String, String> {
        match self.kind {
            Kind::Immutable => Err("can't set immutable config".to_owned()),
            Kind::Protected => Err("can't set protected config".to_owned()),
            Kind::Harmless(check) => check.read(value),
            Kind::Fixed(check, why) => {
                let read = check.read(value)?;
                if read == self.truth(options) { Ok(read) } else { Err(why.to_owned()) }
            }
        }
    }
}

impl Check {
    /// The value as Redis would give it back, or why it is none, in Redis' words.
    fn read(self, value: &str) -> Result<String, String> {
        match self {
            Check::YesNo => yes_no(value).map(|yes| if yes { "yes" } else { "no" }.to_owned()),
            Check::Integer(least, most) => integer(value, least, most).map(|number| number.to_string()),
            Check::Within(least, most) => {
                integer(value, 0, i32::MAX.into()).map(|number| number.clamp(least, most).to_string())
            }
            Check::Bytes => bytes(value).map(|bytes| bytes.to_string()),
            Check::OneOf(all) => {
                let found = all.iter().find(|one| one.eq_ignore_ascii_case(value));
                let none = || format!("argument(s) must be one of the following: {}", all.join(", "));
                found.map(|one| (*one).to_owned()).ok_or_else(none)
            }
            Check::BufferLimits => buffer_limits(value).map_err(str::to_owned),
            Check::SavePoints => save_points(value).ok_or_else(|| "Invalid save parameters".to_owned()),
            Check::Text => Ok(value.to_owned()),
        }
    }
}

pub(super) fn yes_no(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".to_owned()),
    }
}

pub(super) fn integer(value: &str, least: i64, most: i64) -> Result<i64, String> {
    let number = resp::integer(value.as_bytes()).ok_or("argument couldn't be parsed into an integer")?;
    let fits = (least..=most).contains(&number).then_some(number);
    fits.ok_or_else(|| format!("argument must be between {least} and {most} inclusive"))
}

/// A number of bytes as Redis reads it: `k`, `m` and `g` are powers of 1000, `kb`, `mb` and `gb` of 1024.
pub(super) fn bytes(value: &str) -> Result<u64, String> {
    memory(value).ok_or_else(|| "argument must be a memory value".to_owned())
}

fn memory(value: &str) -> Option<u64> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit).filter(|&bytes| bytes <= i64::MAX as u64)
}

/// A class of clients, its hard limit, its soft limit, and seconds.
type BufferLimit = (&'static str, [u64; 3]);

const OWN_BUFFER_LIMITS: [BufferLimit; 3] =
    [("normal", [0; 3]), ("slave", [0; 3]), ("pubsub", [LISTENER_BYTES_MAX as u64, 0, 0])];

fn limits_text(limits: &[BufferLimit]) -> String {
    let mut text = String::new();
    for (class, [hard, soft, seconds]) in limits {
        let space = if text.is_empty() { "" } else { " " };
        write!(text, "{space}{class} {hard} {soft} {seconds}").expect("memory takes all");
    }
    text
}

/// All limits, with those that are given in the place of the node's own.
fn buffer_limits(value: &str) -> Result<String, &'static str> {
    let words: Vec<&str> = if value.is_empty() { Vec::new() } else { value.split(' ').collect() };
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.");
    }
    let mut limits = OWN_BUFFER_LIMITS;
    for words in words.chunks(4) {
        let class = words[0].to_ascii_lowercase();
        let class = if class == "replica" { "slave" } else { class.as_str() };
        let limit = limits.iter_mut().find(|(name, _)| *name == class);
        let (_, limit) = limit.ok_or("Invalid client class specified in buffer limit configuration.")?;
        let seconds = words[3].parse::<i32>().ok().and_then(|seconds| u64::try_from(seconds).ok());
        let read = (memory(words[1]), memory(words[2]), seconds);
        let (Some(hard), Some(soft), Some(seconds)) = read else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
        };
        *limit = [hard, soft, seconds];
    }
    Ok(limits_text(&limits))
}

fn save_points(value: &str) -> Option<String> {
    let words: Vec<&str> = if value.is_empty() { Vec::new() } else { value.split(' ').collect() };
    let is_point = |pair: &[&str]| {
        let [seconds, changes] = pair else { return false };
        let number = |text: &str, least| text.parse::<i64>().is_ok_and(|number| number >= least);
        number(seconds, 1) && number(changes, 0)
    };
    words.chunks(2).all(is_point).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_there_once_in_order_and_is_what_it_says_it_may_be() {
        let options = Options::default();
        assert!(FOREIGN.is_sorted_by(|one, other| one.name < other.name));
        for foreign in FOREIGN {
            let truth = foreign.truth(&options);
            match foreign.kind {
                Kind::Harmless(_) | Kind::Fixed(..) => {
                    assert_eq!(foreign.accept(&truth, &options).as_deref(), Ok(truth.as_str()), "{}", foreign.name);
                }
                Kind::Immutable | Kind::Protected => {
                    assert!(foreign.accept(&truth, &options).is_err(), "{}", foreign.name);
                }
            }
        }
        for (alias, name) in ALIASES {
            assert_eq!(Foreign::named(alias).map(|found| found.name), Some(name));
            assert!(FOREIGN.iter().all(|foreign| foreign.name != alias), "{alias}");
        }
    }

    #[test]
    fn what_a_listener_may_be_owed_is_what_the_sentence_says() {
        assert!(OWN_LIMITS.contains(&format!("{} MiB", LISTENER_BYTES_MAX >> 20)));
    }

    #[test]
    fn sizes_are_read_as_redis_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1k", Some(1_000)),
            ("1Kb", Some(1_024)),
            ("3m", Some(3_000_000)),
            ("1GB", Some(1 << 30)),
            ("7b", Some(7)),
            ("-1", None),
            ("1.5g", None),
            ("1%", None),
            ("g", None),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("99999999999gb", None),
        ] {
            assert_eq!(memory(text), expected, "{text}");
        }
    }
}
