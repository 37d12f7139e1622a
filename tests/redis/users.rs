//! The same generated rules, users and requests to Debian's Redis and to a node: the answers are the same.
//!
//! Exceptions, where Redis 7.2, whose words these are, differs from 7.0.15:
//! - `NOPERM` and `ACL DRYRUN` name the user, and say less of the key
//! - a user that was never told otherwise is shown with `sanitize-payload`
//! - a parenthesis that is opened within another one ends it there without a word
//! - rules about commands are shown as they were given. That they mean the same is asked of Redis: a user with the rules
//!   that this node shows is the same to it as the user with those that were given

use fastrand::Rng;

use crate::harness::Server;
use crate::harness::redis::Redis;
use crate::reply::{Resp, words};

/// Sequences in the gate, and requests of each.
const SEQUENCES: u64 = 30;
const REQUESTS: usize = 150;

/// This node makes who says wrong passwords wait, longer each time, and then hangs up, which Redis does not.
const REFUSED_MAX: usize = 2;

const USERS: [&str; 2] = ["ann", "bob"];

const RULES: &[&str] = &[
    "on",
    "on",
    "off",
    "nopass",
    "resetpass",
    ">one",
    ">two",
    "<one",
    "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "!2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "#2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25B",
    "allkeys",
    "~*",
    "resetkeys",
    "~a*",
    "~b",
    "%R~a*",
    "%W~b",
    "%rw~c",
    "%~x",
    "%X~x",
    "~[a-c]?",
    "&news",
    "&n*",
    "&*",
    "resetchannels",
    "+get",
    "-get",
    "+SET",
    "-set",
    "+@read",
    "-@read",
    "+@write",
    "-@WRITE",
    "+@all",
    "-@all",
    "allcommands",
    "nocommands",
    "+client|id",
    "+client",
    "-client",
    "-client|id",
    "+config|get",
    "+config|nosuch",
    "+config|get|x",
    "+config|",
    "+select|0",
    "+select|1",
    "+debug|object",
    "-select",
    "-select|0",
    "+@dangerous",
    "-@dangerous",
    "+hget",
    "-@hash",
    "+@connection",
    "+@fast",
    "-@slow",
    "+@pubsub",
    "+@transaction",
    "+ping",
    "+acl|whoami",
    "+nosuch",
    "-@nosuch",
    "reset",
    "clearselectors",
    "(+get ~b)",
    "(+@write ~c &news)",
    "(%W~a* +set +mset)",
    "(on)",
    "(+get",
    "on)",
    "nonsense",
    "skip-sanitize-payload",
];

/// What a user may or may not do. `k` is a key, `c` a channel.
const REQUESTS_OF_USERS: &[&str] = &[
    "GET k",
    "SET k 1",
    "SET k 1 GET",
    "GETDEL k",
    "MGET k k",
    "MSET k 1 k 2",
    "COPY k k",
    "RENAME k k",
    "EXISTS k k",
    "STRLEN k",
    "DEL k",
    "INCR k",
    "APPEND k 1",
    "EXPIRE k 1000",
    "TTL k",
    "BITFIELD k GET u8 0",
    "BITFIELD k SET u8 0 1",
    "BITOP AND k k k",
    "LCS k k",
    "OBJECT ENCODING k",
    "WATCH k",
    "DBSIZE",
    "PING",
    "ECHO hello",
    "SELECT 0",
    "CLIENT GETNAME",
    "CONFIG GET maxmemory",
    "PUBLISH c hello",
    "PUBSUB NUMPAT",
    "NOSUCH k",
    "GET",
];

/// What else one that may do that says.
const CONVERSATION: &[&str] = &[
    "AUTH u one",
    "AUTH u two",
    "AUTH u secret",
    "AUTH nobody one",
    "AUTH one",
    "RESET",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "SUBSCRIBE c",
    "PSUBSCRIBE n*",
    "SSUBSCRIBE c",
    "UNSUBSCRIBE c",
    "PUNSUBSCRIBE n*",
    "ACL WHOAMI",
];

fn fill(pattern: &str, random: &mut Rng) -> Vec<Vec<u8>> {
    let mut word = |word: &str| match word {
        "k" => ["a", "ab", "b", "c", "d"][random.usize(..5)].to_owned(),
        "c" => ["news", "nothing", "day"][random.usize(..3)].to_owned(),
        "u" => USERS[random.usize(..2)].to_owned(),
        other => other.to_owned(),
    };
    pattern.split(' ').map(|text| word(text).into_bytes()).collect()
}

/// A request of the one who may do everything.
fn administration(random: &mut Rng) -> Vec<Vec<u8>> {
    match random.u32(..12) {
        0 => fill("ACL GETUSER u", random),
        1 => words("ACL LIST"),
        2 => fill("ACL DELUSER u", random),
        3..=5 => {
            let request = fill(REQUESTS_OF_USERS[random.usize(..REQUESTS_OF_USERS.len())], random);
            [fill("ACL DRYRUN u", random), request].concat()
        }
        6 if random.u32(..4) == 0 => words("CONFIG SET requirepass one"),
        6 => [words("CONFIG SET requirepass"), vec![Vec::new()]].concat(),
        _ => {
            let mut request = fill("ACL SETUSER u", random);
            let count = random.usize(..6);
            let rules = (0..count).flat_map(|_| RULES[random.usize(..RULES.len())].split(' '));
            request.extend(rules.map(|rule| rule.as_bytes().to_vec()).collect::<Vec<_>>());
            let open = request.iter().position(|word| word == b"(+get");
            request.truncate(open.map_or(request.len(), |at| at + 1));
            request
        }
    }
}

/// An answer with what this node says otherwise as Redis 7.2 has it, and without rules about commands.
fn normal(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let mut lines: Vec<String> = Vec::new();
    let mut is_commands = false;
    for line in text.split("\r\n").filter(|line| !line.starts_with('$')) {
        let line = match line {
            // Of a set or a map the length goes with what is in it.
            "sanitize-payload" => continue,
            _ if line.starts_with('*') => "*".to_owned(),
            _ if std::mem::take(&mut is_commands) => "(rules)".to_owned(),
            _ if line.starts_with("user ") => without_rules(line),
            other => other
                .replace("NOPERM User ann has", "NOPERM this user has")
                .replace("NOPERM User bob has", "NOPERM this user has")
                .replace(
                    "this user has no permissions to access one of the keys used as arguments",
                    "No permissions to access a key",
                )
                .replace(
                    "this user has no permissions to access one of the channels used as arguments",
                    "No permissions to access a channel",
                ),
        };
        is_commands = line == "commands";
        lines.push(line);
    }
    lines.join("\n")
}

/// A line of `ACL LIST` without the rules about commands.
fn without_rules(line: &str) -> String {
    let part = |part: &str| {
        let at = part.find("-@all").or(part.find("+@all")).map_or(part.len(), |at| at + 5);
        format!("{}{}", &part[..at], if part.contains(')') { ")" } else { "" })
    };
    let parts: Vec<String> = line.split('(').map(part).collect();
    parts.join(" (").replace(" sanitize-payload", "")
}

/// Whether a connection is over.
fn is_over(answer: &[u8]) -> bool {
    answer.is_empty() || answer.starts_with(b"(no reply")
}

/// A client of each, which both have accepted: what is asked of one that comes is as of then.
fn connect(redis: &Redis, server: &Server) -> (Resp, Resp) {
    let mut clients = (Resp::connect(redis.address), Resp::connect(server.address));
    for client in [&mut clients.0, &mut clients.1] {
        client.ask(&words("PING"));
    }
    clients
}

struct Both<'a> {
    servers: (&'a Redis, &'a Server),
    admins: (Resp, Resp),
    clients: (Resp, Resp),
    /// Passwords of the clients that were refused.
    refused: usize,
}

impl<'a> Both<'a> {
    fn new(redis: &'a Redis, server: &'a Server) -> Both<'a> {
        let mut admins = connect(redis, server);
        // The sequence before may have left a password.
        let no_password = [words("CONFIG SET requirepass"), vec![Vec::new()]].concat();
        for request in [words("AUTH one"), no_password, words("FLUSHALL"), words("ACL DELUSER ann bob copy")] {
            admins.0.ask(&request);
            admins.1.ask(&request);
        }
        Both { servers: (redis, server), admins, clients: connect(redis, server), refused: 0 }
    }

    /// Whether the rules that this node shows mean to Redis what those mean that were given.
    fn check_rules(&mut self) -> Result<(), String> {
        let ours = String::from_utf8(self.admins.1.ask(&words("ACL LIST"))).expect("rules are text");
        for line in
            ours.split("\r\n").filter(|line| USERS.iter().any(|user| line.starts_with(&format!("user {user} "))))
        {
            let (user, rules) = line[5..].split_once(' ').expect("there are rules");
            let copy = [words("ACL SETUSER copy reset"), words(rules)].concat();
            assert_eq!(self.admins.0.ask(&copy), b"+OK\r\n", "{line}");
            let theirs = String::from_utf8(self.admins.0.ask(&words("ACL LIST"))).expect("rules are text");
            let find = |name: &str| {
                let begin = format!("user {name} ");
                let line = theirs.split("\r\n").find_map(|line| line.strip_prefix(&begin));
                line.expect("it is there").replace(" sanitize-payload", "")
            };
            let (given, shown) = (find(user), find("copy"));
            self.admins.0.ask(&words("ACL DELUSER copy"));
            if given != shown {
                return Err(format!("{line}\n  given: {given}\n  shown: {shown}"));
            }
        }
        Ok(())
    }

    fn step(&mut self, random: &mut Rng) -> Result<(), String> {
        let is_admin = random.u32(..3) == 0;
        let request = match random.u32(..3) {
            _ if is_admin => administration(random),
            0 => fill(CONVERSATION[random.usize(..CONVERSATION.len())], random),
            _ => fill(REQUESTS_OF_USERS[random.usize(..REQUESTS_OF_USERS.len())], random),
        };
        let side = if is_admin { &mut self.admins } else { &mut self.clients };
        let (theirs, ours) = (side.0.ask(&request), side.1.ask(&request));
        let shown = request.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ");
        // What is asked about somebody names them.
        let user = shown.split(' ').nth(2).unwrap_or_default();
        let named = String::from_utf8_lossy(&theirs).replace("This user has", &format!("User {user} has")).into_bytes();
        let (expected, answer) = (normal(&named), normal(&ours));
        if expected != answer {
            return Err(format!("{shown}\n  Redis: {expected}\n  here:  {answer}"));
        }
        self.refused += usize::from(theirs.starts_with(b"-WRONGPASS"));
        if self.refused == REFUSED_MAX {
            self.connect_again();
        }
        if is_admin {
            self.look_after_clients(&shown)?;
            if request[1] == b"LIST" {
                self.check_rules()?;
            }
        }
        Ok(())
    }

    /// Whether the client was disconnected from both or from neither; in the first case another comes.
    fn look_after_clients(&mut self, shown: &str) -> Result<(), String> {
        let over = (is_over(&self.clients.0.ask(&words("PING"))), is_over(&self.clients.1.ask(&words("PING"))));
        if over.0 != over.1 {
            return Err(format!("{shown}\n  whether the client is disconnected: (Redis, here) = {over:?}"));
        }
        if over.0 {
            self.connect_again();
        }
        Ok(())
    }

    fn connect_again(&mut self) {
        self.clients = connect(self.servers.0, self.servers.1);
        self.refused = 0;
    }
}

#[test]
fn users_are_what_they_are_to_redis() {
    let (redis, server) = (Redis::start(), Server::start(&["--snapshot-interval-ms=60000"]));
    let count = std::env::var("KVSTOREAPP_SEQUENCES").map_or(SEQUENCES, |count| count.parse().expect("a number"));
    let first = std::env::var("KVSTOREAPP_FIRST").map_or(0, |first| first.parse().expect("a number"));
    let mut differences = Vec::new();
    for seed in first..first + count {
        let (mut random, mut both) = (Rng::with_seed(seed), Both::new(&redis, &server));
        let differs = (0..REQUESTS).find_map(|number| both.step(&mut random).err().map(|why| (number, why)));
        differences.extend(differs.map(|(number, why)| format!("seed {seed}, request {number}: {why}")));
    }
    let shown = &differences[..differences.len().min(10)];
    assert!(differences.is_empty(), "{} answers differ:\n{}", differences.len(), shown.join("\n"));
}
