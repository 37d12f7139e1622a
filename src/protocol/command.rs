//! The commands there are: names, arity, and what tools ask about them.
//!
//! Names, arity, flags and key places are those of Redis 7 (<https://redis.io/docs/latest/commands/>) where it has the
//! command.

/// What a command does, as far as the node has to know before it runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Changes keys.
    Write,
    /// Looks at keys.
    Read,
    /// Neither.
    Other,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// In lower case.
    pub name: &'static str,
    /// Arguments with the name; negative: so many at least.
    pub arity: i32,
    /// What it does to keys.
    pub kind: Kind,
    /// First key, last key (negative: counted from the end), and the step between them; 0: none.
    pub keys: (i32, i32, i32),
    /// The group Redis' documentation has it in.
    pub group: &'static str,
    /// What it is for, in a sentence.
    pub summary: &'static str,
}

macro_rules! commands {
    ($($command:ident $name:literal $arity:literal $kind:ident $keys:expr, $group:literal, $summary:literal;)*) => {
        /// One of the commands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table has a summary of each")]
        pub enum Command { $($command,)* }

        /// All commands, in the order of the variants.
        pub const COMMANDS: &[Described] = &[
            $(Described {
                name: $name, arity: $arity, kind: Kind::$kind, keys: $keys, group: $group, summary: $summary,
            },)*
        ];

        const ALL: &[Command] = &[$(Command::$command,)*];

        fn find(name: &str) -> Option<Command> {
            match name {
                $($name => Some(Command::$command),)*
                _ => None,
            }
        }
    };
}

commands! {
    // Of the line dialect alone.
    Delete "delete" 2 Write (1, 1, 1), "line", "Forgets a key";
    WatchPrefix "watch-prefix" -2 Other (0, 0, 0), "json", "Tells of the changes of all keys that begin so";
    UnwatchPrefix "unwatch-prefix" 1 Other (0, 0, 0), "json", "Tells of changes no more";
    Help "help" 1 Other (0, 0, 0), "line", "What can be said in the line dialect";

    Get "get" 2 Read (1, 1, 1), "string", "Returns the value of a key";
    Set "set" -3 Write (1, 1, 1), "string", "Sets the value of a key, whatever it was";
    SetNx "setnx" 3 Write (1, 1, 1), "string", "Sets the value of a key only where it has none";
    SetEx "setex" 4 Write (1, 1, 1), "string", "Sets value and expiration in seconds";
    PSetEx "psetex" 4 Write (1, 1, 1), "string", "Sets value and expiration in milliseconds";
    GetSet "getset" 3 Write (1, 1, 1), "string", "Sets the value of a key and returns the one before";
    GetDel "getdel" 2 Write (1, 1, 1), "string", "Returns the value of a key and deletes it";
    GetEx "getex" -2 Write (1, 1, 1), "string", "Returns the value of a key and sets its expiration";
    MGet "mget" -2 Read (1, -1, 1), "string", "Returns the values of several keys";
    MSet "mset" -3 Write (1, -1, 2), "string", "Sets several keys as one";
    MSetNx "msetnx" -3 Write (1, -1, 2), "string", "Sets several keys as one, only where none of them has a value";
    Append "append" 3 Write (1, 1, 1), "string", "Appends to the value of a key";
    StrLen "strlen" 2 Read (1, 1, 1), "string", "Returns the length of a value";
    GetRange "getrange" 4 Read (1, 1, 1), "string", "Returns a part of a value";
    SubStr "substr" 4 Read (1, 1, 1), "string", "Returns a part of a value";
    SetRange "setrange" 4 Write (1, 1, 1), "string", "Overwrites a part of a value";
    Incr "incr" 2 Write (1, 1, 1), "string", "Adds one to the number a key holds";
    Decr "decr" 2 Write (1, 1, 1), "string", "Takes one from the number a key holds";
    IncrBy "incrby" 3 Write (1, 1, 1), "string", "Adds to the number a key holds";
    DecrBy "decrby" 3 Write (1, 1, 1), "string", "Takes from the number a key holds";
    IncrByFloat "incrbyfloat" 3 Write (1, 1, 1), "string", "Adds to the floating point number a key holds";
    Lcs "lcs" -3 Read (1, 2, 1), "string", "Finds the longest common subsequence of two values";

    Del "del" -2 Write (1, -1, 1), "generic", "Deletes keys";
    Unlink "unlink" -2 Write (1, -1, 1), "generic", "Deletes keys";
    Exists "exists" -2 Read (1, -1, 1), "generic", "Counts which of the keys exist";
    Type "type" 2 Read (1, 1, 1), "generic", "Returns the type of a value";
    Touch "touch" -2 Read (1, -1, 1), "generic", "Counts which of the keys exist";
    Rename "rename" 3 Write (1, 2, 1), "generic", "Renames a key and overwrites the destination";
    RenameNx "renamenx" 3 Write (1, 2, 1), "generic", "Renames a key only where the destination has no value";
    Copy "copy" -3 Write (1, 2, 1), "generic", "Copies the value of a key to another";
    RandomKey "randomkey" 1 Read (0, 0, 0), "generic", "Returns a random key";
    Keys "keys" 2 Read (0, 0, 0), "generic", "Returns all keys that match a pattern";
    Scan "scan" -2 Read (0, 0, 0), "generic", "Goes through the keys";
    DbSize "dbsize" 1 Read (0, 0, 0), "server", "Returns the number of keys";
    Expire "expire" -3 Write (1, 1, 1), "generic", "Sets the expiration of a key in seconds";
    PExpire "pexpire" -3 Write (1, 1, 1), "generic", "Sets the expiration of a key in milliseconds";
    ExpireAt "expireat" -3 Write (1, 1, 1), "generic", "Sets the expiration of a key to a unix time in seconds";
    PExpireAt "pexpireat" -3 Write (1, 1, 1), "generic", "Sets the expiration of a key to a unix time in milliseconds";
    Ttl "ttl" 2 Read (1, 1, 1), "generic", "Returns the time to live of a key in seconds";
    PTtl "pttl" 2 Read (1, 1, 1), "generic", "Returns the time to live of a key in milliseconds";
    ExpireTime "expiretime" 2 Read (1, 1, 1), "generic", "Returns the expiration of a key as a unix time in seconds";
    PExpireTime "pexpiretime" 2 Read (1, 1, 1), "generic", "Returns the expiration of a key as a unix time in milliseconds";
    Persist "persist" 2 Write (1, 1, 1), "generic", "Removes the expiration of a key";
    Object "object" -2 Read (2, 2, 1), "generic", "Looks into how a value is stored";
    FlushDb "flushdb" -1 Write (0, 0, 0), "server", "Removes all keys";
    FlushAll "flushall" -1 Write (0, 0, 0), "server", "Removes all keys";

    SetBit "setbit" 4 Write (1, 1, 1), "bitmap", "Sets a bit of a value";
    GetBit "getbit" 3 Read (1, 1, 1), "bitmap", "Returns a bit of a value";
    BitCount "bitcount" -2 Read (1, 1, 1), "bitmap", "Counts the bits that are set";
    BitPos "bitpos" -3 Read (1, 1, 1), "bitmap", "Finds the first bit that is set or clear";
    BitOp "bitop" -4 Write (2, -1, 1), "bitmap", "Combines values bit by bit";
    BitField "bitfield" -2 Write (1, 1, 1), "bitmap", "Reads and writes integers of any width in a value";
    BitFieldRo "bitfield_ro" -2 Read (1, 1, 1), "bitmap", "Reads integers of any width in a value";

    Ping "ping" -1 Other (0, 0, 0), "connection", "Answers PONG";
    Echo "echo" 2 Other (0, 0, 0), "connection", "Returns its argument";
    Select "select" 2 Other (0, 0, 0), "connection", "Selects the database: there is 0";
    Hello "hello" -1 Other (0, 0, 0), "connection", "Begins a conversation in RESP2 or RESP3";
    Quit "quit" -1 Other (0, 0, 0), "connection", "Ends the conversation";
    Reset "reset" 1 Other (0, 0, 0), "connection", "Puts the conversation back to its beginning";
    Client "client" -2 Other (0, 0, 0), "connection", "Looks at clients and sets what concerns them";

    Multi "multi" 1 Other (0, 0, 0), "transactions", "Begins a transaction";
    Exec "exec" 1 Other (0, 0, 0), "transactions", "Runs a transaction";
    Discard "discard" 1 Other (0, 0, 0), "transactions", "Drops a transaction";
    Watch "watch" -2 Other (1, -1, 1), "transactions", "Makes a transaction depend on keys that nobody changes";
    Unwatch "unwatch" 1 Other (0, 0, 0), "transactions", "Forgets the watched keys";

    Subscribe "subscribe" -2 Other (0, 0, 0), "pubsub", "Listens to channels";
    Unsubscribe "unsubscribe" -1 Other (0, 0, 0), "pubsub", "Stops listening to channels";
    PSubscribe "psubscribe" -2 Other (0, 0, 0), "pubsub", "Listens to channels that match patterns";
    PUnsubscribe "punsubscribe" -1 Other (0, 0, 0), "pubsub", "Stops listening to channels that match patterns";
    Publish "publish" 3 Other (0, 0, 0), "pubsub", "Sends a message to a channel";
    PubSub "pubsub" -2 Other (0, 0, 0), "pubsub", "Looks at channels";

    Info "info" -1 Other (0, 0, 0), "server", "Returns the state of the node";
    CommandInfo "command" -1 Other (0, 0, 0), "server", "Returns what commands there are";
    Config "config" -2 Other (0, 0, 0), "server", "Reads and changes settings";
    Time "time" 1 Other (0, 0, 0), "server", "Returns the node's wall clock";
    LastSave "lastsave" 1 Other (0, 0, 0), "server", "Returns when the last snapshot was committed";
    Save "save" 1 Other (0, 0, 0), "server", "Answers once everything is on disk";
    BgSave "bgsave" -1 Other (0, 0, 0), "server", "Begins a snapshot";
    Debug "debug" -2 Other (0, 0, 0), "server", "For tests of clients";
    SlowLog "slowlog" -2 Other (0, 0, 0), "server", "Returns the slowest commands";
    Latency "latency" -2 Other (0, 0, 0), "server", "Looks at latency";
    Memory "memory" -2 Read (0, 0, 0), "server", "Looks at memory";
    Wait "wait" 3 Other (0, 0, 0), "generic", "Answers once peers have the session's last write on disk";
    WaitAof "waitaof" 4 Other (0, 0, 0), "generic", "Answers once this node and peers have the session's last write on disk";
    Shutdown "shutdown" -1 Other (0, 0, 0), "server", "Ends the node";
    Lolwut "lolwut" -1 Other (0, 0, 0), "server", "Shows the version";
    Function "function" -2 Other (0, 0, 0), "scripting", "There are no functions: FUNCTION FLUSH is all there is";
}

impl Described {
    /// Whether clients that speak RESP have it.
    fn is_of_resp(&self) -> bool {
        !["line", "json"].contains(&self.group)
    }
}

/// Longest name in the table.
const NAME_BYTES_MAX: usize = 16;

impl Command {
    /// The command with this name, in any case.
    pub fn named(name: &[u8]) -> Option<Command> {
        let mut lower = [0; NAME_BYTES_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        match &*lower {
            b"get" => Some(Command::Get),
            b"set" => Some(Command::Set),
            other => find(std::str::from_utf8(other).ok()?),
        }
    }

    /// Its row.
    pub fn describe(self) -> &'static Described {
        &COMMANDS[self as usize]
    }

    /// Parts and their arity: arguments with both names; negative: so many at least.
    pub fn parts(self) -> &'static [(&'static str, i32)] {
        match self {
            Command::Client => &[
                ("id", 2),
                ("getname", 2),
                ("setname", 3),
                ("setinfo", 4),
                ("list", -2),
                ("info", 2),
                ("kill", -3),
                ("no-evict", 3),
                ("no-touch", 3),
                ("reply", 3),
                ("pause", -3),
                ("unpause", 2),
                ("help", 2),
            ],
            Command::CommandInfo => {
                &[("count", 2), ("info", -2), ("docs", -2), ("list", -2), ("getkeys", -4), ("help", 2)]
            }
            Command::Config => &[("get", -3), ("set", -4), ("resetstat", 2), ("rewrite", 2), ("help", 2)],
            Command::Function => &[("flush", -2), ("help", 2), ("list", -2)],
            Command::Latency => &[
                ("doctor", 2),
                ("graph", 3),
                ("help", 2),
                ("histogram", -2),
                ("history", 3),
                ("latest", 2),
                ("reset", -2),
            ],
            Command::Memory => &[("doctor", 2), ("help", 2), ("purge", 2), ("stats", 2), ("usage", -3)],
            Command::Object => &[("encoding", 3), ("freq", 3), ("help", 2), ("idletime", 3), ("refcount", 3)],
            Command::PubSub => &[
                ("channels", -2),
                ("help", 2),
                ("numpat", 2),
                ("numsub", -2),
                ("shardchannels", -2),
                ("shardnumsub", -2),
            ],
            Command::SlowLog => &[("get", -2), ("help", 2), ("len", 2), ("reset", 2)],
            _ => &[],
        }
    }

    /// Whether it can take more than some hundred microseconds with a few arguments: it goes through many keys or
    /// clients, or computes with long values.
    pub fn can_take_long(self) -> bool {
        use Command::{BitCount, BitOp, Client, Debug, Exec, Info, Keys, Lcs, PubSub, Publish, RandomKey, Scan};
        matches!(
            self,
            BitCount | BitOp | Client | Debug | Exec | Info | Keys | Lcs | PubSub | Publish | RandomKey | Scan
        )
    }

    /// All there are for clients that speak RESP.
    pub fn all_of_resp() -> impl Iterator<Item = Command> {
        ALL.iter().copied().filter(|command| command.describe().is_of_resp())
    }

    /// Whether it may have so many arguments, its name counted.
    pub fn takes(self, count: usize) -> bool {
        let arity = self.describe().arity;
        if arity < 0 { count >= arity.unsigned_abs() as usize } else { count == arity as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        for &command in ALL {
            let name = command.describe().name;
            assert!(name.len() <= NAME_BYTES_MAX);
            assert_eq!(Command::named(name.as_bytes()), Some(command));
            assert_eq!(Command::named(name.to_uppercase().as_bytes()), Some(command));
        }
        assert_eq!(Command::named(b"hset"), None);
        assert_eq!(Command::named(b"a name that is far too long"), None);
    }
}
