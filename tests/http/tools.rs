//! Tools that others have made, against a real node: Prometheus' own checker, and the exporter whose names `/metrics/redis`
//! has. `scripts/check.sh` installs both, and `scripts/observe.sh` has a whole Prometheus collect figures of a cluster.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::answers::parse;
use crate::harness::addresses::Addresses;
use crate::harness::{Process, Server, wait_for};
use crate::scrape::{self, Families, find};

/// The body of an answer.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said).ok()?;
    let mut answers = parse(&said, &[]);
    let answer = answers.pop().filter(|answer| answer.status == 200)?;
    Some(answer.text())
}

/// A node that has answered this and that, and saved it.
fn node() -> Server {
    let server = Server::start(&["--snapshot-interval-ms=10"]);
    let mut client = server.connect();
    for number in 0..200 {
        client.ask(&format!("SET key{number} value"));
    }
    client.ask("GET key1");
    client.ask("GET none");
    client.ask("NOSUCH");
    server
}

fn promtool(arguments: &[&str], directory: &Path, input: &str) -> Output {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = command.spawn().expect("promtool is installed: scripts/check.sh does that");
    tool.stdin.take().expect("its input is a pipe").write_all(input.as_bytes()).expect("it reads all");
    tool.wait_with_output().expect("it ends")
}

/// Whether it finds nothing wrong.
fn assert_passes(said: &Output) {
    let texts = [&said.stdout, &said.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(said.status.success(), "{}{}", texts[0], texts[1]);
}

#[test]
fn promtool_finds_nothing_wrong_with_both_pages() {
    let server = node();
    for path in ["/metrics", "/metrics/redis"] {
        let page = get(server.address, path).expect("it is served");
        let said = promtool(&["check", "metrics"], server.directory.path(), &page);
        assert_passes(&said);
        assert_eq!(String::from_utf8_lossy(&said.stderr), "", "{path}");
    }
}

#[test]
fn promtool_takes_the_alerts_and_each_fires_in_its_case() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy/prometheus");
    assert_passes(&promtool(&["check", "rules", "alerts.yml"], &rules, ""));
    assert_passes(&promtool(&["test", "rules", "alerts_test.yml"], &rules, ""));
}

#[test]
fn figures_of_the_process_and_of_its_disk_are_those_of_a_running_node() {
    let server = node();
    let families = wait_for("a commit", || {
        let page = get(server.address, "/metrics").expect("it is served");
        let families = scrape::read(&page, false);
        (find(&families, "kvstoreapp_commit_duration_seconds_count", &[])? > 0.0).then_some(families)
    });
    let figure = |name: &str, labels: &[(&str, &str)]| find(&families, name, labels).expect(name);
    let links = std::fs::read_dir(server.proc_path("fd")).expect("it runs").count() as f64;
    assert!((figure("process_open_fds", &[]) - links).abs() <= 2.0, "{links}");
    assert!(figure("process_resident_memory_bytes", &[]) > 1e6);
    assert!(figure("process_virtual_memory_bytes", &[]) > figure("process_resident_memory_bytes", &[]));
    let unix_s = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it is later").as_secs_f64();
    assert!((0.0..600.0).contains(&(unix_s - figure("process_start_time_seconds", &[]))));
    assert!(figure("kvstoreapp_tick_duration_seconds_count", &[]) > 100.0);
    assert!(figure("kvstoreapp_longest_tick_recent_seconds", &[]) > 0.0);
    assert!(figure("kvstoreapp_ticks_spent_seconds_total", &[("phase", "clients")]) > 0.0);
    assert!(figure("kvstoreapp_snapshots_total", &[("result", "committed")]) > 0.0);
}

#[test]
fn journals_and_their_merges_are_told() {
    let server = Server::start(&["--snapshot-interval-ms=10"]);
    let requests: Vec<String> = (0..50_000).map(|number| format!("SET key{number} {number:0100}")).collect();
    let mut client = server.connect();
    requests.chunks(1_000).for_each(|some| drop(client.ask_all(some)));
    let figure = |name: &str| find(&scrape::read(&get(server.address, "/metrics")?, false), name, &[]);
    wait_for("a merge", || {
        let (count, bytes) = (figure("kvstoreapp_merge_duration_seconds_count")?, figure("kvstoreapp_journal_bytes")?);
        (count > 0.0 && bytes == 0.0).then_some(())
    });
    assert!(figure("kvstoreapp_merge_duration_seconds_sum") > Some(0.0));
}

/// Types of families by their names.
fn types(families: &Families) -> BTreeSet<(String, String)> {
    families.iter().map(|(name, family)| (name.clone(), family.kind.clone())).collect()
}

#[test]
fn redis_exporter_reads_a_node_and_has_each_name_that_the_node_has_itself() {
    let server = node();
    let addresses = Addresses::reserve(Ipv4Addr::LOCALHOST, 1);
    let address = addresses.all[0];
    let mut command = Command::new("prometheus-redis-exporter");
    command.arg(format!("-redis.addr=redis://{}", server.address));
    command.args([&format!("-web.listen-address={address}"), "-redis-only-metrics", "-include-config-metrics"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let exporter = command.spawn().expect("prometheus-redis-exporter is installed: scripts/check.sh does that");
    let _exporter = Process(exporter);
    let page = wait_for("the exporter", || get(address, "/metrics"));
    // Its own figures have help of a kind that ours have not.
    let mut theirs = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        theirs.insert((name.to_owned(), kind.to_owned()));
    }
    assert!(page.lines().any(|line| line == "redis_up 1"), "{page}");
    let ours = types(&scrape::read(&get(server.address, "/metrics/redis").expect("it is served"), false));
    let missing: Vec<_> = ours.difference(&theirs).collect();
    assert!(missing.is_empty(), "{missing:#?} of ours, and theirs are {theirs:#?}");
    assert!(ours.len() > 40, "{} names", ours.len());
}
