//! What a user may do while what it may do changes: stories that a mistake of this kind would not survive.
//!
//! They are told to a pure node, and also with mistakes injected.

use kvstoreapp::auth::Password;
use kvstoreapp::node::{Node, Options, Origin};
use kvstoreapp::protocol::Dialect;

use crate::pure::{NOW, node, options, say, tick, told};

/// What came otherwise than expected.
pub type Verdict = Result<(), String>;

/// What was said to a client by the end of a connection.
const OVER: &str = "(over)";

/// Client 0 may do everything. A talk is lines of `client> request => answer`; `(over)` is the end of the connection.
fn tell(talk: &str) -> Verdict {
    let mut node = node(Options { dialect: Dialect::Resp2, ..options() });
    node.open(0, Origin::Loopback, NOW).expect("one is not too many");
    for line in talk.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        let (client, rest) = line.split_once("> ").expect("who speaks");
        let (said, expected) = rest.split_once(" => ").expect("an answer");
        let id: usize = client.parse().expect("a number");
        if said == "(comes)" {
            node.open(id, Origin::Loopback, NOW).expect("they are not too many");
            continue;
        }
        let answer = if said == "(hears)" { hear(&mut node, id) } else { ask(&mut node, id, said) };
        if answer != expected {
            return Err(format!("{line}\n  but: {answer}"));
        }
    }
    Ok(())
}

fn ask(node: &mut Node, id: usize, said: &str) -> String {
    let answer = say(node, id, format!("{said}\r\n").as_bytes());
    shown(node, id, &String::from_utf8_lossy(&answer))
}

/// What the client is told without its having asked.
fn hear(node: &mut Node, id: usize) -> String {
    tick(node, NOW);
    let heard = told(node, id);
    shown(node, id, &heard)
}

fn shown(node: &Node, id: usize, text: &str) -> String {
    let mut lines: Vec<&str> = text.split_terminator("\r\n").collect();
    if node.is_over(id) {
        lines.push(OVER);
    }
    lines.join(" ")
}

/// Who resets is nobody again.
pub fn reset_ends_an_authentication() -> Verdict {
    tell(
        "0> CONFIG SET requirepass secret => +OK
         1> (comes) =>\x20
         1> GET a => -NOAUTH Authentication required.
         1> AUTH secret => +OK
         1> GET a => $-1
         1> RESET => +RESET
         1> GET a => -NOAUTH Authentication required.",
    )
}

/// A request that was put together while it was allowed is not run once it is not.
pub fn exec_asks_again() -> Verdict {
    let changed = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
                   command is no longer allowed for the following reason:";
    tell(&format!(
        "0> ACL SETUSER ann on nopass ~* &* +@all => +OK
         1> (comes) =>\x20
         1> AUTH ann x => +OK
         1> MULTI => +OK
         1> SET a 1 => +QUEUED
         1> SET b 1 => +QUEUED
         1> GET b => +QUEUED
         1> PUBLISH news x => +QUEUED
         0> ACL SETUSER ann -get resetkeys ~b resetchannels => +OK
         1> EXEC => *4 {changed} no permission to touch the specified keys +OK {changed} no permission to execute the \
         command or subcommand {changed} no permission to access one of the channels used as arguments to the command
         0> EXISTS a b => :1"
    ))
}

/// However far a wrong password is right, all of it is looked at: no clock tells how far.
pub fn passwords_are_compared_whole() -> Verdict {
    let right = Password::of(b"secret");
    let mut hex = right.hex().into_bytes();
    for wrong_at in [0, 31, 63] {
        let digit = hex[wrong_at];
        hex[wrong_at] = if digit == b'0' { b'1' } else { b'0' };
        let wrong = Password::from_hex(&hex).expect("64 digits");
        let bytes = right.compared_bytes(&wrong);
        if right.is(&wrong) || bytes != 32 {
            return Err(format!("{bytes} bytes are looked at where digit {wrong_at} differs"));
        }
        hex[wrong_at] = digit;
    }
    if right.is(&Password::of(b"secret")) { Ok(()) } else { Err("the same is not the same".to_owned()) }
}

#[test]
fn stories_of_access_end_well() {
    for (name, story) in [
        ("reset", reset_ends_an_authentication as fn() -> Verdict),
        ("exec", exec_asks_again),
        ("compare", passwords_are_compared_whole),
    ] {
        assert_eq!(story(), Ok(()), "{name}");
    }
}

#[test]
fn who_is_deleted_is_disconnected_whatever_it_is_doing() {
    let story = tell(
        "0> ACL SETUSER ann on nopass ~* &* +@all => +OK
         0> ACL SETUSER bob on nopass ~* &* +@all => +OK
         1> (comes) =>\x20
         1> AUTH ann x => +OK
         1> SUBSCRIBE news => *3 $9 subscribe $4 news :1
         2> (comes) =>\x20
         2> AUTH ann x => +OK
         2> MULTI => +OK
         2> SET a 1 => +QUEUED
         3> (comes) =>\x20
         3> AUTH bob x => +OK
         0> ACL DELUSER ann => :1
         1> (hears) => (over)
         2> (hears) => (over)
         3> GET a => $-1
         0> PUBLISH news x => :0
         0> ACL SETUSER ann on nopass => +OK
         3> ACL WHOAMI => $3 bob
         3> ACL DELUSER bob => :1 (over)",
    );
    assert_eq!(story, Ok(()));
}

#[test]
fn who_monitors_and_may_no_longer_is_disconnected_and_others_stay() {
    let story = tell(
        "0> ACL SETUSER ann on nopass +@all => +OK
         0> ACL SETUSER bob on nopass +@all => +OK
         1> (comes) =>\x20
         1> AUTH ann x => +OK
         2> (comes) =>\x20
         2> AUTH bob x => +OK
         3> (comes) =>\x20
         3> AUTH ann x => +OK
         1> MONITOR => +OK
         2> MONITOR => +OK
         0> ACL SETUSER ann -get => +OK
         0> GET a => $-1
         1> (hears) => +1700000000.000000 [0 ] \"GET\" \"a\"
         0> ACL SETUSER ann -monitor => +OK
         0> GET b => $-1
         1> (hears) => (over)
         2> (hears) => +1700000000.000000 [0 ] \"GET\" \"a\" +1700000000.000000 [0 ] \"GET\" \"b\"
         3> PING => +PONG",
    );
    assert_eq!(story, Ok(()));
}

#[test]
fn who_listens_where_it_may_no_longer_is_disconnected_and_others_stay() {
    let story = tell(
        "0> ACL SETUSER ann on nopass &news &week* +@all => +OK
         1> (comes) =>\x20
         1> AUTH ann x => +OK
         1> SUBSCRIBE news => *3 $9 subscribe $4 news :1
         2> (comes) =>\x20
         2> AUTH ann x => +OK
         2> PSUBSCRIBE week* => *3 $10 psubscribe $5 week* :1
         3> (comes) =>\x20
         3> AUTH ann x => +OK
         3> SSUBSCRIBE week1 => *3 $10 ssubscribe $5 week1 :1
         0> ACL SETUSER ann &more -get => +OK
         0> PUBLISH news x => :1
         1> (hears) => *3 $7 message $4 news $1 x
         0> ACL SETUSER ann resetchannels &news &week1 => +OK
         1> (hears) =>\x20
         2> (hears) => (over)
         3> (hears) =>\x20
         0> ACL SETUSER ann resetchannels &week1 => +OK
         1> (hears) => (over)
         3> (hears) =>\x20
         0> ACL SETUSER ann off resetchannels => +OK
         3> (hears) => (over)",
    );
    assert_eq!(story, Ok(()));
}

#[test]
fn who_watches_keys_that_it_may_no_longer_read_is_disconnected() {
    let denied = r#"{"error":{"code":"NOPERM","message":"No permissions to access a key"},"ok":false}"#;
    let event = "{\"event\":\"set\",\"key\":\"app:1\",\"position\":";
    let mut node = node(options());
    node.open(0, Origin::Loopback, NOW).expect("one is not too many");
    node.open(1, Origin::Loopback, NOW).expect("two are not too many");
    let talk = |node: &mut Node, id, text: &str| String::from_utf8(say(node, id, text.as_bytes())).expect("text");
    assert_eq!(
        talk(
            &mut node,
            0,
            "*7\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$3\r\nann\r\n$2\r\non\r\n$6\r\nnopass\r\n$6\r\n~app:*\r\n$13\r\n+watch-prefix\r\n"
        ),
        "+OK\r\n"
    );
    assert_eq!(talk(&mut node, 1, "{\"op\":\"auth\",\"user\":\"ann\",\"password\":\"x\"}\n"), "{\"ok\":true}\n");
    for prefix in ["", "a", "app", "other:"] {
        assert_eq!(
            talk(&mut node, 1, &format!("{{\"op\":\"watch\",\"prefix\":\"{prefix}\"}}\n")),
            format!("{denied}\n")
        );
    }
    assert!(talk(&mut node, 1, "{\"op\":\"watch\",\"prefix\":\"app:\"}\n").starts_with("{\"ok\":true"));
    assert_eq!(talk(&mut node, 0, "*3\r\n$3\r\nSET\r\n$5\r\napp:1\r\n$1\r\nx\r\n"), "+OK\r\n");
    tick(&mut node, NOW);
    assert!(told(&mut node, 1).starts_with(event));
    assert_eq!(
        talk(&mut node, 0, "*5\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$3\r\nann\r\n$9\r\nresetkeys\r\n$7\r\n~app:1*\r\n"),
        "+OK\r\n"
    );
    assert!(node.is_over(1));
}

#[test]
fn ops_of_json_are_the_commands_that_they_stand_for() {
    let mut node = node(Options { dialect: Dialect::Resp2, ..options() });
    (0..2).for_each(|id| node.open(id, Origin::Loopback, NOW).expect("two are not too many"));
    assert_eq!(ask(&mut node, 0, "ACL SETUSER ann on nopass %R~a* +get +mget +exists +scan +watch-prefix"), "+OK");
    let denied_key = r#"{"code":"NOPERM","message":"No permissions to access a key"}"#;
    let denied = |command: &str| {
        format!(r#"{{"code":"NOPERM","message":"User ann has no permissions to run the '{command}' command"}}"#)
    };
    for (said, expected) in [
        (r#"{"op":"auth","user":"ann","password":"x"}"#, r#"{"ok":true}"#.to_owned()),
        (r#"{"op":"get","key":"a"}"#, r#"{"ok":true,"value":null}"#.to_owned()),
        (r#"{"op":"get","key":"b"}"#, format!(r#"{{"error":{denied_key},"ok":false}}"#)),
        (r#"{"op":"mget","keys":["a","b"]}"#, format!(r#"{{"error":{denied_key},"ok":false}}"#)),
        (r#"{"op":"exists","keys":["a","b"]}"#, format!(r#"{{"error":{denied_key},"ok":false}}"#)),
        (r#"{"op":"set","key":"a","value":"1"}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("set"))),
        (r#"{"op":"delete","key":"a"}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("del"))),
        (r#"{"op":"incr","key":"a"}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("incrby"))),
        (r#"{"op":"ttl","key":"a"}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("pttl"))),
        (r#"{"op":"expire","key":"a","ttl_ms":1}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("pexpire"))),
        (r#"{"op":"info"}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("info"))),
        (r#"{"op":"ping"}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("ping"))),
        (r#"{"op":"wait","peers":0}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("wait"))),
        (r#"{"op":"unwatch"}"#, format!(r#"{{"error":{},"ok":false}}"#, denied("unwatch-prefix"))),
        (r#"{"op":"scan"}"#, r#"{"cursor":"0","keys":[],"ok":true}"#.to_owned()),
        (r#"{"op":"watch","prefix":"b"}"#, format!(r#"{{"error":{denied_key},"ok":false}}"#)),
    ] {
        let answer = say(&mut node, 1, format!("{said}\n").as_bytes());
        assert_eq!(String::from_utf8_lossy(&answer), format!("{expected}\n"), "{said}");
    }
}

#[test]
fn an_off_user_goes_on_and_comes_in_no_more() {
    let story = tell(
        "0> ACL SETUSER ann on nopass ~* +get => +OK
         1> (comes) =>\x20
         1> AUTH ann x => +OK
         0> ACL SETUSER ann off => +OK
         1> GET a => $-1
         2> (comes) =>\x20
         2> AUTH ann x => -WRONGPASS invalid username-password pair or user is disabled.
         0> ACL SETUSER ann -get => +OK
         1> GET a => -NOPERM User ann has no permissions to run the 'get' command",
    );
    assert_eq!(story, Ok(()));
}

#[test]
fn the_default_user_can_be_closed_and_limited_too() {
    let story = tell(
        "0> ACL SETUSER default -set -@dangerous => +OK
         0> SET a 1 => -NOPERM User default has no permissions to run the 'set' command
         0> GET a => $-1
         0> ACL SETUSER default +@all off => -NOPERM User default has no permissions to run the 'acl|setuser' command",
    );
    assert_eq!(story, Ok(()));
    let story = tell(
        "0> ACL SETUSER default off => +OK
         1> (comes) =>\x20
         1> GET a => -NOAUTH Authentication required.
         1> AUTH x => -WRONGPASS invalid username-password pair or user is disabled.
         0> ACL SETUSER default on => +OK
         1> GET a => $-1",
    );
    assert_eq!(story, Ok(()));
}

#[test]
fn what_is_refused_is_listed_and_no_secret_is_shown() {
    let mut node = node(Options { dialect: Dialect::Resp2, ..options() });
    (0..3).for_each(|id| node.open(id, Origin::Loopback, NOW).expect("three are not too many"));
    let mut ask = |id, text: &str| ask(&mut node, id, text);
    assert_eq!(ask(0, "CONFIG SET slowlog-log-slower-than 0"), "+OK");
    assert_eq!(ask(2, "MONITOR"), "+OK");
    for (id, said) in [
        (0, "ACL SETUSER ann on >hidden1 ~a* &news +@all -set"),
        (0, "CONFIG SET requirepass hidden2"),
        (0, "CONFIG SET maxmemory 0 requirepass hidden2"),
        (1, "AUTH hidden3"),
        (1, "AUTH ann hidden4"),
        (1, "HELLO 2 AUTH ann hidden5 SETNAME me"),
        (1, "HELLO 2 SETNAME AUTH AUTH ann hidden5"),
        (1, "AUTH ann hidden1"),
        (1, "HELLO 2 AUTH ann hidden1"),
        (1, "SET a 1"),
        (1, "SET a 2"),
        (1, "GET b"),
        (1, "PUBLISH day x"),
        (1, "MULTI"),
        (1, "GET b"),
        (1, "DISCARD"),
        (0, "ACL GETUSER hidden6"),
        (0, "ACL DELUSER hidden7"),
    ] {
        ask(id, said);
    }
    let log = ask(0, "ACL LOG");
    let entry = |count: u32, reason: &str, context: &str, object: &str, user: &str| {
        let (lens, texts) = ([reason.len(), context.len(), object.len(), user.len()], [reason, context, object, user]);
        format!(
            "*20 $5 count :{count} $6 reason ${} {} $7 context ${} {} $6 object ${} {} $8 username ${} {} $11 age-seconds",
            lens[0], texts[0], lens[1], texts[1], lens[2], texts[2], lens[3], texts[3]
        )
    };
    let mut rest = log.as_str();
    for entry in [
        entry(1, "key", "multi", "b", "ann"),
        entry(1, "channel", "toplevel", "day", "ann"),
        entry(1, "key", "toplevel", "b", "ann"),
        entry(2, "command", "toplevel", "set", "ann"),
        entry(2, "auth", "toplevel", "HELLO", "ann"),
        entry(1, "auth", "toplevel", "AUTH", "ann"),
        entry(1, "auth", "toplevel", "AUTH", "default"),
    ] {
        let at = rest.find(&entry).unwrap_or_else(|| panic!("{entry} is not in {rest}"));
        rest = &rest[at + entry.len()..];
    }
    assert!(log.contains(" user=ann "), "the client is described: {log}");
    let info = ask(0, "INFO stats");
    for field in ["cmd:2", "key:2", "channel:1", "auth:4"] {
        assert!(info.contains(&format!("acl_access_denied_{field}")), "{field}: {info}");
    }
    let all = [
        log,
        info,
        ask(0, "SLOWLOG GET 100"),
        ask(0, "CONFIG GET *"),
        ask(0, "CLIENT LIST"),
        ask(0, "INFO everything"),
    ];
    assert!(all[2].contains("(redacted)"));
    assert!(all[4].contains("user=ann"), "{}", all[4]);
    let heard = told(&mut node, 2);
    assert!(heard.contains("\"AUTH\" \"(redacted)\" \"(redacted)\""), "{heard}");
    for text in all.iter().chain([&heard]) {
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[test]
fn of_a_long_text_that_is_refused_the_log_keeps_the_beginning() {
    let mut node = node_with_users("ACL SETUSER ann on >secret ~a &a +@all");
    let long = "k".repeat(3_000);
    for (id, request) in [
        (1, "AUTH ann secret".to_owned()),
        (1, format!("GET {long}")),
        (1, format!("PUBLISH {long} x")),
        (1, format!("AUTH {long} wrong")),
    ] {
        say(&mut node, id, format!("{request}\r\n").as_bytes());
    }
    let log = String::from_utf8(say(&mut node, 0, b"ACL LOG\r\n")).expect("text");
    let kept = format!("$1024\r\n{}\r\n", "k".repeat(1_024));
    assert_eq!(log.matches(&kept).count(), 3, "a key, a channel and a name: {log}");
    assert!(!log.contains(&"k".repeat(1_025)), "{log}");
}

#[test]
fn after_ten_wrong_passwords_a_transaction_tries_none() {
    let (wrong, right) = ("AUTH ann wrong\r\n", "AUTH ann secret\r\n");
    for (guesses, is_tried) in [(9, true), (10, false), (50, false)] {
        let mut node = node_with_users("ACL SETUSER ann on >secret +@all");
        say(&mut node, 1, b"MULTI\r\n");
        (0..guesses).for_each(|_| assert_eq!(say(&mut node, 1, wrong.as_bytes()), b"+QUEUED\r\n"));
        say(&mut node, 1, right.as_bytes());
        let answers = String::from_utf8(say(&mut node, 1, b"EXEC\r\n")).expect("text");
        let last = answers.trim_end().rsplit("\r\n").next().expect("an answer");
        assert_eq!(last == "+OK", is_tried, "{guesses}: {answers}");
        let refused = answers.matches("-WRONGPASS").count();
        assert_eq!(refused, guesses + usize::from(!is_tried), "{guesses}: {answers}");
        assert_eq!(say(&mut node, 1, b"ACL WHOAMI\r\n") == b"$3\r\nann\r\n", is_tried, "{guesses}");
    }
}

/// A node where client 0 has said this, and client 1 nothing.
fn node_with_users(said: &str) -> Node {
    let mut node = node(Options { dialect: Dialect::Resp2, ..options() });
    for id in 0..2 {
        node.open(id, Origin::Loopback, NOW).expect("two are not too many");
    }
    assert_eq!(say(&mut node, 0, format!("{said}\r\n").as_bytes()), b"+OK\r\n");
    node
}
