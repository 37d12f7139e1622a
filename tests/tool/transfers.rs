//! `kvstoreapp export` and `import`: what comes out goes in again, byte for byte.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::harness::Server;
use crate::using::{Place, Said, tool, tool_with};

/// Later than anybody runs this.
const LATER_MS: u64 = 4_102_444_800_000;

fn import(server: &Server, arguments: &[&str], input: &str) -> Said {
    let address = server.address.to_string();
    tool_with(&[&["import", "--address", &address], arguments].concat(), input.as_bytes(), |command| command)
}

fn export(server: &Server, arguments: &[&str]) -> Said {
    let address = server.address.to_string();
    tool(&[&["export", "--address", &address], arguments].concat())
}

fn lines(text: &[u8]) -> BTreeSet<String> {
    BufReader::new(text).lines().map(|line| line.expect("it is text")).collect()
}

/// As both write it.
fn row(key: &[u8], value: &[u8], expires_at_ms: Option<u64>) -> String {
    let field = |name: &str, encoding: &str, bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => format!("\"{name}\":{}", serde_json::Value::from(text)),
        Err(_) => format!("\"{name}\":\"{}\",\"{encoding}\":\"base64\"", BASE64.encode(bytes)),
    };
    let expiry = expires_at_ms.map(|at| format!(",\"expires_at_ms\":{at}")).unwrap_or_default();
    format!("{{{},{}{expiry}}}", field("key", "key_encoding", key), field("value", "encoding", value))
}

#[test]
fn a_file_has_the_keys_of_one_database() {
    let server = Server::start(&["--databases=8"]);
    let of_two = row(b"k", b"two", None);
    assert_eq!(import(&server, &["-", "--db=2"], &of_two).code, 0);
    assert_eq!(import(&server, &["-"], &row(b"k", b"zero", None)).code, 0);
    assert_eq!(lines(&export(&server, &["-", "--db=2"]).out), BTreeSet::from([of_two]));
    assert_eq!(lines(&export(&server, &["-"]).out), BTreeSet::from([row(b"k", b"zero", None)]));
    assert_eq!(lines(&export(&server, &["-", "--db=3"]).out), BTreeSet::new());
    let refused = export(&server, &["-", "--db=8"]);
    assert!(refused.code != 0 && refused.err.contains("DB index is out of range"), "{}", refused.err);
}

#[test]
fn a_hundred_thousand_binary_keys_come_back_as_they_were() {
    let place = Place::new();
    let server = Server::start(&[]);
    let mut random = 1_u64;
    let mut bytes = |count: usize| -> Vec<u8> {
        let mut next = || {
            // https://www.jstatsoft.org/v08/i14
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.to_le_bytes()[3]
        };
        (0..count).map(|_| next()).collect()
    };
    let mut rows: Vec<String> = (0..100_000_u64)
        .map(|number| {
            let key = [&bytes(number as usize % 40), &number.to_le_bytes()[..]].concat();
            let expiry = number.is_multiple_of(7).then_some(LATER_MS + number);
            row(&key, &bytes(number as usize % 100), expiry)
        })
        .collect();
    rows.push(row(b"long", &bytes(3 << 20), None));
    rows.push(row(b"escaped \" \n \x01", &vec![1; 1 << 20], Some(LATER_MS)));
    let file = place.file("in.jsonl", rows.join("\n"));
    let said = import(&server, &[&file], "");
    assert!(
        said.code == 0 && said.err.starts_with("100002 keys imported, 0 had expired, 0 lines were wrong"),
        "{said:?}"
    );
    assert_eq!(server.info("keys"), "100002");

    let out = place.text("out.jsonl");
    let said = export(&server, &[&out]);
    assert!(said.code == 0 && said.out.is_empty() && said.err.starts_with("100002 keys exported in "), "{said:?}");
    let rows: BTreeSet<String> = rows.into_iter().collect();
    let exported = lines(&std::fs::read(&out).expect("it is there"));
    assert!(exported == rows, "{:?}", exported.symmetric_difference(&rows).next());
    assert!(!place.path("out.jsonl.part").exists());

    // Into another node, by way of a pipe.
    let other = Server::start(&[]);
    let said = import(&other, &["-"], &std::fs::read_to_string(&out).expect("it is text"));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(lines(&export(&other, &["-"]).out) == rows);
}

#[test]
fn lines_that_are_wrong_are_named_and_the_others_are_written() {
    let server = Server::start(&[]);
    let input = format!(
        "{}\nnot json\n\n{}\n{{\"key\":\"x\"}}\n{}\n{}\n{}\n{{\"key\":\"%\",\"key_encoding\":\"base64\",\"value\":\"\"}}\r\n{}",
        row(b"a", b"1", None),
        row(b"a", b"2", None),
        row(b"old", b"1", Some(1)),
        row(b"", b"no key is empty", None),
        row(b"b", b"3", Some(LATER_MS)),
        r#"{"key":"c","value":"1","expires_at":5}"#,
    );
    let said = import(&server, &["-"], &input);
    assert_eq!(said.code, 1, "{said:?}");
    for words in ["line 2: ", "line 5: missing field `value`", "line 9: the key is no base64", "line 10: unknown field"]
    {
        assert!(said.err.contains(words), "{words}: {said:?}");
    }
    assert!(said.err.contains("imported, 1 had expired, "), "{said:?}");
    let mut client = server.connect();
    assert_eq!((client.ask("GET a"), client.ask("GET b")), ("2".to_owned(), "3".to_owned()));
    assert_eq!(client.ask("GET old"), "KEY NOT FOUND");

    let said = import(&server, &["-", "--nx"], &format!("{}\n{}\n", row(b"a", b"9", None), row(b"d", b"4", None)));
    assert!(said.code == 0 && said.err.starts_with("1 keys imported, 1 were there already"), "{said:?}");
    assert_eq!((client.ask("GET a"), client.ask("GET d")), ("2".to_owned(), "4".to_owned()));

    let said = import(&server, &["-", "--strict"], &format!("wrong\n{}\n", row(b"e", b"5", None)));
    assert!(said.code == 1 && said.err.contains("line 1: ") && said.err.lines().count() == 1, "{said:?}");
    assert_eq!(client.ask("GET e"), "KEY NOT FOUND");
}

#[test]
fn lines_that_are_too_long_for_the_node_are_named_and_the_others_are_written() {
    let server = Server::start(&["--max-value-bytes=1K"]);
    let long = |bytes: usize| vec![b'x'; bytes];
    let rows = [
        row(b"a", b"1", None),
        row(b"b", &long(1_025), None),
        row(b"c", &long(200_000), None),
        row(&long(65_536), b"4", None),
        row(b"e", &long(1_024), None),
    ];
    let said = import(&server, &["-"], &rows.join("\n"));
    assert_eq!(said.code, 1, "{said:?}");
    for words in [
        "line 2: the value has 1025 bytes, and the node takes 1024 at most",
        "line 3: the value has 200000 bytes, and the node takes 1024 at most",
        "line 4: the key has 65536 bytes, and the node takes 65535 at most",
        "2 keys imported, 0 had expired, 3 lines were wrong",
    ] {
        assert!(said.err.contains(words), "{words}: {said:?}");
    }
    assert_eq!(server.info("keys"), "2");
}

#[test]
fn a_file_that_is_there_is_written_over_by_force_alone() {
    let (place, server) = (Place::new(), Server::start(&[]));
    let kept = place.file("keys.jsonl", "what was exported before\n");
    let said = export(&server, &[&kept]);
    assert!(said.code == 2 && said.err.contains("is there already: say --force to write over it"), "{said:?}");
    assert_eq!(std::fs::read_to_string(&kept).expect("it stays"), "what was exported before\n");
    assert_eq!(export(&server, &[&kept, "--force"]).code, 0);
    assert_eq!(std::fs::read_to_string(&kept).expect("it is there"), "");
}

#[test]
fn only_some_keys_are_exported_where_somebody_says_which() {
    let server = Server::start(&[]);
    let rows = [&b"user:1"[..], b"user:2", b"user*:3", b"order:1"].map(|key| row(key, b"v", None));
    assert_eq!(import(&server, &["-"], &rows.join("\n")).code, 0);
    for (flags, expected) in [
        (&["--prefix", "user"][..], &rows[..3]),
        (&["--prefix", "user*"], &rows[2..3]),
        (&["--pattern", "*:1"], &[rows[0].clone(), rows[3].clone()][..]),
        (&["--prefix", ""], &rows[..]),
        (&["--prefix", "nobody"], &[]),
    ] {
        let said = export(&server, &[&["-"], flags].concat());
        assert_eq!(lines(&said.out), expected.iter().cloned().collect(), "{flags:?}: {said:?}");
    }
}

#[test]
fn a_connection_that_breaks_is_an_error_that_says_how_far_it_came() {
    let place = Place::new();
    let kept = place.file("out.jsonl", "what was exported before\n");
    // Whatever is asked first is answered; then the node is gone.
    let serve = |answers: &'static [&'static [u8]]| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let address = listener.local_addr().expect("it has one").to_string();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            for answer in answers {
                let _ = stream.read(&mut [0; 1 << 16]);
                let _ = stream.write_all(answer);
            }
        });
        address
    };
    let address = serve(&[
        b"+PONG\r\n",
        b":2\r\n",
        b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:-1\r\n$1\r\nv\r\n+OK\r\n",
    ]);
    let said = tool(&["export", &kept, "--force", "--address", &address]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("closed the connection") && said.err.contains("(1 keys were read until then)"),
        "{said:?}"
    );
    assert_eq!(std::fs::read_to_string(&kept).expect("it stays"), "what was exported before\n");
    assert!(!place.path("out.jsonl.part").exists());

    const LONGEST: &[u8] = b"*2\r\n$15\r\nmax-value-bytes\r\n$8\r\n67108864\r\n";
    let address = serve(&[b"+PONG\r\n", LONGEST, b"+OK\r\n+OK\r\n"]);
    let rows: Vec<String> = (0..4).map(|number| row(format!("key{number}").as_bytes(), b"v", None)).collect();
    let said = tool(&["import", &place.file("in.jsonl", rows.join("\n")), "--address", &address]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("closed the connection") && said.err.contains("up to line 2, 2 keys imported"),
        "{said:?}"
    );
    // What cannot be read or written, and what is not there.
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let said = tool(&["import", "/nosuch", "--address", &address]);
    assert!(said.code == 2 && said.err.contains("cannot read /nosuch"), "{said:?}");
    let said = tool(&["export", "/nosuch/file", "--address", &address]);
    assert!(said.code == 2 && said.err.contains("cannot make /nosuch/file.part"), "{said:?}");
}

#[test]
fn who_may_not_read_or_write_is_told_so() {
    let place = Place::new();
    let server = Server::start(&[]);
    let address = server.address.to_string();
    assert_eq!(import(&server, &["-"], &row(b"a", b"1", None)).code, 0);
    let said =
        tool(&["cli", "--address", &address, "ACL SETUSER ada on >sesame ~b* +scan +dbsize +multi +exec +get +set"]);
    assert_eq!(said.code, 0, "{said:?}");
    let password = format!("--password-file={}", place.file("password", "sesame"));
    let said = export(&server, &["-", "--user=ada", &password]);
    assert!(said.code == 1 && said.err.contains("the node refuses") && said.err.contains("NOPERM"), "{said:?}");
    let rows = format!("{}\n{}", row(b"a", b"2", None), row(b"b", b"2", None));
    let said = import(&server, &["-", "--user=ada", &password], &rows);
    assert!(said.code == 1 && said.err.contains("line 1: NOPERM") && said.err.contains("1 keys imported"), "{said:?}");
}
