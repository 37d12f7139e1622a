//! Limits that the system sets: each is an error with a sentence, and no signal that ends the node.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::harness::{Process, Server, command, wait_for};

#[test]
fn a_file_that_may_not_grow_is_a_disk_that_fails() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let command = limited("ulimit -f 400", directory.path(), &["--snapshot-interval-ms=20", "--disk-reserve=0"]);
    let server = Server::spawn(directory, command);
    let mut client = server.connect();
    let requests: Vec<String> = (0..10_000).map(|number| format!("SET key-{number} {}", "v".repeat(100))).collect();
    assert!(client.ask_all(&requests).iter().all(|answer| answer == "OK"));
    let error = wait_for("a failure", || Some(client.info("snapshot_error")).filter(|error| error != "none"));
    assert!(error.contains("disk I/O error") && error.contains("ulimit -f"), "{error}");
    assert_eq!(client.ask("GET key-9999"), "v".repeat(100));
    wait_for("the log", || (server.later_lines("snapshot failed").len() == 1).then_some(()));
}

#[test]
fn a_start_under_a_limit_that_lets_nothing_run_is_refused_with_a_sentence_that_names_it() {
    for (limit, words) in [
        ("ulimit -f 8", "ulimit -f"),
        ("ulimit -n 20", "the limit on open files (ulimit -n) is 20, but a node needs 64"),
        ("ulimit -v 400000", "the limit on the memory (ulimit -v) is 400000 KiB, but a node needs"),
        ("ulimit -s 64", "the limit on the stack (ulimit -s) is 64 KiB, but a node needs 1024 KiB"),
    ] {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let output = limited(limit, directory.path(), &["--disk-reserve=0"]).output().expect("there is a shell");
        let complaint = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{limit}: {complaint}");
        assert!(complaint.starts_with("kvstoreapp: ") && complaint.contains(words), "{limit}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{limit}: {complaint}");
    }
}

#[test]
fn a_low_limit_on_the_stack_is_raised_where_it_may_be() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let command = limited("ulimit -S -s 64", directory.path(), &[]);
    let server = Server::spawn(directory, command);
    assert_eq!(server.connect().ask("PING"), "PONG");
}

#[test]
fn memory_that_ends_while_the_node_serves_ends_it_with_a_sentence() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let mut command = limited("ulimit -v 700000", directory.path(), &["--snapshot-interval-ms=60000"]);
    command.stderr(Stdio::piped());
    let mut server = Server::spawn(directory, command);
    let stderr = server.child.stderr.take().expect("it is a pipe");
    let mut stream = server.connect().stream;
    let value = "v".repeat(30_000);
    let sent = (0..100_000).take_while(|number| {
        use std::io::Write;
        // Nobody reads the answers: they are few bytes.
        stream.write_all(format!("SET key-{number} {value}\n").as_bytes()).is_ok()
    });
    assert!(sent.count() < 100_000, "3 GB do not fit");
    let (_directory, status) = server.wait();
    let complaint = std::io::read_to_string(stderr).expect("text");
    assert_eq!(status.code(), Some(1), "{complaint}");
    assert!(complaint.starts_with("kvstoreapp: out of memory: ") && complaint.contains("--max-memory"), "{complaint}");
}

#[test]
fn signals_that_nobody_means_to_end_it_with_do_not_end_it() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for signal in [
        Signal::HUP,
        Signal::USR1,
        Signal::USR2,
        Signal::PIPE,
        Signal::ALARM,
        Signal::VTALARM,
        Signal::PROF,
        Signal::IO,
        Signal::XFSZ,
        Signal::WINCH,
        Signal::URG,
    ] {
        server.signal(signal);
        assert_eq!(client.ask("SET a b"), "OK");
    }
    wait_for("the log to say so", || {
        (!server.later_lines("SIGUSR1 and SIGUSR2 mean nothing").is_empty()).then_some(())
    });
    assert_eq!(server.stop().1.code(), Some(0));
}

#[test]
fn processor_time_that_ends_is_a_stop_that_saves() {
    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    assert_eq!(server.connect().ask("SET a b"), "OK");
    server.signal(Signal::XCPU);
    let (directory, status) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(Server::start_in(directory, &[]).connect().ask("GET a"), "b");
}

#[test]
fn a_sighup_before_the_configuration_is_read_is_taken_once_the_node_serves() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    // A reader waits for what is written, and who writes for a reader.
    let config = directory.path().join("pipe.json");
    assert!(Command::new("mkfifo").arg(&config).status().expect("there is mkfifo").success());
    let mut command = command(directory.path(), &["--config=pipe.json"]);
    let mut child = Process(command.stdout(Stdio::piped()).spawn().expect("the binary starts"));
    let mut pipe = std::fs::File::create(&config).expect("the node reads it");
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process id");
    rustix::process::kill_process(pid, Signal::HUP).expect("the process is ours");
    let entry = |port: u16| format!(r#"[{{ "ip": "127.0.0.1", "port": {port} }}]"#);
    let write = |pipe: &mut std::fs::File| {
        use std::io::Write;
        pipe.write_all(entry(5000).as_bytes()).expect("the node reads");
    };
    write(&mut pipe);
    drop(pipe);
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("it is a pipe")));
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("listening on ")), "the SIGHUP has ended it");
    write(&mut std::fs::File::create(&config).expect("the node reads it again"));
    assert!(lines.any(|line| line.contains("the config file was read again: 1 nodes")), "it is read again");
}

/// A node under a limit, as a shell sets it.
fn limited(limit: &str, directory: &Path, arguments: &[&str]) -> Command {
    let node = command(directory, arguments);
    let mut shell = Command::new("sh");
    shell.current_dir(directory).arg("-c").arg(format!("{limit} && exec \"$0\" \"$@\""));
    shell.arg(node.get_program()).args(node.get_args());
    shell
}
