//! The answer to `HELP` of commands with subcommands, in Redis' form.

use super::{Command, DONE, Data, Outcome, Reply};

/// A line for each subcommand, and below it, set off, what it does.
pub(super) fn help(cx: &mut Data<'_>, command: Command) -> Outcome {
    let name = command.describe().name.to_uppercase();
    let lines = lines(command);
    cx.out.answer(Reply::Array(lines.len() + 3));
    let first = format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    cx.out.answer(Reply::Simple(&first));
    lines.iter().chain(&["HELP", "    Prints this help."]).for_each(|line| cx.out.answer(Reply::Simple(line)));
    DONE
}

fn lines(command: Command) -> &'static [&'static str] {
    match command {
        Command::Acl => ACL,
        Command::Client => CLIENT,
        Command::CommandInfo => COMMAND,
        Command::Config => CONFIG,
        Command::Debug => DEBUG,
        Command::Function => FUNCTION,
        Command::Latency => LATENCY,
        Command::Memory => MEMORY,
        Command::Module => MODULE,
        Command::Object => OBJECT,
        Command::PubSub => PUBSUB,
        Command::Script => SCRIPT,
        Command::SlowLog => SLOWLOG,
        _ => &[],
    }
}

const ACL: &[&str] = &[
    "CAT [<category>]",
    "    List the categories of commands, or the commands of one.",
    "DELUSER <username> [<username> ...]",
    "    Delete users, and end the connections of those who are them.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Return whether the user could run the command, without running it.",
    "GENPASS [<bits>]",
    "    Generate a password of 256 random bits, or so many.",
    "GETUSER <username>",
    "    Describe a user.",
    "LIST",
    "    List the users with their rules.",
    "LOAD",
    "    Read the ACL file again: all of it, or nothing is changed.",
    "LOG [<count> | RESET]",
    "    List what was refused lately, the latest first, or forget it.",
    "SAVE",
    "    Write the users to the ACL file.",
    "SETUSER <username> <rule> [<rule> ...]",
    "    Create or change a user.",
    "USERS",
    "    List the users.",
    "WHOAMI",
    "    Return the connection's user.",
];

const CLIENT: &[&str] = &[
    "CACHING (YES|NO)",
    "    Refused: keys are not tracked.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled: none.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR <ip:port>, LADDR <ip:port>",
    "      Kill connections made from or to the specified address.",
    "    * ID <client-id>, TYPE (NORMAL|MASTER|REPLICA|PUBSUB), USER <username>",
    "      Kill connections by ID, type or user.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)|ID <client-id> [<client-id> ...]]",
    "    Return information about client connections.",
    "NO-EVICT (ON|OFF)",
    "    Accepted: no client is evicted.",
    "NO-TOUCH (ON|OFF)",
    "    Accepted: access times of keys are not tracked.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETINFO (LIB-NAME|LIB-VER) <text>",
    "    Assign the name or version of the library to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "TRACKING (ON|OFF) [<option> ...]",
    "    Refused, but for OFF: keys are not tracked.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic. It is not held by a pause.",
];

const COMMAND: &[&str] = &[
    "(no subcommand)",
    "    Return details about all commands.",
    "COUNT",
    "    Return the total number of commands.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple commands, or all.",
    "GETKEYS <full-command>",
    "    Return the keys from a full command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full command.",
    "INFO [<command-name> ...]",
    "    Return details about multiple commands, or all.",
    "LIST [FILTERBY (MODULE|ACLCAT|PATTERN) <value>]",
    "    Return a list of all commands, or of those that the filter lets through.",
];

const CONFIG: &[&str] = &[
    "GET <pattern> [<pattern> ...]",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value> [<directive> <value> ...]",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Refused: nothing is written to a configuration file.",
];

const DEBUG: &[&str] = &[
    "ERROR <string>",
    "    Return an error with <string> as message.",
    "OBJECT <key>",
    "    Show low level info about <key> and associated value.",
    "SET-ACTIVE-EXPIRE (0|1)",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed. Setting it to 1 reenables back the default.",
    "SLEEP <seconds>",
    "    Answer after <seconds>; other clients are served meanwhile. Decimals allowed.",
];

const FUNCTION: &[&str] = &[
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries: there are none.",
    "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
    "    Return information on all the libraries: there are none.",
];

const LATENCY: &[&str] = &[
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTOGRAM [<command> ...]",
    "    Return a cumulative distribution of the latencies of the specified commands.",
    "    If no commands are specified then all histograms are replied.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
];

const MEMORY: &[&str] = &[
    "DOCTOR",
    "    Return where memory is reported.",
    "PURGE",
    "    Accepted: memory goes back to the system as it is freed.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value.",
];

const MODULE: &[&str] = &["LIST", "    Return a list of loaded modules: there are none."];

const OBJECT: &[&str] = &[
    "ENCODING <key>",
    "    Return the encoding in which Redis would store the value of <key>.",
    "FREQ <key>",
    "    Refused: the access frequency of keys is not tracked.",
    "IDLETIME <key>",
    "    Refused: the access time of keys is not tracked.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with <key>: 1.",
];

const PUBSUB: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channels.",
];

const SCRIPT: &[&str] = &[
    "DEBUG NO",
    "    Accepted: scripts cannot be debugged.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Tell of each script whether this node has it.",
    "FLUSH [ASYNC|SYNC]",
    "    Forget all scripts.",
    "KILL",
    "    Always refused: a script that takes too long is ended by itself.",
    "LOAD <script>",
    "    Keep a script on this node without running it.",
];

const SLOWLOG: &[&str] = &[
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of: id, timestamp, time in microseconds, arguments array,",
    "    client IP and port, client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
];
