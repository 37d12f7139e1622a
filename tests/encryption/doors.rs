//! Who gets in: what is asked of clients, and of the node.

use rcgen::ExtendedKeyUsagePurpose;

use crate::certificates::{Authority, Wanted};
use crate::harness::{Client, Server, wait_for};
use crate::talk::{Talk, Trust, start};

/// What the log says of the certificate's end.
fn warning(server: &Server) -> Option<String> {
    let is_one = |line: &&String| line.contains("TLS: the certificate of CN=node-0");
    server.log.iter().chain(&server.later_lines("TLS: ")).find(is_one).cloned()
}

#[test]
fn one_port_speaks_tls_and_plain_text_in_every_dialect() {
    let authority = Authority::with_node();
    let server = start(&authority.flags("node"));
    assert!(server.log.iter().any(|line| line.contains("TLS is optional: the certificate")), "{:?}", server.log);
    let mut plain = server.connect();
    assert_eq!(plain.ask("SET color blue"), "OK");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let trust = Trust::speaking(&[version], &authority, None);
        let mut client = trust.connect(server.address).expect("it is trusted");
        assert_eq!(client.ask("GET color").expect("it answers"), "blue");
        client.send(b"*2\r\n$3\r\nGET\r\n$5\r\ncolor\r\n").expect("it reads");
        assert_eq!([client.line().expect("it answers"), client.line().expect("it answers")], ["$4\r", "blue\r"]);
        assert_eq!(plain.info("tls_clients"), "1");
        assert_eq!((plain.info("tls"), plain.info("tls_client_auth")), ("optional".to_owned(), "no".to_owned()));
    }
    let mut json = Trust::in_(&authority).connect(server.address).expect("it is trusted");
    assert!(json.ask(r#"{"op":"get","key":"color"}"#).expect("it answers").contains("blue"));
    assert_eq!(plain.info("tls_handshakes"), "3");
    assert!(plain.info("tls_certificate_subject").contains("node-0"));
    assert!(plain.info("tls_certificate_issuer").contains("an authority"));
    assert!(["89", "90"].contains(&plain.info("tls_certificate_days_left").as_str()));
}

#[test]
fn values_of_64_mib_and_pipelines_go_through() {
    let authority = Authority::with_node();
    let server = start(&authority.flags("node"));
    let mut client = Trust::in_(&authority).connect(server.address).expect("it is trusted");
    let value: Vec<u8> = (0..64_u32 << 20).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    client.send(format!("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n${}\r\n", value.len()).as_bytes()).expect("it reads");
    client.send(&value).expect("it reads");
    client.send(b"\r\n*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n").expect("it reads");
    assert_eq!(client.line().expect("it answers"), "+OK\r");
    assert_eq!(client.line().expect("it answers"), format!("${}\r", value.len()));
    let mut read = vec![0; value.len() + 2];
    std::io::Read::read_exact(&mut client.0, &mut read).expect("all of it comes");
    assert!(read[..value.len()] == value && read.ends_with(b"\r\n"));
    client.send("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n".repeat(5_000).as_bytes()).expect("it reads");
    for number in 1..=5_000 {
        assert_eq!(client.line().expect("it answers"), format!(":{number}\r"));
    }
}

#[test]
fn required_refuses_plain_text_with_one_line_in_its_own_words() {
    let authority = Authority::with_node();
    let server = start(&authority.flags_and("node", &["--tls=required"]));
    let why = "this node speaks TLS alone (--tls required): redis-cli --tls, openssl s_client, rediss://";
    for (request, answer) in
        [("GET color\n", format!("ERROR {why}\n")), ("*1\r\n$4\r\nPING\r\n", format!("-ERR {why}\r\n"))]
    {
        let mut client = server.connect();
        client.send(request);
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut client.stream, &mut read).expect("it closes");
        assert_eq!(String::from_utf8_lossy(&read), answer);
    }
    let mut client = server.connect();
    client.send("{\"op\":\"get\",\"key\":\"color\"}\n");
    assert!(client.line().contains("this node speaks TLS alone"));
    let mut client = Trust::in_(&authority).connect(server.address).expect("it is trusted");
    assert_eq!(client.ask("SET color blue").expect("it answers"), "OK");
    client.send(b"*2\r\n$4\r\nINFO\r\n$3\r\ntls\r\n").expect("it reads");
    let refused = (0..20).map(|_| client.line().expect("it answers")).find(|line| line.contains("refused"));
    assert_eq!(refused.as_deref(), Some("tls_plain_refused:3\r"));
}

#[test]
fn a_client_that_must_prove_who_it_is_gets_in_with_a_certificate_that_holds_alone() {
    let (authority, stranger) = (Authority::with_node(), Authority::new());
    authority.sign("client", &Wanted::client("alice"));
    authority.sign("expired", &Wanted { days: (-20, -10), ..Wanted::client("alice") });
    authority.sign("early", &Wanted { days: (10, 20), ..Wanted::client("alice") });
    stranger.sign("client", &Wanted::client("alice"));
    let ca = format!("--tls-client-ca={}", authority.text("ca.crt"));
    for auth in ["required", "optional"] {
        let server = start(&authority.flags_and("node", &[&ca, &format!("--tls-client-auth={auth}")]));
        let admitted = |trust: &Trust| {
            // The client of TLS 1.3 is done before the node has seen its certificate.
            let answer = trust.connect(server.address).and_then(|mut client| client.ask("GET color"));
            answer.map(|answer| assert_eq!(answer, "KEY NOT FOUND")).is_ok()
        };
        assert!(admitted(&Trust::showing(&authority, &authority, "client")));
        assert_eq!(admitted(&Trust::in_(&authority)), auth == "optional", "without one");
        // A node's own certificate is none of a client.
        for (of, file) in [(&stranger, "client"), (&authority, "expired"), (&authority, "early"), (&authority, "node")]
        {
            assert!(!admitted(&Trust::showing(&authority, of, file)), "{file} with {auth}");
        }
        let failed = if auth == "optional" { "4" } else { "5" };
        wait_for("all to be counted", || (server.info("tls_handshakes_failed") == failed).then_some(()));
        let lines = || Some(server.later_lines("TLS: a handshake failed")).filter(|lines| !lines.is_empty());
        assert_eq!(wait_for("the log to say so", lines).len(), 1, "the log is not flooded");
    }
}

#[test]
fn a_certificate_is_the_user_that_it_names_and_needs_no_password() {
    let authority = Authority::with_node();
    authority.sign("user", &Wanted::client("default"));
    authority.sign("nobody", &Wanted::client("nobody"));
    authority.sign("named", &Wanted { hosts: &["default"], ..Wanted::client("somebody") });
    std::fs::write(authority.path("password"), "secret\n").expect("it is writable");
    let password = format!("--password-file={}", authority.text("password"));
    let ca = format!("--tls-client-ca={}", authority.text("ca.crt"));
    for (from, admitted, others) in [("cn", "user", ["nobody", "named"]), ("san", "named", ["nobody", "user"])] {
        let from = format!("--tls-user-from={from}");
        let server = start(&authority.flags_and("node", &[&password, &ca, &from, "--tls-client-auth=optional"]));
        let ask = |trust: Trust, request: &str| {
            let mut client = trust.connect(server.address).expect("it is trusted");
            client.ask(request).expect("it answers")
        };
        let showing = |file: &str| Trust::showing(&authority, &authority, file);
        assert_eq!(ask(showing(admitted), "SET color blue"), "OK");
        for file in others {
            assert_eq!(ask(showing(file), "SET color blue"), "ERROR authentication required", "{file}");
            assert_eq!(ask(showing(file), "AUTH secret"), "OK", "it is who it would be without");
        }
        assert_eq!(ask(Trust::in_(&authority), "SET color blue"), "ERROR authentication required");
        assert_eq!(server.connect().ask("GET color"), "ERROR authentication required");
        // Who gives it up is nobody.
        let mut client = showing(admitted).connect(server.address).expect("it is trusted");
        client.send(b"*1\r\n$5\r\nRESET\r\n*2\r\n$3\r\nGET\r\n$5\r\ncolor\r\n").expect("it reads");
        assert_eq!(client.line().expect("it answers"), "+RESET\r");
        assert!(client.line().expect("it answers").starts_with("-NOAUTH"));
    }
}

#[test]
fn a_user_without_a_password_is_its_certificate_and_may_what_its_rules_say() {
    let authority = Authority::with_node();
    authority.sign("alice", &Wanted::client("alice"));
    let ca = format!("--tls-client-ca={}", authority.text("ca.crt"));
    let flags = ["--dialect=resp", &ca, "--tls-user-from=cn", "--tls-client-auth=optional"];
    let server = start(&authority.flags_and("node", &flags));
    let ask = |client: &mut Talk, request: &str| {
        client.send(format!("{request}\r\n").as_bytes()).and_then(|()| client.line())
    };
    let mut operator = Trust::in_(&authority).connect(server.address).expect("it is trusted");
    let as_alice = || Trust::showing(&authority, &authority, "alice").connect(server.address).expect("it is trusted");
    // While there is no such user the certificate makes nobody of its client, not the one who needs no password.
    assert!(ask(&mut as_alice(), "SET b:1 x").expect("it answers").starts_with("-NOAUTH"));
    let rules = "ACL SETUSER alice on resetpass ~a:* +get +set +client|id";
    assert_eq!(ask(&mut operator, rules).expect("it answers"), "+OK\r");
    let mut alice = as_alice();
    assert_eq!(ask(&mut alice, "SET a:1 x").expect("it answers"), "+OK\r");
    for refused in ["SET b:1 x", "DEL a:1", "ACL LIST"] {
        assert!(ask(&mut alice, refused).expect("it answers").starts_with("-NOPERM"), "{refused}");
    }
    // Nobody is she by saying something.
    for guess in ["AUTH alice alice", "AUTH alice \"\""] {
        assert!(ask(&mut operator, guess).expect("it answers").starts_with("-WRONGPASS"), "{guess}");
    }
    // What becomes of the user becomes of who is it.
    assert_eq!(ask(&mut operator, "ACL SETUSER alice +del").expect("it answers"), "+OK\r");
    assert_eq!(ask(&mut alice, "DEL a:1").expect("it answers"), ":1\r");
    assert_eq!(ask(&mut operator, "ACL DELUSER alice").expect("it answers"), ":1\r");
    assert!(ask(&mut alice, "GET a:1").is_err(), "it is gone, and its client with it");
    assert_eq!(ask(&mut operator, "ACL SETUSER alice off ~a:* +get").expect("it answers"), "+OK\r");
    assert!(ask(&mut as_alice(), "GET a:1").expect("it answers").starts_with("-NOAUTH"), "she was turned off");
}

#[test]
fn a_client_sees_that_a_node_is_not_what_it_says() {
    let authority = Authority::with_node();
    authority.sign("expired", &Wanted { days: (-20, -10), ..Wanted::node() });
    authority.sign("early", &Wanted { days: (10, 20), ..Wanted::node() });
    authority.sign("elsewhere", &Wanted { hosts: &["elsewhere"], ..Wanted::node() });
    authority.sign("client", &Wanted { purpose: ExtendedKeyUsagePurpose::ClientAuth, ..Wanted::node() });
    for (file, why) in
        [("expired", "Expired"), ("early", "NotValidYet"), ("elsewhere", "NotValidForName"), ("client", "Purpose")]
    {
        let server = start(&authority.flags(file));
        let error = Trust::in_(&authority).connect(server.address).err().expect("it is not trusted");
        assert!(format!("{error:?}").contains(why), "{file}: {error:?}");
        // Nobody else is any the worse for it.
        assert_eq!(server.connect().ask("GET color"), "KEY NOT FOUND");
    }
    let server = start(&authority.flags("expired"));
    wait_for("the warning", || warning(&server));
    let server = start(&authority.flags("node"));
    let stranger = Authority::new();
    assert!(Trust::in_(&stranger).connect(server.address).is_err(), "another authority");
}

#[test]
fn an_end_that_is_near_is_warned_of() {
    let authority = Authority::new();
    authority.sign("near", &Wanted { days: (-1, 10), ..Wanted::node() });
    let server = start(&authority.flags("near"));
    let warning = wait_for("the warning", || warning(&server));
    assert!(warning.contains("days: put a new one in its place and send SIGHUP"), "{warning}");
    assert!(["9", "10"].contains(&server.info("tls_certificate_days_left").as_str()));
}

#[test]
fn a_conversation_ends_as_with_plain_text_and_says_so() {
    let authority = Authority::with_node();
    let server = start(&authority.flags("node"));
    let trust = Trust::in_(&authority);
    // QUIT: the answer comes, then the end, as TLS says it.
    let mut client = trust.connect(server.address).expect("it is trusted");
    client.send(b"SET color blue\nQUIT\n").expect("it reads");
    assert_eq!(client.line().expect("it answers"), "OK");
    let rest = client.end().expect("it is said that no more comes");
    assert_eq!(String::from_utf8_lossy(&rest), "OK\n");
    // A client that has said all, and says so, is answered all.
    let mut client = trust.connect(server.address).expect("it is trusted");
    client.send(b"GET color\nGET nothing\n").expect("it reads");
    client.0.conn.send_close_notify();
    client.0.conn.write_tls(&mut client.0.sock).expect("it reads");
    assert_eq!(String::from_utf8_lossy(&client.end().expect("it ends")), "blue\nKEY NOT FOUND\n");
    // One that is gone without a word is gone.
    let client = trust.connect(server.address).expect("it is trusted");
    drop(client);
    wait_for("all to be gone", || (server.info("tls_clients") == "0").then_some(()));
    // Text where records are expected ends the one who sends it, and nobody else.
    let mut client = trust.connect(server.address).expect("it is trusted");
    std::io::Write::write_all(&mut client.0.sock, b"GET color\n").expect("it reads");
    assert!(client.end().is_err());
    assert_eq!(Client::connect(server.address).ask("GET color"), "blue");
}
