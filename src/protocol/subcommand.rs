//! Commands that are several: the table of their subcommands. Names and arity are those of Redis 7.

use super::Command;

/// The subcommands of one command.
pub trait Subcommand: Copy + 'static {
    /// The command.
    const COMMAND: Command;
    /// All there are, with their names.
    const ALL: &'static [(Self, &'static str)];

    /// The one with this name, in any case.
    fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(found, _)| *found)
    }
}

macro_rules! subcommands {
    ($($command:ident { $($subcommand:ident $name:literal $arity:literal;)* })*) => {
        $(
            #[doc = concat!("Those of [`Command::", stringify!($command), "`].")]
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[allow(missing_docs, reason = "`catalog.txt` has a summary of each")]
            pub enum $command { $($subcommand,)* }

            impl Subcommand for $command {
                const COMMAND: Command = Command::$command;
                const ALL: &'static [($command, &'static str)] = &[$(($command::$subcommand, $name),)*];
            }
        )*

        impl Command {
            /// Subcommands and their arity: arguments with both names; negative: so many at least.
            pub const fn subcommands(self) -> &'static [(&'static str, i32)] {
                match self {
                    $(Command::$command => &[$(($name, $arity),)*],)*
                    _ => &[],
                }
            }
        }
    };
}

subcommands! {
    Acl {
        Cat "cat" -2;
        DelUser "deluser" -3;
        DryRun "dryrun" -4;
        GenPass "genpass" -2;
        GetUser "getuser" 3;
        Help "help" 2;
        List "list" 2;
        Load "load" 2;
        Log "log" -2;
        Save "save" 2;
        SetUser "setuser" -3;
        Users "users" 2;
        WhoAmI "whoami" 2;
    }
    Client {
        Id "id" 2;
        GetName "getname" 2;
        SetName "setname" 3;
        SetInfo "setinfo" 4;
        List "list" -2;
        Info "info" 2;
        Kill "kill" -3;
        NoEvict "no-evict" 3;
        NoTouch "no-touch" 3;
        Reply "reply" 3;
        Pause "pause" -3;
        Unpause "unpause" 2;
        Unblock "unblock" -3;
        Tracking "tracking" -3;
        TrackingInfo "trackinginfo" 2;
        GetRedir "getredir" 2;
        Caching "caching" 3;
        Help "help" 2;
    }
    Cluster {
        AddSlots "addslots" -3;
        AddSlotsRange "addslotsrange" -4;
        BumpEpoch "bumpepoch" 2;
        CountFailureReports "count-failure-reports" 3;
        CountKeysInSlot "countkeysinslot" 3;
        DelSlots "delslots" -3;
        DelSlotsRange "delslotsrange" -4;
        Failover "failover" -2;
        FlushSlots "flushslots" 2;
        Forget "forget" 3;
        GetKeysInSlot "getkeysinslot" 4;
        Help "help" 2;
        Info "info" 2;
        KeySlot "keyslot" 3;
        Links "links" 2;
        Meet "meet" -4;
        MyId "myid" 2;
        Nodes "nodes" 2;
        Replicas "replicas" 3;
        Replicate "replicate" 3;
        Reset "reset" -2;
        SaveConfig "saveconfig" 2;
        SetConfigEpoch "set-config-epoch" 3;
        SetSlot "setslot" -4;
        Shards "shards" 2;
        Slaves "slaves" 3;
        Slots "slots" 2;
    }
    CommandInfo {
        Count "count" 2;
        Info "info" -2;
        Docs "docs" -2;
        List "list" -2;
        GetKeys "getkeys" -4;
        GetKeysAndFlags "getkeysandflags" -4;
        Help "help" 2;
    }
    Config {
        Get "get" -3;
        Set "set" -4;
        ResetStat "resetstat" 2;
        Rewrite "rewrite" 2;
        Help "help" 2;
    }
    Function {
        Flush "flush" -2;
        Help "help" 2;
        List "list" -2;
    }
    Latency {
        Doctor "doctor" 2;
        Graph "graph" 3;
        Help "help" 2;
        Histogram "histogram" -2;
        History "history" 3;
        Latest "latest" 2;
        Reset "reset" -2;
    }
    Memory {
        Doctor "doctor" 2;
        Help "help" 2;
        Purge "purge" 2;
        Stats "stats" 2;
        Usage "usage" -3;
    }
    Module {
        Help "help" 2;
        List "list" 2;
    }
    Object {
        Encoding "encoding" 3;
        Freq "freq" 3;
        Help "help" 2;
        IdleTime "idletime" 3;
        RefCount "refcount" 3;
    }
    PubSub {
        Channels "channels" -2;
        Help "help" 2;
        NumPat "numpat" 2;
        NumSub "numsub" -2;
        ShardChannels "shardchannels" -2;
        ShardNumSub "shardnumsub" -2;
    }
    Script {
        Load "load" 3;
        Exists "exists" -3;
        Flush "flush" -2;
        Kill "kill" 2;
        Debug "debug" 3;
        Help "help" 2;
    }
    SlowLog {
        Get "get" -2;
        Help "help" 2;
        Len "len" 2;
        Reset "reset" 2;
    }
}
