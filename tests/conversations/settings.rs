//! What a running node says of its settings.

use std::fs;

use crate::harness::Server;
use crate::wire::{End, exchange};

/// The values of settings, asked for one by one.
fn values(server: &Server, names: &[&str]) -> Vec<String> {
    let said: String =
        names.iter().map(|name| format!("*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n${}\r\n{name}\r\n", name.len())).collect();
    let answers = exchange(server.address, &[said.as_bytes()], End::Client);
    let answers = String::from_utf8(answers).expect("text");
    // An array of name and value: the value is every fifth line.
    let values = answers.split("\r\n").skip(4).step_by(5);
    values.map(str::to_owned).collect()
}

#[test]
fn where_a_node_runs_is_told_truly() {
    let server = Server::start(&["--log-level=debug"]);
    let directory = server.data_file().parent().expect("it has one").to_owned();
    let directory = fs::canonicalize(directory).expect("it is there");
    assert_eq!(
        values(&server, &["bind", "port", "dir", "dbfilename", "loglevel", "appendfsync"]),
        [
            "127.0.0.1",
            &server.address.port().to_string(),
            directory.to_str().expect("text"),
            "backup.db",
            "verbose",
            "no"
        ]
    );
    assert!(directory.join("backup.db").exists());
}

#[test]
fn what_durability_promises_is_told_by_redis_names() {
    let server = Server::start(&["--durability=commit", "--max-value-bytes=1M"]);
    let names = ["appendfsync", "stop-writes-on-bgsave-error", "proto-max-bulk-len", "client-query-buffer-limit"];
    assert_eq!(values(&server, &names), ["always", "yes", "1048576", "68157440"]);
    let server = Server::start(&["--snapshot-interval-ms=1000"]);
    assert_eq!(values(&server, &names[..2]), ["everysec", "no"]);
}

#[test]
fn as_many_clients_may_be_asked_for_as_the_system_has_room_for() {
    // Beside them there are files, three connections of each other node, and strangers that say they were nodes.
    for (limit, others, is_proven) in [(164, 0, false), (164 + 6, 2, false), (164 + 6 + 256, 2, true)] {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let entries = (0..=others).map(|node| format!(r#"{{ "ip": "127.0.0.1", "port": {} }}"#, 1 + node));
        let config = format!("[{}]", entries.collect::<Vec<_>>().join(", "));
        fs::write(directory.path().join("node_config.json"), config).expect("it is writable");
        fs::write(directory.path().join("secret"), "s".repeat(64)).expect("it is writable");
        let flags = ["--max-clients=10", "--cluster-secret-file=secret"];
        let node = crate::harness::command(directory.path(), &flags[..1 + usize::from(is_proven)]);
        let mut limited = std::process::Command::new("sh");
        limited.current_dir(directory.path()).arg("-c").arg(format!("ulimit -n {limit}; exec \"$0\" \"$@\""));
        limited.arg(node.get_program()).args(node.get_args());
        let server = Server::spawn(directory, limited);
        let said = b"CONFIG SET maxclients 101\r\nCONFIG SET maxclients 100\r\n";
        let said = [b"*1\r\n$4\r\nPING\r\n".as_slice(), said].concat();
        let answers = exchange(server.address, &[&said], End::Client);
        let expected = "+PONG\r\n-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating \
                        system is not able to handle the specified number of clients, try with 100\r\n+OK\r\n";
        assert_eq!(String::from_utf8_lossy(&answers), expected, "{limit}");
    }
}
