//! Clients as their makers ship them, on two linked nodes: what they write at one is read at the other.
//!
//! `scripts/check.sh` installs them. No test depends on how fast anything is; `redis-benchmark` and `--latency` are
//! only asked whether they are content.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{Server, wait_for};
use crate::nodes::Cluster;
use crate::reply::{request, words};

/// Keys of a mass insertion.
const MASS: usize = 10_000;

/// Two nodes that are linked.
fn linked(flags: &[&str]) -> (Cluster, SocketAddr, SocketAddr) {
    let mut cluster = Cluster::of_nodes(2, flags);
    [0, 1].into_iter().for_each(|id| cluster.start(id));
    let (a, b) = (cluster.listens_at(0), cluster.listens_at(1));
    for node in [a, b] {
        wait_for("the link", || cli(node, "INFO replication").contains("connected_slaves:1").then_some(()));
    }
    (cluster, a, b)
}

fn tool(name: &str, node: SocketAddr) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", &node.ip().to_string(), "-p", &node.port().to_string()]);
    command
}

/// What it prints, where it ends well.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("scripts/check.sh installs it");
    printed(&output)
}

fn printed(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// What `redis-cli` prints for a command, less the last line end.
fn cli(node: SocketAddr, command: &str) -> String {
    run(tool("redis-cli", node).args(command.split(' '))).trim_end().to_owned()
}

fn cli_reads(node: SocketAddr, arguments: &[&str], input: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().expect("there is a temporary directory");
    std::fs::write(&file, input).expect("it is writable");
    let stdin = Stdio::from(file.reopen().expect("it is there"));
    printed(&tool("redis-cli", node).args(arguments).stdin(stdin).output().expect("scripts/check.sh installs it"))
}

fn await_cli(node: SocketAddr, command: &str, expected: &str) {
    wait_for(&format!("{command} => {expected}"), || (cli(node, command) == expected).then_some(()));
}

#[test]
fn redis_cli_asks_and_sees_what_the_other_node_was_told() {
    let (_cluster, a, b) = linked(&[]);
    assert_eq!(cli(a, "SET color blue"), "OK");
    await_cli(b, "GET color", "blue");
    assert_eq!(cli(a, "-3 GET color"), "blue");
    assert_eq!(cli(a, "--json MGET color nothing"), r#"["blue",null]"#);
    assert_eq!(cli(a, "--csv MGET color nothing"), r#""blue",NULL"#);
    assert_eq!(cli(a, "-r 3 INCR n"), "1\n2\n3");
    await_cli(b, "GET n", "3");
    assert!(cli(a, "INCR color").starts_with("ERR value is not an integer"));
    assert!(cli(a, "LPUSH list x").starts_with("ERR unknown command"));

    let session =
        cli_reads(a, &[], b"MULTI\nSET m 1\nINCR m\nEXEC\nSET \"two words\" \"a \\x00 b\"\nSTRLEN \"two words\"\n");
    assert_eq!(session, "OK\nQUEUED\nQUEUED\nOK\n2\nOK\n5\n");
    await_cli(b, "GET m", "2");
    assert_eq!(cli_reads(a, &["-x", "SET", "file"], b"all of\nit"), "OK\n");
    await_cli(b, "GET file", "all of\nit");
}

#[test]
fn redis_cli_inserts_many_keys_and_goes_through_them_on_the_other_node() {
    let (_cluster, a, b) = linked(&[]);
    let insertion: Vec<u8> =
        (0..MASS).flat_map(|number| request(&words(&format!("SET mass:{number} {number}")))).collect();
    let told = cli_reads(a, &["--pipe"], &insertion);
    assert!(told.contains(&format!("errors: 0, replies: {MASS}")), "{told}");
    await_cli(b, "DBSIZE", &MASS.to_string());

    let found = cli(b, "--scan --pattern mass:*");
    let mut found: Vec<&str> = found.lines().collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), MASS);
    assert_eq!(cli(b, "GET mass:9999"), "9999");
    let sampled = cli(b, "--bigkeys");
    assert!(sampled.contains(&format!("Sampled {MASS} keys in the keyspace!")), "{sampled}");
    let sampled = cli(b, "--memkeys");
    assert!(sampled.contains(&format!("Sampled {MASS} keys in the keyspace!")), "{sampled}");
}

#[test]
fn redis_cli_measures_latency() {
    let (_cluster, a, _) = linked(&[]);
    // Smallest, largest and average time in milliseconds, and how many times.
    let measured = cli(a, "--latency -i 1 --raw");
    let figures: Vec<f64> = measured.split(' ').map(|figure| figure.parse().expect("a number")).collect();
    assert_eq!(figures.len(), 4, "{measured}");
}

#[test]
fn inline_commands_are_answered_as_redis_does() {
    let (cluster, _, b) = linked(&["--dialect=resp"]);
    let mut client = cluster.client(0);
    client.send("SET color \"dark blue\"\r\nGET color\r\nGET nothing\n\nincr color\nQUIT\n");
    let answers = client.finish();
    let expected = "+OK\r\n$9\r\ndark blue\r\n$-1\r\n-ERR value is not an integer or out of range\r\n+OK\r\n";
    assert_eq!(String::from_utf8_lossy(&answers), expected);
    await_cli(b, "GET color", "dark blue");
}

#[test]
fn redis_benchmark_is_content() {
    let (_cluster, a, b) = linked(&["--dialect=resp"]);
    for protocol in [&[][..], &["-3"]] {
        let mut command = tool("redis-benchmark", a);
        command.args(["-n", "2000", "-t", "ping,set,get,incr,mset", "-P", "16", "-q", "-e"]).args(protocol);
        let told = run(&mut command);
        let done = told.matches("requests per second").count();
        assert_eq!(done, 6, "{told}");
        assert!(!told.to_lowercase().contains("error"), "{told}");
    }
    await_cli(b, "GET counter:__rand_int__", "4000");
    assert_eq!(cli(b, "STRLEN key:__rand_int__"), "3");
}

#[test]
fn redis_benchmark_is_content_where_lines_are_the_dialect() {
    let (_cluster, a, b) = linked(&[]);
    let mut command = tool("redis-benchmark", a);
    let told = run(command.args(["-n", "2000", "-t", "ping_mbulk,set,get,incr,mset", "-P", "16", "-q", "-e"]));
    assert_eq!(told.matches("requests per second").count(), 5, "{told}");
    await_cli(b, "GET counter:__rand_int__", "2000");
}

/// Runs a script of `tests/redis/clients` with the two nodes' addresses.
fn run_script(command: &mut Command, script: &str, nodes: [SocketAddr; 2]) {
    command.arg(Path::new("tests/redis/clients").join(script)).current_dir(env!("CARGO_MANIFEST_DIR"));
    let told = run(command.args(nodes.map(|node| node.to_string())));
    assert_eq!(told, "", "a script that ends well has nothing to say");
}

/// `packages` come before those of the environment.
fn redis_py(packages: &str, protocol: &str) {
    let (_cluster, a, b) = linked(&[]);
    let mut python = Command::new("target/clients/bin/python");
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join(packages);
    run_script(python.env("PYTHONPATH", packages).env("PROTOCOL", protocol), "redis_py.py", [a, b]);
}

#[test]
fn redis_py_works_in_resp2() {
    redis_py("target/clients", "2");
}

#[test]
fn redis_py_works_in_resp3() {
    redis_py("target/clients", "3");
}

#[test]
fn redis_py_5_works_in_resp2() {
    redis_py("target/clients-redis-py-5", "2");
}

#[test]
fn redis_py_5_works_in_resp3() {
    redis_py("target/clients-redis-py-5", "3");
}

#[test]
fn redis_py_finds_the_node_at_the_unix_socket() {
    let server = Server::start(&["--unix-socket=node.sock"]);
    let socket = server.directory.path().join("node.sock");
    for protocol in ["2", "3"] {
        let mut python = Command::new("target/clients/bin/python");
        let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients");
        python.env("PYTHONPATH", packages).env("PROTOCOL", protocol).arg("tests/redis/clients/unix_socket.py");
        assert_eq!(run(python.arg(&socket).current_dir(env!("CARGO_MANIFEST_DIR"))), "");
    }
}

fn node_client(name: &str) {
    let (_cluster, a, b) = linked(&[]);
    let mut node = Command::new("node");
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients-node/node_modules");
    run_script(node.env("NODE_PATH", packages), name, [a, b]);
}

#[test]
fn ioredis_works() {
    node_client("ioredis.cjs");
}

#[test]
fn node_redis_works() {
    node_client("node_redis.cjs");
}
