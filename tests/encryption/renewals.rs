//! Certificates that become others while clients are served.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::certificates::{Authority, Wanted, cut_short};
use crate::harness::{Client, Over, Server, make_pipe, wait_for};
use crate::talk::{Trust, start};

/// Times that the certificate becomes another one under load.
const ROUNDS: usize = 20;

/// What `CONFIG` with these words is answered: the lines of it that say something.
fn config(server: &Server, words: &[&str]) -> String {
    let mut client = server.connect();
    let mut request = format!("*{}\r\n$6\r\nCONFIG\r\n", words.len() + 1);
    words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    client.send(request);
    String::from_utf8(client.finish()).expect("it is text")
}

fn set(server: &Server, pairs: &[&str]) -> String {
    config(server, &[&["SET"], pairs].concat())
}

fn serial(client: &mut Client) -> String {
    client.info("tls_certificate_serial")
}

/// The serial number of the certificate that a new client is shown, in hexadecimal digits.
fn shown(trust: &Trust, server: &Server) -> String {
    let client = trust.connect(server.address).expect("it is trusted");
    let own = client.0.conn.peer_certificates().expect("it shows one")[0].to_vec();
    let (_, own) = x509_parser::parse_x509_certificate(&own).expect("it is one");
    own.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect()
}

#[test]
fn a_signal_brings_what_is_there_and_half_of_it_brings_nothing() {
    let authority = Authority::with_node();
    let server = start(&authority.flags("node"));
    let trust = Trust::in_(&authority);
    let mut watcher = server.connect();
    let mut connected = trust.connect(server.address).expect("it is trusted");
    let first = serial(&mut watcher);
    assert_eq!(shown(&trust, &server), first);

    authority.sign("node", &Wanted::node());
    server.signal(Signal::HUP);
    let second = wait_for("another certificate", || Some(serial(&mut watcher)).filter(|serial| *serial != first));
    assert_eq!(shown(&trust, &server), second);
    assert_eq!(connected.ask("GET color").expect("it stays"), "KEY NOT FOUND");

    // Half of a certificate, half of a key, and a key of another certificate.
    for broken in ["node.crt", "node.key"] {
        let whole = std::fs::read(authority.path(broken)).expect("it is there");
        let said = server.later_lines("the certificate stays as it is").len();
        cut_short(&authority.path(broken));
        server.signal(Signal::HUP);
        wait_for("the complaint", || (server.later_lines("the certificate stays as it is").len() > said).then_some(()));
        assert_eq!(serial(&mut watcher), second);
        assert_eq!(shown(&trust, &server), second);
        std::fs::write(authority.path(broken), whole).expect("it is writable");
    }
    authority.sign("other", &Wanted::node());
    std::fs::copy(authority.path("other.crt"), authority.path("node.crt")).expect("it is writable");
    server.signal(Signal::HUP);
    wait_for("the complaint", || server.later_lines("do not go together").pop());
    assert_eq!(shown(&trust, &server), second);
    assert_eq!(connected.ask("GET color").expect("it stays"), "KEY NOT FOUND");
}

#[test]
fn config_set_answers_when_it_is_in_use_or_why_it_is_not() {
    let authority = Authority::with_node();
    authority.sign("other", &Wanted::node());
    authority.sign("client", &Wanted::client("alice"));
    let server = start(&authority.flags("node"));
    let trust = Trust::in_(&authority);
    let mut watcher = server.connect();
    let first = serial(&mut watcher);
    let (certificate, key) = (authority.text("other.crt"), authority.text("other.key"));

    // One without the other does not go together; nothing changes.
    let answer = set(&server, &["tls-cert-file", &certificate]);
    assert!(answer.starts_with("-ERR CONFIG SET failed") && answer.contains("do not go together"), "{answer}");
    assert_eq!(serial(&mut watcher), first);
    let answer = set(&server, &["tls-cert-file", "nowhere"]);
    assert!(answer.contains("cannot read the certificate nowhere"), "{answer}");
    // What would hold up whoever reads it, or has no end, is not read.
    let [pipe, long] = ["pipe", "long.crt"].map(|name| authority.text(name));
    make_pipe(&authority.path("pipe"));
    std::fs::write(authority.path("long.crt"), vec![b'\n'; (1 << 20) + 1]).expect("it is writable");
    for setting in ["tls-cert-file", "tls-key-file"] {
        for (file, why) in [
            (&pipe[..], "no regular file"),
            ("/dev/zero", "no regular file"),
            (&long, "1048577 bytes are more than 1048576"),
        ] {
            let answer = set(&server, &[setting, file]);
            assert!(answer.starts_with("-ERR CONFIG SET failed") && answer.contains(why), "{file}: {answer}");
        }
    }
    assert_eq!(serial(&mut watcher), first);
    // Together they do, and the answer comes when new clients see it.
    assert_eq!(set(&server, &["tls-cert-file", &certificate, "tls-key-file", &key]), "+OK\r\n");
    let second = serial(&mut watcher);
    assert_ne!(second, first);
    assert_eq!(shown(&trust, &server), second);
    let answer = config(&server, &["GET", "tls-key-file"]);
    assert_eq!(answer, format!("*2\r\n$12\r\ntls-key-file\r\n${}\r\n{key}\r\n", key.len()));

    // Certificates of clients are asked for from here on.
    let answer = set(&server, &["tls-auth-clients", "yes"]);
    assert!(answer.contains("without tls-ca-cert-file"), "{answer}");
    let ca = authority.text("ca.crt");
    assert_eq!(set(&server, &["tls-ca-cert-file", &ca, "tls-auth-clients", "yes"]), "+OK\r\n");
    let ask = |trust: &Trust| trust.connect(server.address).and_then(|mut client| client.ask("GET color"));
    assert!(ask(&trust).is_err());
    assert_eq!(ask(&Trust::showing(&authority, &authority, "client")).expect("it is trusted"), "KEY NOT FOUND");
    assert_eq!(watcher.info("tls_client_auth"), "required");

    // Neither with other settings nor in a transaction: the answer has to wait.
    let answer = set(&server, &["timeout", "5", "tls-cert-file", &certificate]);
    assert!(answer.contains("changed together"), "{answer}");
    let mut client = server.connect();
    client.send("*1\r\n$5\r\nMULTI\r\n*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$16\r\ntls-auth-clients\r\n$2\r\nno\r\n*1\r\n$4\r\nEXEC\r\n");
    let answer = String::from_utf8(client.finish()).expect("it is text");
    assert!(answer.contains("nor within a transaction"), "{answer}");
    assert!(set(&server, &["tls-auth-clients", "perhaps"]).contains("no, yes, optional"));
    let off = Server::start(&[]);
    let answer = set(&off, &["tls-cert-file", &certificate]);
    assert!(answer.contains("TLS is off"), "{answer}");
}

#[test]
fn no_request_fails_while_certificates_become_others_all_the_time() {
    let authority = Authority::with_node();
    let server = start(&authority.flags("node"));
    let trust = Trust::in_(&authority);
    let (over, requests, clients) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut stays = trust.connect(server.address).expect("it is trusted");
                while !over.load(Ordering::Acquire) {
                    let mut new = trust.connect(server.address).expect("it is trusted, whichever it is shown");
                    for client in [&mut stays, &mut new] {
                        assert_eq!(client.ask("SET color blue").expect("it answers"), "OK");
                        requests.fetch_add(1, Ordering::Relaxed);
                    }
                    clients.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&over);
        let mut watcher = server.connect();
        for round in 0..ROUNDS {
            let before = serial(&mut watcher);
            let (seen, name) = (clients.load(Ordering::Relaxed), format!("round-{round}"));
            if round % 2 == 0 {
                authority.sign("node", &Wanted::node());
                server.signal(Signal::HUP);
            } else {
                authority.sign(&name, &Wanted::node());
                let [certificate, key] = ["crt", "key"].map(|kind| authority.text(&format!("{name}.{kind}")));
                assert_eq!(set(&server, &["tls-cert-file", &certificate, "tls-key-file", &key]), "+OK\r\n");
                let [certificate, key] = ["crt", "key"].map(|kind| authority.text(&format!("node.{kind}")));
                assert_eq!(set(&server, &["tls-cert-file", &certificate, "tls-key-file", &key]), "+OK\r\n");
                continue;
            }
            wait_for("another certificate", || (serial(&mut watcher) != before).then_some(()));
            wait_for("clients to see it", || (clients.load(Ordering::Relaxed) > seen).then_some(()));
        }
    });
    let (requests, clients) = (requests.into_inner(), clients.into_inner());
    println!("{ROUNDS} certificates, {clients} handshakes, {requests} requests, none failed");
    assert_eq!(server.info("tls_handshakes_failed"), "0");
}
