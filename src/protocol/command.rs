//! The commands there are: what a node has to know of each before it runs it. What clients ask about them is in
//! `catalog.rs`; the subcommands of those that are several are in `subcommand.rs`.
//!
//! Names and arity are those of Redis 7 (<https://redis.io/docs/latest/commands/>) where it has the command.

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
    /// The group Redis' documentation has it in.
    pub group: &'static str,
}

macro_rules! commands {
    ($($command:ident $name:literal $arity:literal $kind:ident $group:literal;)*) => {
        /// One of the commands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "`catalog.txt` has a summary of each")]
        pub enum Command { $($command,)* }

        /// All commands, in the order of the variants.
        pub const COMMANDS: &[Described] = &[
            $(Described { name: $name, arity: $arity, kind: Kind::$kind, group: $group },)*
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
    Delete "delete" 2 Write "line";
    WatchPrefix "watch-prefix" -2 Other "json";
    UnwatchPrefix "unwatch-prefix" 1 Other "json";
    Help "help" 1 Other "line";
    // Of this server alone.
    Health "health" -1 Other "node";
    Events "events" -1 Other "node";
    Status "status" 1 Other "node";
    Backup "backup" -2 Other "node";

    Get "get" 2 Read "string";
    Set "set" -3 Write "string";
    SetNx "setnx" 3 Write "string";
    SetEx "setex" 4 Write "string";
    PSetEx "psetex" 4 Write "string";
    GetSet "getset" 3 Write "string";
    GetDel "getdel" 2 Write "string";
    GetEx "getex" -2 Write "string";
    DelEx "delex" -2 Write "string";
    DelIfEq "delifeq" 3 Write "string";
    Digest "digest" 2 Read "string";
    MGet "mget" -2 Read "string";
    MSet "mset" -3 Write "string";
    MSetNx "msetnx" -3 Write "string";
    MSetEx "msetex" -4 Write "string";
    Append "append" 3 Write "string";
    StrLen "strlen" 2 Read "string";
    GetRange "getrange" 4 Read "string";
    SubStr "substr" 4 Read "string";
    SetRange "setrange" 4 Write "string";
    Incr "incr" 2 Write "string";
    Decr "decr" 2 Write "string";
    IncrBy "incrby" 3 Write "string";
    DecrBy "decrby" 3 Write "string";
    IncrByFloat "incrbyfloat" 3 Write "string";
    IncrEx "increx" -2 Write "string";
    Lcs "lcs" -3 Read "string";

    Del "del" -2 Write "generic";
    Unlink "unlink" -2 Write "generic";
    Exists "exists" -2 Read "generic";
    Type "type" 2 Read "generic";
    Touch "touch" -2 Read "generic";
    Rename "rename" 3 Write "generic";
    RenameNx "renamenx" 3 Write "generic";
    Copy "copy" -3 Write "generic";
    Move "move" 3 Write "generic";
    RandomKey "randomkey" 1 Read "generic";
    Keys "keys" 2 Read "generic";
    Scan "scan" -2 Read "generic";
    DbSize "dbsize" 1 Read "server";
    Expire "expire" -3 Write "generic";
    PExpire "pexpire" -3 Write "generic";
    ExpireAt "expireat" -3 Write "generic";
    PExpireAt "pexpireat" -3 Write "generic";
    Ttl "ttl" 2 Read "generic";
    PTtl "pttl" 2 Read "generic";
    ExpireTime "expiretime" 2 Read "generic";
    PExpireTime "pexpiretime" 2 Read "generic";
    Persist "persist" 2 Write "generic";
    Object "object" -2 Read "generic";
    FlushDb "flushdb" -1 Write "server";
    FlushAll "flushall" -1 Write "server";
    SwapDb "swapdb" 3 Write "server";

    SetBit "setbit" 4 Write "bitmap";
    GetBit "getbit" 3 Read "bitmap";
    BitCount "bitcount" -2 Read "bitmap";
    BitPos "bitpos" -3 Read "bitmap";
    BitOp "bitop" -4 Write "bitmap";
    BitField "bitfield" -2 Write "bitmap";
    BitFieldRo "bitfield_ro" -2 Read "bitmap";

    Ping "ping" -1 Other "connection";
    Echo "echo" 2 Other "connection";
    Select "select" 2 Other "connection";
    Hello "hello" -1 Other "connection";
    Auth "auth" -2 Other "connection";
    Quit "quit" -1 Other "connection";
    Reset "reset" 1 Other "connection";
    Client "client" -2 Other "connection";

    Multi "multi" 1 Other "transactions";
    Exec "exec" 1 Other "transactions";
    Discard "discard" 1 Other "transactions";
    Watch "watch" -2 Other "transactions";
    Unwatch "unwatch" 1 Other "transactions";

    Subscribe "subscribe" -2 Other "pubsub";
    Unsubscribe "unsubscribe" -1 Other "pubsub";
    PSubscribe "psubscribe" -2 Other "pubsub";
    PUnsubscribe "punsubscribe" -1 Other "pubsub";
    Publish "publish" 3 Other "pubsub";
    SSubscribe "ssubscribe" -2 Other "pubsub";
    SUnsubscribe "sunsubscribe" -1 Other "pubsub";
    SPublish "spublish" 3 Other "pubsub";
    PubSub "pubsub" -2 Other "pubsub";

    Info "info" -1 Other "server";
    CommandInfo "command" -1 Other "server";
    Config "config" -2 Other "server";
    Time "time" 1 Other "server";
    LastSave "lastsave" 1 Other "server";
    Save "save" 1 Other "server";
    BgSave "bgsave" -1 Other "server";
    Monitor "monitor" 1 Other "server";
    Debug "debug" -2 Other "server";
    SlowLog "slowlog" -2 Other "server";
    Latency "latency" -2 Other "server";
    Memory "memory" -2 Read "server";
    Wait "wait" 3 Other "generic";
    WaitAof "waitaof" 4 Other "generic";
    Shutdown "shutdown" -1 Other "server";
    Lolwut "lolwut" -1 Other "server";
    Eval "eval" -3 Write "scripting";
    EvalSha "evalsha" -3 Write "scripting";
    EvalRo "eval_ro" -3 Read "scripting";
    EvalShaRo "evalsha_ro" -3 Read "scripting";
    Script "script" -2 Other "scripting";
    Function "function" -2 Other "scripting";
    Acl "acl" -2 Other "server";
    Module "module" -2 Other "server";
    Role "role" 1 Other "server";
    Cluster "cluster" -2 Other "cluster";
    Asking "asking" 1 Other "cluster";
    ReadOnly "readonly" 1 Other "cluster";
    ReadWrite "readwrite" 1 Other "cluster";
}

impl Described {
    /// Whether clients that speak RESP are told of it: what Redis does not have they would not understand.
    fn is_of_resp(&self) -> bool {
        !["line", "json", "node"].contains(&self.group)
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

    /// The keys that it looks at or changes, as the catalog has them.
    pub fn keys(self, args: super::Args<'_>) -> impl Iterator<Item = &[u8]> {
        let (first, step, count) = self.key_places(args);
        args.from(first).step_by(step).take(count)
    }

    /// Whether it runs a script. Where its keys are is among its arguments.
    pub fn is_script(self) -> bool {
        matches!(self, Command::Eval | Command::EvalSha | Command::EvalRo | Command::EvalShaRo)
    }

    /// Whether a script may run it, as Redis has it (`noscript`).
    pub fn is_for_scripts(self) -> bool {
        use Command::{
            Acl, Auth, BgSave, Client, Config, Debug, Discard, Eval, EvalRo, EvalSha, EvalShaRo, Exec, Function, Hello,
            Latency, Module, Monitor, Multi, PSubscribe, PUnsubscribe, Quit, Reset, Role, SSubscribe, SUnsubscribe,
            Save, Script, Shutdown, Subscribe, Unsubscribe, Unwatch, Wait, WaitAof, Watch,
        };
        !matches!(
            self,
            Acl | Auth
                | BgSave
                | Client
                | Config
                | Debug
                | Discard
                | Eval
                | EvalRo
                | EvalSha
                | EvalShaRo
                | Exec
                | Function
                | Hello
                | Latency
                | Module
                | Monitor
                | Multi
                | PSubscribe
                | PUnsubscribe
                | Quit
                | Reset
                | Role
                | SSubscribe
                | SUnsubscribe
                | Save
                | Script
                | Shutdown
                | Subscribe
                | Unsubscribe
                | Unwatch
                | Wait
                | WaitAof
                | Watch
        )
    }

    /// Whether clients that speak RESP are told of it.
    pub fn is_of_resp(self) -> bool {
        self.describe().is_of_resp()
    }

    /// Where among the arguments the keys are: the first, how far from one to the next, and how many at most.
    pub fn key_places(self, args: super::Args<'_>) -> (usize, usize, usize) {
        use Command::{
            BitOp, Copy, DbSize, Del, Exists, FlushAll, FlushDb, Keys, Lcs, MGet, MSet, MSetEx, MSetNx, Memory, Object,
            RandomKey, Rename, RenameNx, Scan, SwapDb, Touch, Unlink,
        };
        match self {
            DbSize | FlushAll | FlushDb | Keys | RandomKey | Scan | SwapDb => (0, 1, 0),
            _ if self.is_script() => {
                let count = args.get(2).and_then(|count| std::str::from_utf8(count).ok()?.parse::<usize>().ok());
                (3, 1, count.filter(|count| count.checked_add(3).is_some_and(|end| end <= args.len())).unwrap_or(0))
            }
            _ if self.describe().kind == Kind::Other => (0, 1, 0),
            Copy | Lcs | Rename | RenameNx => (1, 1, 2),
            MSet | MSetNx => (1, 2, usize::MAX),
            // One that says another number of keys than there are does nothing.
            MSetEx => (2, 2, number_of_keys(args).filter(|count| args.len() >= 2 + 2 * count).unwrap_or(0)),
            Del | Exists | MGet | Touch | Unlink => (1, 1, usize::MAX),
            BitOp => (2, 1, usize::MAX),
            Memory | Object => (2, 1, 1),
            _ => (1, 1, 1),
        }
    }

    /// Whether it sends a message to other clients.
    pub fn publishes(self) -> bool {
        matches!(self, Command::Publish | Command::SPublish)
    }

    /// Whether Redis refuses it while more memory is in use than allowed (`denyoom`).
    pub fn needs_memory(self) -> bool {
        use Command::{
            Append, BitField, BitOp, Copy, Decr, DecrBy, GetSet, Incr, IncrBy, IncrByFloat, IncrEx, MSet, MSetEx,
            MSetNx, PSetEx, Set, SetBit, SetEx, SetNx, SetRange,
        };
        matches!(
            self,
            Append
                | BitField
                | BitOp
                | Copy
                | Decr
                | DecrBy
                | GetSet
                | Incr
                | IncrBy
                | IncrByFloat
                | IncrEx
                | MSet
                | MSetEx
                | MSetNx
                | PSetEx
                | Set
                | SetBit
                | SetEx
                | SetNx
                | SetRange
        )
    }

    /// Whether it can take more than some hundred microseconds with a few arguments: it goes through many keys or
    /// clients, or computes with long values.
    pub const fn can_take_long(self) -> bool {
        use Command::{
            BitCount, BitOp, Client, Debug, Digest, Eval, EvalRo, EvalSha, EvalShaRo, Exec, Info, Keys, Lcs, PubSub,
            Publish, RandomKey, Scan, Script, Status,
        };
        matches!(
            self,
            BitCount
                | BitOp
                | Client
                | Debug
                | Digest
                | Eval
                | EvalRo
                | EvalSha
                | EvalShaRo
                | Exec
                | Info
                | Keys
                | Lcs
                | PubSub
                | Publish
                | RandomKey
                | Scan
                | Script
                | Status
        )
    }

    /// Whether it neither can take long nor has subcommands.
    #[inline]
    pub fn is_plain(self) -> bool {
        const PLAIN: [bool; ALL.len()] = {
            let mut plain = [true; ALL.len()];
            let mut number = 0;
            while number < ALL.len() {
                plain[number] = !ALL[number].can_take_long() && ALL[number].subcommands().is_empty();
                number += 1;
            }
            plain
        };
        PLAIN[self as usize]
    }

    /// All that clients are told of that speak RESP.
    pub fn all_of_resp() -> impl Iterator<Item = Command> {
        ALL.iter().copied().filter(|command| command.describe().is_of_resp())
    }

    /// Whether it may have so many arguments, its name counted.
    pub fn takes(self, count: usize) -> bool {
        let arity = self.describe().arity;
        if arity < 0 { count >= arity.unsigned_abs() as usize } else { count == arity as usize }
    }
}

/// How many keys a request says that it has (`MSETEX 2 ...`); `None` where that is no such number.
pub fn number_of_keys(args: super::Args<'_>) -> Option<usize> {
    let text = std::str::from_utf8(args.get(1)?).ok()?;
    let is_plain = text.starts_with(|first: char| ('1'..='9').contains(&first));
    text.parse::<i32>().ok().filter(|_| is_plain)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Scratch;

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

    #[test]
    fn keys_are_as_many_as_a_request_says_where_it_has_so_many() {
        let check = |text: &str, expected: &[&str]| {
            let mut scratch = Scratch::default();
            text.split(' ').for_each(|word| scratch.push(word.as_bytes()));
            let keys: Vec<&[u8]> = Command::MSetEx.keys(scratch.args()).collect();
            assert_eq!(keys, expected.iter().map(|key| key.as_bytes()).collect::<Vec<_>>(), "{text}");
        };
        check("MSETEX 1 a 1", &["a"]);
        check("MSETEX 2 a 1 b 2 EX 10", &["a", "b"]);
        check("MSETEX 1 a 1 b 2", &["a"]);
        for wrong in ["0", "-1", "2", "01", "+1", "x", "1.5", "", "2147483647", "2147483648", "18446744073709551615"] {
            check(&format!("MSETEX {wrong} a 1"), &[]);
        }
    }
}
