//! Protected mode: what a node says to other machines while nobody has to prove anything to it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use kvstoreapp::replication::wire::GREETING;

use crate::harness::{PATIENCE, Server, wait_for};
use crate::hosts::Network;

/// A node that is in protected mode, on a host of its own.
struct Closed {
    network: Network,
    server: Server,
}

impl Closed {
    /// It listens on all addresses, so that the same machine reaches it by loopback.
    fn start(flags: &[&str]) -> Option<Closed> {
        let network = Network::of_hosts(2)?;
        let server = network.launch(0, &[&["--bind=0.0.0.0"], flags].concat());
        Some(Closed { network, server })
    }

    /// What a client on this host is told that sends this to the node's address on the wire.
    fn tells(&self, host: usize, says: &[u8]) -> String {
        let answer = self.network.on(host, || {
            let mut stream = connect(self.network.address(0));
            stream.write_all(says).expect("the node has not closed before anything was said");
            read_to_end(&mut stream)
        });
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What a client of the same machine is told that sends this line, or these words in RESP, less the answer to its
    /// `QUIT`.
    fn answers(&self, says: &str) -> String {
        let words: Vec<&str> = says.split(' ').collect();
        let says = match words[0] {
            "CONFIG" => {
                let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
                format!("*{}\r\n{words}", says.split(' ').count())
            }
            _ => format!("{says}\n"),
        };
        let answer = self.network.on(0, || {
            let mut stream = connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.server.address.port()));
            stream.write_all(format!("{says}QUIT\n").as_bytes()).expect("it reads");
            String::from_utf8(read_to_end(&mut stream)).expect("text")
        });
        let end = if answer.ends_with("+OK\r\n") { "+OK\r\n" } else { "OK\n" };
        answer.strip_suffix(end).expect("the answer to QUIT").to_owned()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// All up to where the node closes, which it does in order.
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the node closes");
    answer
}

#[test]
fn another_machine_gets_one_line_that_says_how_to_open_the_node_and_this_one_is_served() {
    let Some(node) = Closed::start(&[]) else { return };
    assert_eq!(node.answers("SET color blue"), "OK\n");
    let why = "DENIED kvstoreapp is running in protected mode because no password is set for the default user.";
    for (says, begin, end) in [
        ("GET color\n", format!("ERROR {why}"), "\n"),
        ("*2\r\n$3\r\nGET\r\n$5\r\ncolor\r\n", format!("-{why}"), "\r\n"),
        (
            "{\"op\":\"get\",\"key\":\"color\"}\n",
            format!("{{\"error\":{{\"code\":\"DENIED\",\"message\":\"{}", &why[7..]),
            "}\n",
        ),
        // Somebody at a terminal, who has typed nothing.
        ("", format!("ERROR {why}"), "\n"),
        // Half a request, and half of what a node says first.
        ("*", format!("-{why}"), "\r\n"),
        (&String::from_utf8_lossy(&GREETING[..2]), format!("ERROR {why}"), "\n"),
    ] {
        // The host's own other address is no loopback either.
        for host in [1, 0] {
            let told = node.tells(host, says.as_bytes());
            assert!(told.starts_with(&begin) && told.ends_with(end), "{says:?}: {told:?}");
            assert_eq!(told.lines().count(), 1, "{told:?}");
            for remedy in ["--password-file", "CONFIG SET requirepass", "--protected-mode no"] {
                assert!(told.contains(remedy), "{told:?}");
            }
        }
    }
    assert_eq!(node.answers("GET color"), "blue\n");
    let info = node.answers("INFO");
    assert!(info.contains("\nclients_denied: 12\n"), "{info}");
    let warned = node.server.log.iter().filter(|line| line.contains("(protected mode)")).count();
    assert_eq!(warned, 1, "{:?}", node.server.log);
}

#[test]
fn a_password_opens_the_node_and_the_log_says_that_it_travels_in_plain_text() {
    let Some(network) = Network::of_hosts(2) else { return };
    let password = tempfile::NamedTempFile::new().expect("there is a temporary directory");
    std::fs::write(&password, "secret").expect("it is writable");
    let flag = format!("--password-file={}", password.path().display());
    let server = network.launch(0, &["--bind=0.0.0.0", &flag]);
    let node = Closed { network, server };
    assert_eq!(node.tells(1, b"GET a\nQUIT\n"), "ERROR authentication required\nOK\n");
    assert_eq!(node.tells(1, b"AUTH secret\nSET a b\nQUIT\n"), "OK\nOK\nOK\n");
    let warned: Vec<_> = node.server.log.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("in plain text"), "{warned:?}");
    // Nodes prove nothing by it.
    assert!(node.tells(1, GREETING).contains("refused by node 0: protected mode is on"));
}

#[test]
fn the_mode_is_a_setting_and_holds_for_whoever_comes_after() {
    let Some(node) = Closed::start(&["--dialect=resp"]) else { return };
    assert_eq!(node.tells(1, b"").split(' ').next(), Some("-DENIED"), "the node's own dialect");
    let get = "CONFIG GET protected-mode";
    assert_eq!(node.answers(get), "*2\r\n$14\r\nprotected-mode\r\n$3\r\nyes\r\n");
    assert_eq!(node.answers("CONFIG SET protected-mode no"), "+OK\r\n");
    let ping = b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n";
    assert_eq!(node.tells(1, ping), "+PONG\r\n+OK\r\n");
    assert_eq!(node.answers(get), "*2\r\n$14\r\nprotected-mode\r\n$2\r\nno\r\n");
    assert_eq!(node.answers("CONFIG SET protected-mode yes"), "+OK\r\n");
    assert!(node.tells(1, ping).starts_with("-DENIED "));
}

#[test]
fn denied_clients_that_say_nothing_keep_nobody_out() {
    const CROWD: usize = 200;
    let Some(node) = Closed::start(&["--max-clients=20"]) else { return };
    let crowd: Vec<TcpStream> = node.network.on(1, || (0..CROWD).map(|_| connect(node.network.address(0))).collect());
    // Sixteen of them at most have a place, so there is one for this machine.
    assert_eq!(node.answers("SET a b"), "OK\n");
    drop(crowd);
    wait_for("all of the crowd to be gone", || node.answers("INFO").contains("\nclients: 1\n").then_some(()));
}

#[test]
fn nodes_of_other_machines_are_linked_on_purpose_only() {
    let Some(closed) = Closed::start(&[]) else { return };
    let open = closed.network.launch(1, &["--protected-mode=no"]);
    wait_for("the log to name the remedy", || {
        let lines = closed.server.later_lines("protected mode is on");
        lines.iter().any(|line| line.contains("--protected-mode no")).then_some(())
    });
    // Whoever dials is told why, in its own log too.
    let refused = "refused by node 0: protected mode is on";
    wait_for("the other node's log to say so", || (!open.later_lines(refused).is_empty()).then_some(()));
    // A stranger that greets again and again does not fill the log.
    for _ in 0..50 {
        let told = closed.tells(1, GREETING);
        assert!(told.contains(refused), "{told:?}");
    }
    let lines = closed.server.later_lines("protected mode is on");
    assert!(lines.len() <= 6, "{lines:?}");
    assert!(closed.answers("INFO").contains("\npeers_linked: 0\n"));

    assert_eq!(closed.answers("CONFIG SET protected-mode no"), "+OK\r\n");
    wait_for("the link", || closed.answers("INFO").contains("\npeers_linked: 1\n").then_some(()));
}

#[test]
fn a_password_without_a_secret_of_nodes_is_warned_of_where_nobody_is_turned_away() {
    let Some(network) = Network::of_hosts(2) else { return };
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let [password, secret] = ["password", "secret"].map(|name| directory.path().join(name));
    std::fs::write(&password, "secret").expect("it is writable");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef0123456789a").expect("it is writable");
    let password = format!("--password-file={}", password.display());
    let secret = format!("--cluster-secret-file={}", secret.display());
    let [open, accept] = ["--protected-mode=no", "--peer-tls=accept"];
    let (one, two) = ("can say that it is a node", "--cluster-secret-file) and --peer-tls=required");
    for (flags, is_warned) in [
        (vec![&password[..], open], true),
        (vec![&password[..], open, &secret, accept], true),
        (vec![&password[..], open, &secret], false),
        (vec![&password[..]], false),
        // Of that another warning says more.
        (vec![open], false),
    ] {
        let server = network.launch(0, &flags);
        let warned = server.log.iter().filter(|line| line.contains(one) && line.contains(two)).count();
        assert_eq!(warned, usize::from(is_warned), "{flags:?}: {:?}", server.log);
    }
}

#[test]
fn the_log_says_that_clients_with_a_certificate_are_served() {
    let Some(network) = Network::of_hosts(2) else { return };
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let place = directory.path().join("tls").display().to_string();
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_kvstoreapp"))
        .args(["certs", "--out", &place])
        .current_dir(&directory)
        .output();
    assert!(made.expect("it runs").status.success());
    let flag = |name: &str, file: &str| format!("--{name}={place}/{file}");
    let tls = [flag("tls-cert", "node-0.crt"), flag("tls-key", "node-0.key"), flag("tls-client-ca", "ca.crt")];
    let served = "are served where they show a certificate, and turned away else";
    let remedy = "ask for certificates with --tls-client-ca";
    let everything = "can read and change everything: no password is set";
    let nodes = "can say that it is a node";
    for (auth, policy, protected, says) in [
        ("optional", "optional", "yes", served),
        ("required", "required", "yes", served),
        ("no", "optional", "yes", remedy),
        ("optional", "required", "no", everything),
        ("required", "optional", "no", everything),
        ("required", "required", "no", nodes),
    ] {
        let modes =
            [format!("--tls-client-auth={auth}"), format!("--tls={policy}"), format!("--protected-mode={protected}")];
        let flags: Vec<&str> = tls.iter().chain(&modes).map(String::as_str).collect();
        let server = network.launch(0, &flags);
        for sentence in [served, remedy, everything, nodes] {
            let said = server.log.iter().filter(|line| line.contains(sentence)).count();
            assert_eq!(said, usize::from(sentence == says), "{modes:?}: {sentence}: {:?}", server.log);
        }
    }
}

#[test]
fn a_node_that_also_accepts_plain_text_takes_none_of_another_machine() {
    use std::os::unix::fs::PermissionsExt;
    let secret = tempfile::NamedTempFile::new().expect("there is a temporary directory");
    std::fs::write(&secret, "a-secret-that-both-machines-know-and-nobody-else").expect("it is writable");
    secret.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    let flag = format!("--cluster-secret-file={}", secret.path().display());
    let flags = [&flag, "--peer-tls=accept"];
    let Some(closed) = Closed::start(&flags) else { return };
    let refused = "refused by node 0: protected mode is on";
    assert!(closed.tells(1, GREETING).contains(refused));
    // Nor is a node there linked that has no secret.
    let open = closed.network.launch(1, &["--protected-mode=no"]);
    wait_for("the other node's log to say so", || (!open.later_lines(refused).is_empty()).then_some(()));
    assert!(closed.answers("INFO").contains("\npeers_linked: 0\n"));
    drop(open);
    // One that proves the secret is linked.
    let proven = closed.network.launch(1, &flags);
    wait_for("the link", || closed.answers("INFO").contains("\npeers_proven: 1\n").then_some(()));
    drop(proven);
}
