//! The load generator against a real node and against its own null server.

#[path = "../harness/mod.rs"]
mod harness;

use std::process::Command;

use harness::Server;
use serde_json::Value;

fn kvbench(address: &str, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvbench"));
    command.args(["--json", "--seconds=0.5", "--warm-up=0.1", "--keys=1000", "--clients=5", "--address", address]);
    let output = command.args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn a_node_is_measured_in_both_dialects_and_both_loops() {
    let server = Server::start(&[]);
    let (address, pid) = (server.address.to_string(), format!("--server-pid={}", server.child.id()));
    for arguments in [
        &["--dialect=line", "--fill", "--reads=0.5"][..],
        &["--dialect=resp", "--fill", "--depth=16"],
        &["--dialect=resp", "--distribution=zipfian", "--reads=1"],
        &["--dialect=line", "--rate=2000"],
    ] {
        let measured = kvbench(&address, &[arguments, &[pid.as_str()]].concat());
        assert_eq!(measured["errors"], 0, "{arguments:?}: {measured}");
        assert!(measured["requests"].as_u64() > Some(0), "{arguments:?}: {measured}");
        let quantile = |name: &str| measured[name].as_f64().expect("a number");
        let rising = ["p50_us", "p99_us", "p999_us", "max_us"].map(quantile);
        assert!(rising.is_sorted(), "{arguments:?}: {measured}");
        assert!(measured["server"]["cpu_us_per_request"].as_f64() > Some(0.0), "{measured}");
    }
}

#[test]
fn a_node_is_measured_by_its_unix_socket() {
    let server = Server::start(&["--unix-socket=node.sock"]);
    let socket = format!("--unix-socket={}", server.directory.path().join("node.sock").display());
    for dialect in ["--dialect=line", "--dialect=resp"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvbench"));
        command.args(["--json", "--seconds=0.3", "--warm-up=0.1", "--keys=1000", "--fill", "--depth=16"]);
        let output = command.args([dialect, &socket]).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let measured: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(measured["errors"], 0, "{measured}");
        assert!(measured["requests"].as_u64() > Some(0), "{measured}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvbench"));
    let output = command.args(["--unix-socket=none/node.sock"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot connect to none/node.sock: No such file"));
}

#[test]
fn pictures_are_drawn() {
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let (plot, time) = (directory.path().join("plot.svg"), directory.path().join("time.svg"));
    let [plot_flag, time_flag] =
        [("--plot", &plot), ("--plot-time", &time)].map(|(flag, path)| format!("{flag}={}", path.display()));
    kvbench(&server.address.to_string(), &["--fill", &plot_flag, &time_flag]);
    for path in [plot, time] {
        let svg = std::fs::read_to_string(path).expect("it is written");
        assert!(svg.starts_with("<svg") && svg.contains("<polyline") && svg.ends_with("</svg>\n"));
    }
}

#[test]
fn a_server_that_refuses_is_reported() {
    let output = Command::new(env!("CARGO_BIN_EXE_kvbench")).args(["--address=127.0.0.1:1"]).output().expect("it runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot connect to 127.0.0.1:1"));
}
