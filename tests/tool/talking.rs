//! `kvstoreapp cli` in scripts: what it prints beside `redis-cli`, its exit codes, its forms.

use std::process::{Command, Stdio};

use crate::harness::Server;
use crate::using::{Place, Said, tool, tool_with};

/// What can be said to a node whose answers do not depend on when.
const COMMANDS: [&str; 34] = [
    "FLUSHALL",
    "PING",
    "PING \"a b\"",
    "SET color blue",
    "GET color",
    "GET nosuch",
    r#"SET "a\x00b" "\xff\n\t\"quoted\" \\ \a\b\r end""#,
    r#"GET "a\x00b""#,
    "ECHO 'it\\'s'",
    "MSET one 1 two 2 three 3",
    "MGET one nosuch two",
    "MGET nosuch",
    "INCR one",
    "INCRBYFLOAT two 0.5",
    "INCR color",
    "EXISTS one two three nosuch",
    "nosuch command",
    "GET",
    "SCAN 0 COUNT 1000 MATCH one",
    "SCAN 0 MATCH nothing*",
    "KEYS nothing*",
    "SET empty ''",
    "GET empty",
    "CONFIG GET maxmemory*",
    "COMMAND DOCS get",
    "COMMAND INFO get set nosuch",
    "COMMAND GETKEYSANDFLAGS SET a b",
    "ACL GETUSER default",
    "ACL CAT pubsub",
    "LCS color empty IDX",
    "OBJECT HELP",
    "HELLO 9",
    "CLUSTER NODES",
    "MEMORY DOCTOR",
];

fn redis_cli(port: u16, flags: &[&str], input: &str) -> Vec<u8> {
    let mut command = Command::new("redis-cli");
    command.args(["-p", &port.to_string()]).args(flags).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("redis-cli is installed");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends").stdout
}

fn cli(server: &Server, flags: &[&str], input: &[u8]) -> Said {
    let address = server.address.to_string();
    tool_with(&[&["cli", "--address", &address], flags].concat(), input, |command| command)
}

#[test]
fn answers_are_shown_as_redis_cli_shows_them() {
    let server = Server::start(&[]);
    let port = server.address.port();
    for flags in [&["--no-raw"][..], &[], &["-3", "--no-raw"], &["-3"]] {
        for command in COMMANDS {
            // A list that is the value of a pair begins on a line of its own here; there not, where it has one line.
            if flags.len() == 2 && command.starts_with("COMMAND INFO") {
                continue;
            }
            let theirs = redis_cli(port, flags, &format!("{command}\n"));
            if command.starts_with("INCR") {
                redis_cli(port, &[], "SET one 1\nSET two 2\n");
            }
            let ours = cli(&server, flags, format!("{command}\n").as_bytes());
            // It ends an error that is shown as it is twice.
            let is_error = ours.code == 1 && theirs.ends_with(b"\n\n");
            let theirs = theirs.strip_suffix(b"\n").filter(|_| is_error).unwrap_or(&theirs);
            let (theirs, shown) = (theirs.escape_ascii().to_string(), ours.out.escape_ascii().to_string());
            assert_eq!(shown, theirs, "{flags:?} {command}");
        }
    }
    let transaction = "MULTI\nSET a 1\nINCR a\nINCR color\nMGET a nosuch\nEXEC\nMULTI\nnosuch\nEXEC\n";
    for flags in [&["--no-raw"][..], &["-3", "--no-raw"]] {
        let theirs = redis_cli(port, flags, transaction);
        let ours = cli(&server, flags, transaction.as_bytes());
        assert_eq!(ours.out.escape_ascii().to_string(), theirs.escape_ascii().to_string(), "{flags:?}");
        assert_eq!(ours.code, 1, "{ours:?}");
    }
}

#[test]
fn a_script_gives_a_command_in_words_or_in_one_and_many_on_stdin() {
    let server = Server::start(&[]);
    for (words, out, code) in [
        (&["SET", "a b", "1"][..], "OK\n", 0),
        (&["GET 'a b'"], "1\n", 0),
        (&["GETRANGE", "a b", "0", "-1"], "1\n", 0),
        (&["PING"], "PONG\n", 0),
        (&["--no-raw", "GET", "a b"], "\"1\"\n", 0),
        (&["GET", "--json"], "\n", 0),
        (&["nosuch"], "ERR unknown command 'nosuch', with args beginning with: \n", 1),
        (&["GET 'a"], "", 2),
        (&["--nosuch"], "", 2),
    ] {
        let said = cli(&server, words, b"");
        assert_eq!((said.text(), said.code), (out, code), "{words:?}: {said:?}");
        assert_eq!(said.err.is_empty(), code != 2, "{words:?}: {said:?}");
    }
    let said = cli(&server, &[], b"SET a 1\r\n\nINCR a\nGET b c d\nGET a\nQUIT\nGET a\n");
    assert_eq!(said.text(), "OK\n2\nERR wrong number of arguments for 'get' command\n2\nOK\n", "{said:?}");
    assert_eq!(said.code, 1);
    let said = cli(&server, &["help", "get"], b"");
    assert!(said.code == 0 && said.text().contains("GET key\n  summary: Returns the value of a key"), "{said:?}");
}

#[test]
fn answers_are_json_for_programs() {
    let server = Server::start(&[]);
    let input = b"SET a \"\\xff\"\nMGET a b\nGET nosuch\nINCR a\nEXISTS a\nMULTI\nGET a\nEXEC\nCONFIG GET maxclients\n";
    let said = cli(&server, &["--json"], input);
    let expected = "\"OK\"\n[{\"base64\":\"/w==\"},null]\nnull\n{\"error\":\"ERR value is not an integer or out of range\"}\n\
                    1\n\"OK\"\n\"QUEUED\"\n[{\"base64\":\"/w==\"}]\n{\"maxclients\":\"10000\"}\n";
    assert_eq!(said.text(), expected);
}

#[test]
fn a_long_list_and_a_long_value_are_shown_as_they_come() {
    let server = Server::start(&[]);
    let value = "x".repeat(8 << 20);
    let mut script = format!("SET long {value}\n");
    script.extend((0..20_000).map(|number| format!("SET key:{number:05} v\n")));
    assert_eq!(cli(&server, &[], script.as_bytes()).code, 0);
    let said = cli(&server, &["GET", "long"], b"");
    assert!(said.out.len() == value.len() + 1 && said.out.starts_with(value.as_bytes()));
    let said = cli(&server, &["--no-raw", "KEYS", "key:*"], b"");
    assert!(said.text().starts_with("    1) \"key:") && said.text().lines().count() == 20_000);
    // Who reads one line only.
    let line =
        format!("{} cli --address {} KEYS 'key:*' | head -n 1", env!("CARGO_BIN_EXE_kvstoreapp"), server.address);
    let output = Command::new("sh").args(["-c", &line]).output().expect("it runs");
    assert!(output.stdout.starts_with(b"key:") && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn users_tls_and_unix_sockets_are_ways_in() {
    let place = Place::new();
    let tls = place.certificates("tls");
    let flag = |name: &str, file: &str| crate::using::flag(name, &tls, file);
    let password = format!("--password-file={}", place.file("password", "sesame\n"));
    let socket = place.text("socket");
    let server = Server::start(&[
        &password,
        &flag("tls-cert", "node-0.crt"),
        &flag("tls-key", "node-0.key"),
        &format!("--unix-socket={socket}"),
    ]);
    let address = server.address.to_string();
    let ca = flag("tls-ca-file", "ca.crt");
    for flags in [&["--address", &address][..], &["--address", &address, &ca], &["--address", &socket]] {
        let said = tool(&[&["cli"], flags, &[&password, "ACL", "WHOAMI"]].concat());
        assert_eq!((said.text(), said.code), ("default\n", 0), "{flags:?}: {said:?}");
        let said = tool(&[&["cli"], flags, &["ACL", "WHOAMI"]].concat());
        assert_eq!((said.text(), said.code), ("NOAUTH Authentication required.\n", 1), "{flags:?}: {said:?}");
        let said = tool_with(&[&["cli"], flags, &["SET", "a", "1"]].concat(), b"", |command| {
            command.env("KVSTOREAPP_PASSWORD", "sesame")
        });
        assert_eq!((said.text(), said.code), ("OK\n", 0), "{flags:?}: {said:?}");
    }
    let said = tool(&["cli", "--address", &address, &password, "ACL SETUSER ada on >simsim ~* +get"]);
    assert_eq!(said.code, 0, "{said:?}");
    let simsim = format!("--password-file={}", place.file("simsim", "simsim"));
    let said = tool(&["cli", "--address", &address, "--user=ada", &simsim, "GET", "a"]);
    assert_eq!((said.text(), said.code), ("1\n", 0), "{said:?}");
}

#[test]
fn a_script_is_about_the_database_that_is_named_and_about_no_other_where_that_is_refused() {
    let server = Server::start(&["--databases=4"]);
    let said = cli(&server, &["--db", "3"], b"SET k three\nSELECT 1\nSET k one\n");
    assert_eq!((said.text(), said.code), ("OK\nOK\nOK\n", 0), "{said:?}");
    for (database, value) in [("0", "\n"), ("1", "one\n"), ("2", "\n"), ("3", "three\n")] {
        assert_eq!(cli(&server, &["--db", database, "GET", "k"], b"").text(), value, "{database}");
    }
    let said = cli(&server, &["--db", "4"], b"SET k four\nSELECT 1\nGET k\n");
    assert_eq!((said.text(), said.code), ("ERR DB index is out of range\nOK\none\n", 1), "{said:?}");
    assert_eq!(cli(&server, &["GET", "k"], b"").text(), "\n");
    assert_eq!(cli(&server, &["--db", "16", "PING"], b"").code, 2);
    // Who has to say first who they are does so.
    let closed = Server::start(&[]);
    assert_eq!(cli(&closed, &["ACL SETUSER default resetpass >sesame"], b"").code, 0);
    let said = cli(&closed, &["--db", "2"], b"DBSIZE\nAUTH sesame\nSET k two\nSELECT 0\nDBSIZE\nSELECT 2\nDBSIZE\n");
    let expected = "NOAUTH Authentication required.\nOK\nOK\nOK\n0\nOK\n1\n";
    assert_eq!((said.text(), said.code), (expected, 1), "{said:?}");
}
