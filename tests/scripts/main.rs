//! `scripts/cluster.sh` and the README as somebody at a shell uses them, on addresses and in directories of the tests' own.
#[path = "../harness/mod.rs"]
mod harness;
mod readme;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::Client;
use crate::harness::addresses::Addresses;

#[test]
fn a_cluster_is_started_watched_crashed_restarted_and_stopped() {
    let cluster = Cluster::of_nodes(3);
    let started = cluster.expect("start", &["--", "--snapshot-interval-ms=100"]);
    assert_eq!(started.lines().count(), 3, "{started}");
    for (id, address) in cluster.addresses.iter().enumerate() {
        assert!(started.contains(&format!("node {id}  {address}  pid ")), "{started}");
    }
    assert_eq!(cluster.processes().len(), 3);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    cluster.await_value(2, "color", "blue");

    let refused = cluster.expect_failure("start", &[]);
    assert!(refused.contains("already running: node 0, process "), "{refused}");
    assert_eq!(cluster.processes().len(), 3);
    let status = cluster.await_status();
    assert!(status.contains("OK: 3 of 3 nodes agree"), "{status}");
    assert_eq!((status.matches("  running\n").count(), status.matches("  agrees  ").count()), (3, 6), "{status}");

    cluster.expect("kill", &["1"]);
    assert_eq!(cluster.processes().len(), 2);
    let status = cluster.expect_failure("status", &[]);
    assert!(status.contains(&format!("node 1  {}  not running", cluster.addresses[1])), "{status}");
    assert_eq!(cluster.client(0).ask("SET color green"), "OK");
    let away: Vec<String> = (0..50_000).map(|number| format!("SET key{number} {number:0100}")).collect();
    assert!(cluster.client(0).ask_all(&away).iter().all(|answer| answer == "OK"));

    let restarted = cluster.expect("restart", &["1"]);
    assert!(restarted.starts_with("node 1  "), "{restarted}");
    let mut client = cluster.client(1);
    assert_eq!((client.ask("GET color"), client.info("keys")), ("green".to_owned(), "50001".to_owned()));
    assert_eq!((client.info("peers_linked"), client.info("ready")), ("2".to_owned(), "yes".to_owned()));
    let log = cluster.expect("logs", &["1"]);
    assert_eq!(log.matches("listening on").count(), 2, "{log}");
    assert!(log.contains("a snapshot every 100 ms"), "a restart forgets a flag: {log}");

    cluster.expect("stop", &[]);
    assert_eq!(cluster.processes(), Vec::new());
    assert_eq!(cluster.files(), ["node-0", "node-0.log", "node-1", "node-1.log", "node-2", "node-2.log"]);
    cluster.expect("start", &["--pin"]);
    assert_eq!(cluster.client(2).ask("GET color"), "green");
    cluster.expect("stop", &["--wipe"]);
    assert_eq!(cluster.processes(), Vec::new());
    assert!(!cluster.state().exists());
}

#[test]
fn a_taken_port_is_named_and_nothing_is_started() {
    let cluster = Cluster::of_nodes(3);
    let _taken = TcpListener::bind(cluster.addresses[1]).expect("it was free");
    let refused = cluster.expect_failure("start", &[]);
    let taken = format!("the port of node 1 is taken: something listens on {}", cluster.addresses[1]);
    assert!(refused.contains(&taken), "{refused}");
    assert!(!cluster.state().exists(), "{:?}", cluster.files());
    assert_eq!(cluster.processes(), Vec::new());
}

#[test]
fn a_node_that_does_not_come_up_says_why_and_takes_the_others_with_it() {
    let cluster = Cluster::of_nodes(3);
    fs::create_dir_all(cluster.state().join("node-2")).expect("the test's directory is writable");
    fs::write(cluster.state().join("node-2/backup.db"), "no data file").expect("the test's directory is writable");
    let refused = cluster.expect_failure("start", &[]);
    assert!(refused.contains("node 2 did not come up"), "{refused}");
    assert!(refused.contains("kvstoreapp: ") && refused.contains("node-2/backup.db"), "no reason: {refused}");
    assert_eq!(cluster.processes(), Vec::new());
    let left = cluster.files();
    assert!(!left.iter().any(|file| file.ends_with(".pid") || file.ends_with(".command")), "{left:?}");
}

#[test]
fn a_node_on_another_machine_is_not_started_here() {
    let cluster = Cluster::of_nodes(1);
    fs::write(cluster.config(), r#"[null, { "port": 5000, "ip": "192.0.2.7" }]"#).expect("it is writable");
    let refused = cluster.expect_failure("start", &[]);
    assert!(refused.contains("node 1 is at 192.0.2.7") && refused.contains("On each machine"), "{refused}");
    assert!(!cluster.state().exists());
}

#[test]
fn a_node_that_was_appended_is_started_and_those_that_run_stay() {
    let cluster = Cluster::of_nodes(3);
    cluster.configure(2);
    cluster.expect("start", &["--", "--snapshot-interval-ms=100"]);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    let before = cluster.processes();
    cluster.configure(3);
    let started = cluster.expect("start", &[]);
    assert_eq!(started.lines().count(), 3, "{started}");
    assert!(before.len() == 2 && before.iter().all(|pid| cluster.processes().contains(pid)), "{started}");
    assert_eq!(
        (cluster.client(2).ask("GET color"), cluster.client(0).info("peers_linked")),
        ("blue".into(), "2".into())
    );
    let log = cluster.expect("logs", &["2"]);
    assert!(log.contains("a snapshot every 100 ms"), "it has the flags of the others: {log}");

    // One that does not come up takes none of the others with it.
    cluster.expect("kill", &["2"]);
    fs::remove_dir_all(cluster.state().join("node-2")).expect("it is ours");
    fs::create_dir(cluster.state().join("node-2")).expect("it is ours");
    fs::write(cluster.state().join("node-2/backup.db"), "no data file").expect("the test's directory is writable");
    let refused = cluster.expect_failure("start", &[]);
    assert!(refused.contains("node 2 did not come up"), "{refused}");
    assert_eq!(cluster.processes().len(), 2);
    cluster.expect("stop", &["--wipe"]);
}

/// A config file, a place for state, and whatever the script starts there; all of it ends with the test.
#[test]
fn a_cluster_with_tls_has_certificates_of_its_own_and_answers_where_plain_text_is_refused() {
    let cluster = Cluster::of_nodes(2);
    cluster.expect("start", &["--tls"]);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    assert_eq!(cluster.ask_by_tls(0, "GET color"), "blue\nOK\n");
    let authority = fs::read(cluster.state().join("tls/ca.crt")).expect("it was made");
    cluster.expect("stop", &[]);

    cluster.expect("start", &["--tls", "--", "--tls=required"]);
    assert_eq!(fs::read(cluster.state().join("tls/ca.crt")).expect("it stays"), authority);
    let status = cluster.await_status();
    assert_eq!((status.matches("  ready  ").count(), status.matches("  agrees  ").count()), (2, 2), "{status}");
    assert!(cluster.client(1).ask("GET color").contains("speaks TLS alone"));
    harness::wait_for("the data", || (cluster.ask_by_tls(1, "GET color") == "blue\nOK\n").then_some(()));
    cluster.expect("stop", &["--wipe"]);
    assert!(!cluster.state().exists());
}

#[test]
fn a_cluster_with_a_secret_makes_one_keeps_it_and_proves_its_links() {
    let cluster = Cluster::of_nodes(2);
    let path = cluster.state().join("cluster.secret");
    let mut made = None;
    for _ in 0..2 {
        cluster.expect("start", &["--secret"]);
        assert_eq!([0, 1].map(|id| cluster.client(id).info("peers_proven")), ["1", "1"]);
        let mode = fs::metadata(&path).expect("it was made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let secret = fs::read_to_string(&path).expect("it was made");
        assert_eq!(made.get_or_insert_with(|| secret.clone()), &secret);
        cluster.expect("restart", &["1"]);
        assert_eq!(cluster.client(0).info("peers_proven"), "1");
        cluster.expect("stop", &[]);
    }
    cluster.expect("start", &["--secret", "--", "--peer-tls=off"]);
    assert_eq!(cluster.client(0).info("peers_proven"), "0");
    cluster.expect("stop", &["--wipe"]);
    assert!(!cluster.state().exists());
}

#[test]
fn an_address_stays_a_tests_own_until_its_node_listens_there() {
    let [.., high, low] = std::process::id().to_be_bytes();
    let addresses = Addresses::reserve([127, 91, high, low].into(), 2);
    assert_ne!(addresses.all[0], addresses.all[1]);
    // Another test begins a process, which has all descriptors of this one until it has become its program.
    let _elsewhere = addresses.held_elsewhere();
    for &address in &addresses.all {
        let node = TcpListener::bind(address).expect("nobody listens there");
        let _client = TcpStream::connect(address).expect("it listens");
        assert_eq!(node.accept().expect("somebody came").1.ip(), Ipv4Addr::LOCALHOST);
    }
}

struct Cluster {
    directory: TempDir,
    addresses: Vec<SocketAddr>,
    _held: Addresses,
}

impl Cluster {
    /// Ports on an address that only this process uses. Clients have 127.0.0.1, so none of them takes a port away.
    fn of_nodes(count: usize) -> Cluster {
        let [.., high, low] = std::process::id().to_be_bytes();
        let held = Addresses::reserve([127, 90, high, low].into(), count);
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let cluster = Cluster { directory, addresses: held.all.clone(), _held: held };
        cluster.configure(count);
        cluster
    }

    /// Writes the config file of the first nodes.
    fn configure(&self, count: usize) {
        let entry = |address: &SocketAddr| format!(r#"{{ "ip": "{}", "port": {} }}"#, address.ip(), address.port());
        let entries: Vec<String> = self.addresses[..count].iter().map(entry).collect();
        fs::write(self.config(), format!("[\n{}\n]\n", entries.join(",\n"))).expect("it is writable");
    }

    /// What the script says of the nodes once all agree.
    fn await_status(&self) -> String {
        let agreed = || Some(self.run("status", &[])).filter(|(succeeded, _)| *succeeded);
        harness::wait_for("all to agree", agreed).1
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("three nodes.json")
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// What `openssl` is answered by TLS, where the authority of the state's directory vouches for the node.
    fn ask_by_tls(&self, id: usize, request: &str) -> String {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &self.addresses[id].to_string()]);
        let mut child = command
            .arg("-CAfile")
            .arg(self.state().join("tls/ca.crt"))
            .args(["-verify_ip", &self.addresses[id].ip().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/check.sh installs it");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        stdin.write_all(format!("{request}\nQUIT\n").as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends when the node does");
        drop(stdin);
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// Whether the script says that it succeeded, and all that it printed.
    fn run(&self, verb: &str, arguments: &[&str]) -> (bool, String) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/cluster.sh");
        let mut command = Command::new("bash");
        command.args([script, verb, "--dir", "state"]);
        // What was started, and for which cluster, is known from there on.
        if verb == "start" {
            command.args(["--binary", env!("CARGO_BIN_EXE_kvstoreapp"), "--config"]).arg(self.config());
        }
        let output = command.args(arguments).current_dir(self.directory.path()).output().expect("there is bash");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).expect("it prints text"))
    }

    fn expect(&self, verb: &str, arguments: &[&str]) -> String {
        let (succeeded, said) = self.run(verb, arguments);
        assert!(succeeded, "{verb}: {said}");
        said
    }

    fn expect_failure(&self, verb: &str, arguments: &[&str]) -> String {
        let (succeeded, said) = self.run(verb, arguments);
        assert!(!succeeded, "{verb}: {said}");
        said
    }

    fn client(&self, id: usize) -> Client {
        Client::connect(self.addresses[id])
    }

    fn await_value(&self, id: usize, key: &str, value: &str) {
        let mut client = self.client(id);
        harness::wait_for("replication", || (client.ask(&format!("GET {key}")) == value).then_some(()));
    }

    /// All that lies in the state directory.
    fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.state()) else { return Vec::new() };
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name().display().to_string();
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// All processes that were told to keep data there.
    fn processes(&self) -> Vec<Pid> {
        let marker = format!("--data-dir={}/node-", self.state().display());
        let is_ours = |pid: &Pid| {
            let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&marker)
        };
        let entries = fs::read_dir("/proc").expect("this is Linux").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
        pids.filter(is_ours).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for pid in self.processes() {
            // It may have ended already.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
