//! `kvstoreapp check` and `HEALTH`: the same for machines without HTTP.

use std::net::TcpListener;
use std::process::Command;

use kvstoreapp::auth::Password;
use kvstoreapp::node::{Options, Origin};

use crate::answers::{by_words, place, place_with};
use crate::harness::Server;
use crate::pure::{NOW, cluster, options, say, start, tick};

/// Exit code and sentence.
fn check(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kvstoreapp")).arg("check").args(arguments).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it ends by itself"), String::from_utf8(said).expect("text"))
}

#[test]
fn anybody_may_ask_how_the_node_is() {
    let mut node = place();
    assert_eq!(by_words(&mut node, "HEALTH"), "+live\r\n");
    assert_eq!(by_words(&mut node, "health ready"), "+ready\r\n");
    assert_eq!(by_words(&mut node, "HEALTH STRICT"), "+ready, and all nodes agree\r\n");
    assert!(by_words(&mut node, "HEALTH nosuch").starts_with("-ERR "));
    by_words(&mut node, "ACL SETUSER default -@all");
    assert_eq!(by_words(&mut node, "HEALTH"), "+live\r\n", "also who may nothing else");
    let mut node = place_with(Options { password: Some(Password::of(b"secret")), ..options() });
    assert_eq!(by_words(&mut node, "HEALTH READY"), "+ready\r\n");
    assert!(by_words(&mut node, "GET a").starts_with("-NOAUTH"));
}

#[test]
fn a_pause_of_clients_is_none_of_the_health() {
    let mut node = place();
    by_words(&mut node, "CLIENT PAUSE 60000 ALL");
    assert_eq!(by_words(&mut node, "HEALTH READY"), "+ready\r\n");
}

#[test]
fn a_node_that_waits_for_its_peers_says_so() {
    let mut node = start(cluster(0, 2, 1), options(), NOW);
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    tick(&mut node, NOW);
    let said = say(&mut node, 0, b"*2\r\n$6\r\nHEALTH\r\n$5\r\nREADY\r\n");
    assert_eq!(said, b"-NOTREADY not ready: peers: node 1 was not reached yet\r\n");
    assert_eq!(say(&mut node, 0, b"*1\r\n$6\r\nHEALTH\r\n"), b"+live\r\n");
    node.shut_down();
    let said = say(&mut node, 0, b"*2\r\n$6\r\nHEALTH\r\n$5\r\nREADY\r\n");
    assert_eq!(said, b"-NOTREADY not ready: running: the node is shutting down\r\n");
}

#[test]
fn a_script_is_told_by_exit_codes() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    std::fs::write(directory.path().join("password"), "secret\n").expect("it is writable");
    let password = format!("--password-file={}", directory.path().join("password").display());
    let socket = directory.path().join("socket");
    let unix = format!("--unix-socket={}", socket.display());
    let server = Server::start(&["--http=off", &password, &unix]);
    let address = server.address.to_string();
    for arguments in [&[][..], &["--ready"], &["--strict"]] {
        for address in [&address, &socket.display().to_string()] {
            let (code, said) = check(&[arguments, &["--address", address]].concat());
            assert!(code == 0 && said.starts_with(&format!("{address} is ")), "{arguments:?}: {code} {said}");
        }
    }
    // A cluster of two, of which one is away.
    let config = directory.path().join("config.json");
    let away = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let away_address = away.local_addr().expect("it has one");
    drop(away);
    let text =
        format!(r#"[{{ "ip": "127.0.0.1", "port": 5000 }}, {{ "ip": "127.0.0.1", "port": {} }}]"#, away_address.port());
    std::fs::write(&config, text).expect("it is writable");
    let lonely = Server::start(&[&format!("--config={}", config.display()), "--ready-after-s=0"]);
    let address = lonely.address.to_string();
    assert_eq!(check(&["--ready", "--address", &address]).0, 0, "it was waited for long enough");
    let (code, said) = check(&["--strict", "--address", &address]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is not ready: node 1: ") && said.lines().count() == 1, "{said}");
    // Nobody there, or somebody else.
    let (code, said) = check(&["--config", &config.display().to_string(), "--id=1"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(&format!("{away_address} does not answer")), "{said}");
    assert_eq!(check(&["--ready", "--strict"]).0, 2, "one question");
}
