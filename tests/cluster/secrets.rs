//! Links that are proven: real processes with a secret, with another one, and with none; rotation and roll-out.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;

use kvstoreapp::replication::wire::{Frame, GREETING, Hello, Proof, TLS_GREETING, VERSION, decode};
use kvstoreapp::store::Floors;
use rustix::process::Signal;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use crate::harness::{PATIENCE, Server, wait_for};
use crate::load::Load;
use crate::nodes::Cluster;

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

const FLAGS: &[&str] = &["--snapshot-interval-ms=100", "--cluster-secret-file=cluster.secret"];
const OLD: &str = "the-secret-of-the-cluster-which-is-long-enough";
const NEW: &str = "the-new-secret-of-the-cluster-which-is-as-long";
const OTHER: &str = "what-a-stranger-has-made-up-and-takes-for-good";
/// What a side may say before the other has proven anything.
const UNPROVEN_BYTES_MAX: usize = 128;

#[test]
fn nodes_with_one_secret_are_linked_and_one_with_another_is_not_until_it_has_the_same() {
    let mut cluster = Cluster::of_nodes(3, FLAGS);
    (0..3).for_each(|id| cluster.write_secret(id, OLD));
    cluster.write_secret(2, OTHER);
    (0..3).for_each(|id| cluster.start(id));
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    assert_eq!(cluster.client(2).ask("SET stranger yes"), "OK");
    [0, 1].into_iter().for_each(|id| cluster.await_info(id, "peers_proven", "1"));
    for (id, peer) in [(0, 2), (1, 2), (2, 0), (2, 1)] {
        let mut client = cluster.client(id);
        wait_for("a reason", || {
            client.info(&format!("peer_{peer}_error")).contains("the cluster's secret").then_some(())
        });
    }
    cluster.await_answer(1, "GET color", "blue");
    assert_eq!(cluster.client(0).ask("GET stranger"), "KEY NOT FOUND");
    assert_eq!(cluster.client(2).ask("GET color"), "KEY NOT FOUND");

    cluster.write_secret(2, OLD);
    cluster.signal(2, Signal::HUP);
    cluster.await_log(2, "the cluster's secret was read again: 1 known");
    cluster.await_links();
    (0..3).for_each(|id| cluster.await_info(id, "peers_proven", "2"));
    (0..3).for_each(|id| cluster.await_info(id, "peer_tls", "required"));
    assert_eq!(cluster.await_identical(&["color", "stranger"].map(str::to_owned)), ["blue", "yes"]);
}

#[test]
fn a_secret_is_exchanged_under_load_with_a_signal_at_each_node_and_no_link_is_lost() {
    let cluster = started(3);
    let load = Load::on(&cluster.addresses, 22);
    let steps = [format!("{OLD}\n{NEW}\n"), format!("{NEW}\n{OLD}\n"), NEW.to_owned()];
    for (place, step) in steps.iter().enumerate() {
        for id in 0..3 {
            load.await_writes(&[0, 1, 2], 100);
            cluster.write_secret(id, step);
            cluster.signal(id, Signal::HUP);
            let read = || cluster.logged(id, "the cluster's secret was read again").len() == place + 1;
            wait_for("the secret to be read again", || read().then_some(()));
        }
    }
    // A file that is wrong changes nothing.
    cluster.write_secret(1, "short");
    cluster.signal(1, Signal::HUP);
    cluster.await_log(1, "the cluster's secret stays as it is");
    load.await_writes(&[0, 1, 2], 100);
    let written = load.stop();
    assert!(written.answered > 1_000);
    for id in 0..3 {
        assert_eq!(cluster.logged(id, " lost: "), Vec::<String>::new());
        assert_eq!(cluster.info(id, "peers_proven"), "2");
        assert!(cluster.logged(id, OLD).is_empty() && cluster.logged(id, NEW).is_empty());
    }
    written.check(&cluster.await_identical(&written.keys()));
}

#[test]
fn the_new_secret_is_what_counts_once_it_is_exchanged() {
    let mut cluster = started(2);
    for (place, step) in [format!("{OLD}\n{NEW}"), format!("{NEW}\n{OLD}"), NEW.to_owned()].iter().enumerate() {
        for id in 0..2 {
            cluster.write_secret(id, step);
            cluster.signal(id, Signal::HUP);
            let read = || cluster.logged(id, "the cluster's secret was read again").len() == place + 1;
            wait_for("the secret to be read again", || read().then_some(()));
        }
    }
    cluster.stop(1);
    cluster.write_secret(1, OLD);
    cluster.start(1);
    cluster.await_reason(1, 0, "the cluster's secret");
    assert_eq!(cluster.info(0, "peers_linked"), "0");
    cluster.write_secret(1, NEW);
    cluster.signal(1, Signal::HUP);
    cluster.await_links();
}

#[test]
fn a_cluster_without_a_secret_gets_one_node_by_node_and_no_other_link_is_lost() {
    let mut cluster = Cluster::started(3, &["--snapshot-interval-ms=100"]);
    (0..3).for_each(|id| cluster.write_secret(id, OLD));
    let secret = "--cluster-secret-file=cluster.secret";
    for flags in [[secret, "--peer-tls=accept"], [secret, "--peer-tls=required"]] {
        for id in 0..3 {
            // Between the two that go on: the one that is stopped may be linked to once more while it ends.
            let lost = |cluster: &Cluster| {
                let stay = (0..3).filter(|&of| of != id);
                let events = stay.flat_map(|of| cluster.events(of, "peer_lost"));
                events.filter(|event| event["fields"]["peer"].as_str() != Some(&id.to_string())).count()
            };
            let before = lost(&cluster);
            cluster.stop(id);
            cluster.start_with(id, &flags);
            cluster.await_links();
            cluster.await_info(id, "peer_tls", &flags[1]["--peer-tls=".len()..]);
            assert_eq!(cluster.client(id).ask(&format!("SET by{id} {}", flags[1])), "OK");
            assert_eq!(lost(&cluster), before, "{:?}", [0, 1, 2].map(|of| cluster.events(of, "peer_lost")));
        }
    }
    (0..3).for_each(|id| cluster.await_info(id, "peers_proven", "2"));
    assert_eq!(cluster.await_identical(&["by0", "by1", "by2"].map(str::to_owned)), ["--peer-tls=required"; 3]);
}

#[test]
fn a_node_without_the_secret_is_refused_in_plain_text_and_dialed_in_tls_alone() {
    let mut cluster = Cluster::of_nodes(2, &["--snapshot-interval-ms=100"]);
    cluster.write_secret(0, OLD);
    cluster.start_with(0, &["--cluster-secret-file=cluster.secret"]);
    cluster.start(1);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    assert_eq!(cluster.client(1).ask("SET color red"), "OK");
    cluster.await_reason(1, 0, "links go over TLS and prove the cluster's secret here; see --cluster-secret-file");
    cluster.await_log(0, "refused a link from 127.0.0.1:");
    cluster.await_reason(0, 1, "its handshake failed");
    let retries = |cluster: &Cluster| cluster.info(0, "peer_1_retries").parse::<u64>().expect("a number");
    let before = retries(&cluster);
    wait_for("more dials", || (retries(&cluster) > before + 2).then_some(()));
    assert_eq!([0, 1].map(|id| cluster.info(id, "peers_linked")), ["0", "0"]);
    assert_eq!([0, 1].map(|id| cluster.client(id).ask("GET color")), ["blue", "red"]);
}

#[test]
fn strangers_hear_one_line_however_they_come_and_one_line_in_ten_seconds_is_logged() {
    const STRANGERS: usize = 20;
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let config = r#"[{ "ip": "127.0.0.1", "port": 1 }, { "ip": "127.0.0.1", "port": 2 }]"#;
    std::fs::write(directory.path().join("node_config.json"), config).expect("it is writable");
    write_secret(&directory.path().join("cluster.secret"), OLD);
    let server = Server::start_in(directory, FLAGS);
    let mut client = server.connect();
    for _ in 0..STRANGERS {
        // In plain text.
        let mut plain = TcpStream::connect(server.address).expect("it listens");
        plain.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        plain.write_all(&[GREETING, &hello()[..]].concat()).expect("it reads");
        assert_one_refusal(&heard(&mut plain));
        // Over TLS with a proof of nothing, and with none.
        for said in [framed(Proof { node: 1, to: 0, proof: [9; 32] }), hello(), vec![7; 1_000]] {
            let mut encrypted = encrypted(server.address);
            encrypted.write_all(&[GREETING, &said[..]].concat()).expect("it reads");
            encrypted.flush().expect("it reads");
            assert_one_refusal(&heard(&mut encrypted));
        }
    }
    let refused = (4 * STRANGERS).to_string();
    wait_for("all to be counted", || (client.info("peers_refused") == refused).then_some(()));
    let lines = server.later_lines("refused a link from 127.0.0.1:");
    // Where the machine is slow, ten seconds pass.
    assert!((1..=3).contains(&lines.len()), "{lines:?}");
    // A client in the guise of a node is none.
    let mut encrypted = encrypted(server.address);
    encrypted.write_all(b"SET color blue\n").expect("it reads");
    assert_one_refusal(&heard(&mut encrypted));
    assert_eq!(client.ask("GET color"), "KEY NOT FOUND");
}

#[test]
fn whoever_begins_a_handshake_and_does_not_end_it_costs_nobody_a_link() {
    let mut cluster = started(2);
    let mut begun = Vec::new();
    for count in 0..300 {
        let mut stream = TcpStream::connect(cluster.listens_at(0)).expect("it listens");
        let beginning = [&TLS_GREETING[..], &[0x16, 3, 1, 2, 0, 1][..]].concat();
        stream.write_all(&beginning[..count % beginning.len() + 1]).expect("it reads");
        begun.push(stream);
    }
    cluster.kill(1);
    cluster.start(1);
    cluster.await_links();
    assert_eq!(cluster.client(1).ask("SET color blue"), "OK");
    cluster.await_answer(0, "GET color", "blue");
}

#[test]
fn what_comes_over_the_tls_of_clients_is_no_node() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let mut certs = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
    assert!(certs.current_dir(directory.path()).args(["certs", "--out=tls"]).status().expect("it runs").success());
    write_secret(&directory.path().join("cluster.secret"), OLD);
    let flags = [FLAGS, &["--tls-cert=tls/node-0.crt", "--tls-key=tls/node-0.key"]].concat();
    let server = Server::start_in(directory, &flags);
    let connect = || over_tls(TcpStream::connect(server.address).expect("it listens"));
    let mut client = connect();
    client.write_all(b"SET color blue\nGET color\nQUIT\n").expect("it reads");
    assert_eq!(heard(&mut client), b"OK\nblue\nOK\n");
    for said in [hello(), framed(Proof { node: 1, to: 0, proof: [9; 32] })] {
        let mut stranger = connect();
        stranger.write_all(&[GREETING, &said[..]].concat()).expect("it reads");
        assert_one_refusal(&heard(&mut stranger));
    }
    assert_eq!(server.info("peers_refused"), "2");
}

#[test]
fn a_handshake_of_more_than_64_kib_is_ended() {
    let cluster = started(2);
    let mut stream = TcpStream::connect(cluster.listens_at(0)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    // A hello that says that it is as long as one may be, in records of 16 KiB.
    let message = [&[1, 0, 0xff, 0xf0][..], &[0; 0xfff0]].concat();
    let record = |part: &[u8]| [&[0x16, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
    let records: Vec<u8> = message.chunks(16 << 10).flat_map(record).collect();
    // The node may hang up before it has read all.
    let _ = stream.write_all(&[&TLS_GREETING[..], &records].concat());
    assert!(heard(&mut stream).len() <= UNPROVEN_BYTES_MAX);
    cluster.await_log(0, "TLS: a handshake failed");
    assert_eq!(cluster.info(0, "peers_linked"), "1");
}

/// All run and are linked.
fn started(count: usize) -> Cluster {
    let mut cluster = Cluster::of_nodes(count, FLAGS);
    (0..count).for_each(|id| cluster.write_secret(id, OLD));
    (0..count).for_each(|id| cluster.start(id));
    cluster.await_links();
    cluster
}

impl Cluster {
    /// Writes the node's file of the cluster's secret.
    fn write_secret(&self, id: usize, text: &str) {
        write_secret(&self.config_file(id).with_file_name("cluster.secret"), text);
    }
}

/// In one step: a node that reads it meanwhile has the one or the other.
fn write_secret(path: &std::path::Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("it is writable");
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    std::fs::rename(&new, path).expect("it is writable");
}

/// All that the other side says before it hangs up.
fn heard(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    // Without a goodbye in TLS, that is an error.
    let _ = stream.read_to_end(&mut all);
    all
}

/// It says that it hangs up, and nothing of the node.
fn assert_one_refusal(heard: &[u8]) {
    assert!(heard.len() <= UNPROVEN_BYTES_MAX && heard.starts_with(GREETING), "{heard:?}");
    let body = &heard[GREETING.len() + 8..];
    assert!(matches!(decode(body), Ok(Frame::Refusal(_))), "{heard:?}");
}

fn framed(proof: Proof) -> Vec<u8> {
    let mut bytes = Vec::new();
    proof.encode(&mut bytes);
    bytes
}

/// As an honest node could say it.
fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    Hello {
        version: VERSION,
        node: 1,
        to: 0,
        incarnation: 7,
        unix_ms: 0,
        clock: 0,
        since: 0,
        seen: 0,
        cursor: Default::default(),
        vector: Default::default(),
        collected: Default::default(),
        floors: Floors::default(),
        linked: Vec::new(),
        members: Vec::new(),
    }
    .encode(&mut bytes);
    bytes
}

/// A connection as a node sets it up, but for the secret.
fn encrypted(address: SocketAddr) -> Encrypted {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket option can be set");
    // Each may come alone.
    TLS_GREETING.iter().for_each(|&byte| stream.write_all(&[byte]).expect("it reads"));
    over_tls(stream)
}

fn over_tls(stream: TcpStream) -> Encrypted {
    let provider = Arc::new(default_provider());
    let made = rcgen::generate_simple_self_signed(["stranger.invalid".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("it has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_auth_cert(vec![made.cert.der().clone()], key)
        .expect("they go together");
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection can begin");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    StreamOwned::new(connection, stream)
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
