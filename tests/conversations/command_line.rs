//! The command line and the config file: what each says and does, and what each mistake is answered with.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;

use rustix::process::Signal;

use crate::harness::{Server, wait_for};
use crate::place::{Place, assert_one_sentence, free_port, log_of, run};

const THREE_NODES: &str = r#"[
    { "ip": "192.168.1.5", "port": 5000 },
    { "ip": "192.168.1.6", "port": 5000 },
    { "ip": "192.168.1.7", "port": 5000 }
]"#;

// -- what is taken --

#[test]
fn the_original_array_loads_unchanged() {
    let place = Place::with_config(THREE_NODES);
    for id in 0..3 {
        let answer = place.answer(&["--check-config", &format!("--id={id}")]);
        assert_eq!(answer, format!("valid: node {id} of 3, data in data/node-{id}/backup.db\n"));
    }
}

#[test]
fn the_id_may_stand_behind_an_equals_sign_or_a_space() {
    let place = Place::with_config(THREE_NODES);
    for arguments in [["--check-config", "--id=1"].as_slice(), &["--check-config", "--id", "1"]] {
        assert_eq!(place.answer(arguments), "valid: node 1 of 3, data in data/node-1/backup.db\n");
    }
}

#[test]
fn without_a_config_file_there_is_one_node_and_no_flag_is_needed() {
    let place = Place::empty();
    let valid = "valid: node 0 of 1, data in data/node-0/backup.db\n";
    assert_eq!(place.answer(&["--check-config"]), valid);
    assert_eq!(place.answer(&["--check-config", "--id=0"]), valid);
    place.refused(&["--id=1"], &["--id=1", "no node_config.json", "--config"]);
    // Ours or another program's: it is taken.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 5000));
    place.refused(&[], &["cannot listen on 127.0.0.1:5000"]);
    drop(taken);

    let server = place.start(&["--bind=127.0.0.1:0"]);
    assert!(server.log[0].ends_with("node 0 of 1"), "{:?}", server.log);
    let mut client = server.connect();
    assert_eq!((client.info("nodes"), client.info("peers_linked")), ("1".to_owned(), "0".to_owned()));
    assert_eq!(client.ask("SET color blue"), "OK");
    assert_eq!(client.ask("DELETE color"), "OK");
    assert_eq!(client.ask("GET color"), "KEY NOT FOUND");
    wait_for("the deletion to be forgotten", || (client.info("tombstones") == "0").then_some(()));
    server.signal(Signal::HUP);
    let stays = "the cluster stays as it is: cannot read the config file node_config.json: No such file";
    wait_for("the log to say so", || (server.later_lines(stays).len() == 1).then_some(()));
    assert!(server.later_lines("WARN").is_empty(), "{:?}", server.later);
    assert_eq!(server.stop().1.code(), Some(0));
}

#[test]
fn a_config_file_that_goes_away_does_not_make_a_node_lonely() {
    let place = Place::with_config(&THREE_NODES.replace("192.168.1.5", "127.0.0.1"));
    let server = place.start(&["--id=0", "--bind=127.0.0.1:0"]);
    fs::remove_file(server.directory.path().join("node_config.json")).expect("it is there");
    server.signal(Signal::HUP);
    wait_for("the log to say so", || (server.later_lines("the cluster stays as it is").len() == 1).then_some(()));
    assert_eq!(server.connect().info("nodes"), "3");
}

#[test]
fn the_shipped_file_has_three_nodes_on_this_machine() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_config.json");
    let nodes: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(shipped).expect("it is there")).expect("JSON");
    let node = |port: u16| serde_json::json!({ "ip": "127.0.0.1", "port": port });
    assert_eq!(nodes, serde_json::json!([node(5000), node(5001), node(5002)]));
}

#[test]
fn a_byte_order_mark_before_the_array_is_no_part_of_it() {
    let place = Place::with_config(&format!("\u{feff}{THREE_NODES}"));
    assert_eq!(place.answer(&["--check-config", "--id=2"]), "valid: node 2 of 3, data in data/node-2/backup.db\n");
}

#[test]
fn another_config_file_is_read_where_one_is_named() {
    let place = Place::with_config(THREE_NODES);
    fs::write(place.path("other.json"), r#"[{"ip":"10.0.0.1","port":1}]"#).expect("writable");
    let answer = place.answer(&["--check-config", "--id", "0", "--config", "other.json"]);
    assert_eq!(answer, "valid: node 0 of 1, data in data/node-0/backup.db\n");
}

#[test]
fn check_config_creates_nothing_and_needs_neither_address_nor_port() {
    let place = Place::with_config(THREE_NODES);
    let before = place.listing();
    place.answer(&["--check-config", "--id=0", "--data-dir=elsewhere"]);
    assert_eq!(place.listing(), before);
}

#[test]
fn a_node_listens_on_its_own_entry_of_the_config_file() {
    let (first, second) = (free_port(), free_port());
    let entry = |port: u16| format!(r#"{{ "ip": "127.0.0.1", "port": {port} }}"#);
    let place = Place::with_config(&format!("[{}, {}]", entry(first), entry(second)));
    let server = place.start(&["--id=1"]);
    assert_eq!(server.address, SocketAddr::from((Ipv4Addr::LOCALHOST, second)));
    assert_eq!(server.connect().ask("PING"), "PONG");
}

#[test]
fn an_ipv6_address_is_listened_on() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return println!("skipped: this machine has no IPv6");
    }
    let port = free_port();
    let place = Place::with_config(&format!(r#"[{{ "ip": "::1", "port": {port} }}]"#));
    let server = place.start(&["--id=0"]);
    assert_eq!(server.address, SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    assert_eq!(server.connect().ask("PING"), "PONG");

    let server = Place::with_config(THREE_NODES).start(&["--id=0", "--bind=[::1]:0"]);
    assert!(server.address.is_ipv6());
    assert_eq!(server.connect().ask("PING"), "PONG");
}

#[test]
fn a_host_name_is_looked_up() {
    let port = free_port();
    let place = Place::with_config(&format!(r#"[{{ "ip": "localhost", "port": {port} }}]"#));
    let server = place.start(&["--id=0"]);
    assert!(server.address.ip().is_loopback() && server.address.port() == port, "{}", server.address);
    assert_eq!(server.connect().ask("PING"), "PONG");
}

#[test]
fn bind_with_an_ip_alone_keeps_the_configured_port() {
    let port = free_port();
    let place = Place::with_config(&format!(r#"[{{ "ip": "198.51.100.1", "port": {port} }}]"#));
    let server = place.start(&["--id=0", "--bind=127.0.0.1"]);
    assert_eq!(server.address, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
}

#[test]
fn the_data_file_is_below_the_current_directory_unless_a_flag_says_otherwise() {
    let place = Place::with_config(THREE_NODES);
    let (place, status) = place.start_and_stop(&["--id=1", "--bind=127.0.0.1:0"]);
    assert!(status.is_some_and(|code| code == 0) && place.path("data/node-1/backup.db").is_file());
    let (place, status) = place.start_and_stop(&["--id=1", "--bind=127.0.0.1:0", "--data-dir=some/other/place"]);
    assert!(status.is_some_and(|code| code == 0) && place.path("some/other/place/backup.db").is_file());
}

// -- what is said --

#[test]
fn the_start_says_what_there_is_in_one_line_each() {
    let server = Server::start(&[]);
    assert_eq!(server.connect().ask("SET a 1"), "OK");
    assert_eq!(server.connect().ask("SET b 2"), "OK");
    let (directory, _) = server.stop();
    let server = Server::start_in(directory, &["--snapshot-interval-ms=3000"]);
    let said = |text: &str| {
        let lines: Vec<&String> = server.log.iter().filter(|line| line.contains(text)).collect();
        assert_eq!(lines.len(), 1, "{text:?} in {:?}", server.log);
        lines[0].clone()
    };
    said(&format!("kvstoreapp {}, node 0 of 1", env!("CARGO_PKG_VERSION")));
    let recovered = said("data file data/backup.db: 2 keys recovered in ");
    assert!(recovered.ends_with('s'), "a duration has a unit: {recovered}");
    said("durability interval, a snapshot every 3000 ms");
    said(&format!("listening on {}", server.address));
    assert_eq!(server.log.len(), 4, "{:?}", server.log);

    let server = Server::start(&["--durability=commit"]);
    assert!(server.log.iter().any(|line| line.contains("durability commit")), "{:?}", server.log);
}

#[test]
fn help_tells_each_flags_meaning_unit_and_default() {
    let help = Place::empty().answer(&["--help"]);
    let flags: Vec<&str> = help.split("\n      --").skip(1).collect();
    let flag = |name: &str| {
        let found = flags.iter().find(|flag| flag.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {help}"));
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (name, words) in [
        ("id <n>", ["counted from 0", "config file", "needed where"].as_slice()),
        ("config <file>", &["JSON", "one node, 0, on 127.0.0.1:5000", "[default: node_config.json]"]),
        ("data-dir <directory>", &["backup.db", "[default: data/node-<id>]"]),
        ("snapshot-interval-ms <ms>", &["Milliseconds", "[default: 2000]"]),
        ("durability <mode>", &["interval", "commit", "[default: interval]"]),
        ("bind <address>", &["listen", "configured"]),
        ("log-level <level>", &["off, error, warn, info, debug or trace", "[default: info]"]),
        ("log-filter <module=level>", &["replication=debug,snapshot=warn"]),
        ("log-format <format>", &["json", "journal", "systemd", "[default: text]"]),
        ("cpu <core>", &["Pin", "counted from 0", "kept off"]),
        ("busy-poll", &["Never sleep"]),
        ("max-clients <count>", &["connected at once", "[default: 10000]"]),
        ("max-value-bytes <bytes>", &["bytes", "[default: 64M]"]),
        ("max-memory <bytes>", &["bytes", "no limit", "[default: 0]"]),
        ("idle-timeout-s <s>", &["Seconds", "never", "[default: 0]"]),
        ("check-config", &["exit"]),
    ] {
        let text = flag(name);
        for word in words {
            assert!(text.contains(word), "--{name} does not say {word:?}: {text}");
        }
    }
}

#[test]
fn the_version_is_told() {
    let version = format!("kvstoreapp {} ({})\n", env!("CARGO_PKG_VERSION"), env!("KVSTOREAPP_BUILD"));
    assert_eq!(Place::empty().answer(&["--version"]), version);
    // A commit and its date, but where nobody should have to build anew with each.
    let build = env!("KVSTOREAPP_BUILD").split(' ').collect::<Vec<_>>();
    match build[..] {
        ["development", "build"] if cfg!(debug_assertions) => (),
        [commit, date] => assert!(commit.len() == 12 && date.starts_with("20") && date.len() == 10, "{version}"),
        _ => panic!("{version}"),
    }
}

// -- mistakes: one sentence, nothing created or changed --

#[test]
fn a_missing_or_impossible_id_is_a_mistake() {
    let place = Place::with_config(THREE_NODES);
    place.refused(&[], &["--id=<n> is missing", "node_config.json", "0 to 2"]);
    place.refused(&["--id"], &["--id"]);
    place.refused(&["--id="], &["--id"]);
    place.refused(&["--id=3"], &["--id=3 is not in node_config.json", "0 to 2"]);
    place.refused(&["--id=first"], &["first", "--id"]);
    place.refused(&["--id=-1"], &["-1"]);
    place.refused(&["--id=1.5"], &["1.5"]);
    place.refused(&["--id=99999999999999999999"], &["99999999999999999999"]);
    place.refused(&["--id=0", "--id=1"], &["--id"]);
}

#[test]
fn broken_json_is_a_mistake_with_its_line_and_column() {
    let broken = |text: &str, says: &[&str]| Place::with_config(text).refused(&["--id=0"], says);
    broken("[\n  { \"ip\": \"127.0.0.1\", \"port\": 5000 },\n  oops\n]", &["node_config.json", "line 3 column 3"]);
    broken("", &["line 1 column 0"]);
    broken("[", &["line 1 column 1"]);
    broken(r#"[{ "ip": "127.0.0.1", "port": 5000 }] more"#, &["line 1 column 39"]);
    broken(r#"{ "nodes": 3 }"#, &["array", "line 1"]);
    broken(r#"[{ "ip": "127.0.0.1" }]"#, &["port", "line 1"]);
    broken(r#"[{ "port": 5000 }]"#, &["ip", "line 1"]);
    broken(r#"[{ "ip": "127.0.0.1", "port": 70000 }]"#, &["70000", "line 1"]);
    broken(r#"[{ "ip": "127.0.0.1", "port": "5000" }]"#, &["5000", "line 1"]);
    broken("[{ \"ip\": \"127.0.0.1\",\n\"prot\": 5000 }]", &["unknown field", "prot", "line 2 column 6"]);
}

#[test]
fn a_config_file_that_describes_no_cluster_is_a_mistake() {
    let wrong = |text: &str, says: &[&str]| Place::with_config(text).refused(&["--id=0"], says);
    wrong("[]", &["node_config.json", "no node"]);
    wrong(r#"[{ "ip": "", "port": 5000 }]"#, &["node 0", "no address"]);
    wrong(r#"[{ "ip": "127.0.0.1", "port": 0 }]"#, &["node 0", "127.0.0.1:0"]);
    let twice =
        r#"[{ "ip": "127.0.0.1", "port": 5000 }, { "ip": "::1", "port": 5000 }, { "ip": "127.0.0.1", "port": 5000 }]"#;
    wrong(twice, &["nodes 0 and 2", "127.0.0.1:5000"]);
    wrong(r#"[{ "ip": "Localhost", "port": 1 }, { "ip": "localhost", "port": 1 }]"#, &["nodes 0 and 1"]);
}

#[test]
fn there_are_4096_nodes_at_most_and_16_databases() {
    let nodes = |count: usize| -> String {
        let entries =
            (0..count).map(|node| format!(r#"{{ "ip": "10.0.{}.{}", "port": 5000 }}"#, node / 250, node % 250));
        format!("[{}]", entries.collect::<Vec<_>>().join(","))
    };
    let place = Place::with_config(&nodes(4_096));
    assert!(place.answer(&["--check-config", "--id=4095"]).starts_with("valid: node 4095 of 4096"));
    let place = Place::with_config(&nodes(4_097));
    place.refused(&["--check-config", "--id=0"], &["lists 4097 nodes, but at most 4096 can be"]);
    let place = Place::empty();
    for count in ["1", "16"] {
        assert!(place.answer(&["--check-config", &format!("--databases={count}")]).starts_with("valid: "));
    }
    for count in ["0", "17", "many"] {
        place.refused(&["--check-config", &format!("--databases={count}")], &["--databases", count]);
    }
}

#[test]
fn a_config_file_that_is_named_has_to_be_there() {
    let place = Place::with_config(THREE_NODES);
    place.refused(&["--id=0", "--config=missing.json"], &["missing.json", "No such file"]);
    Place::empty().refused(&["--config=node_config.json"], &["node_config.json", "No such file"]);
    place.refused(&["--id=0", "--config=."], &["cannot read the config file .", "directory"]);
    fs::write(place.path("bytes.json"), b"[\xFF]").expect("writable");
    place.refused(&["--id=0", "--config=bytes.json"], &["bytes.json", "UTF-8"]);
}

#[test]
fn flags_that_make_no_sense_are_mistakes() {
    let place = Place::with_config(THREE_NODES);
    for (flag, says) in [
        ("--max-value-bytes=0", "--max-value-bytes"),
        ("--max-value-bytes=65M", "--max-value-bytes"),
        ("--max-value-bytes=many", "many"),
        ("--max-value-bytes=1T", "1T"),
        ("--max-value-bytes=", "--max-value-bytes"),
        ("--max-value-bytes=K", "a number of bytes"),
        ("--max-memory=-1", "-1"),
        ("--max-memory=1.5G", "1.5G"),
        ("--max-memory=99999999999G", "99999999999G"),
        ("--max-clients=0", "--max-clients"),
        ("--max-clients=2000000", "2000000"),
        ("--idle-timeout-s=soon", "soon"),
        ("--idle-timeout-s=18446744073709551615", "31536000"),
        ("--snapshot-interval-ms=0", "--snapshot-interval-ms"),
        ("--snapshot-interval-ms=61000", "61000"),
        ("--durability=always", "always"),
        ("--log-level=loud", "loud"),
        ("--log-filter=peers=debug", "there are allocator, node, replica"),
        ("--log-filter=debug", "replication=debug"),
        ("--log-format=xml", "xml"),
        ("--cpu=first", "first"),
        ("--cpu=100000", "--cpu=100000"),
        ("--bind=nowhere", "--bind=nowhere"),
        ("--bind=127.0.0.1:70000", "--bind=127.0.0.1:70000"),
        ("--bind=", "--bind"),
        ("--busy-poll=yes", "--busy-poll"),
        ("--frobnicate", "--frobnicate"),
        ("extra", "extra"),
    ] {
        // Where the flag were taken, this address would do.
        let bind = if flag.starts_with("--bind") { None } else { Some("--bind=127.0.0.1:0") };
        let arguments: Vec<&str> = ["--id=0", flag].into_iter().chain(bind).collect();
        place.refused(&arguments, &[says]);
    }
}

#[test]
fn a_mistake_is_one_line_also_where_it_quotes_several() {
    let place = Place::empty();
    place.refused(&["--id=0", "--config=two\nlines.json"], &[r"two\nlines.json"]);
    place.refused(&["--id=0", "--bind=127.0.0.1\n:0"], &[r"127.0.0.1\n:0"]);
    Place::with_config(r#"[{ "ip": "two\nlines", "port": 0 }]"#).refused(&["--id=0"], &[r"two\nlines"]);
}

#[test]
fn an_address_that_no_other_node_can_dial_is_a_mistake_in_a_cluster() {
    for ip in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
        let one = format!(r#"{{ "ip": "{ip}", "port": 5000 }}"#);
        let place = Place::with_config(&format!(r#"[{{ "ip": "127.0.0.1", "port": 5001 }}, {one}]"#));
        for id in ["--id=0", "--id=1"] {
            place.refused(&["--check-config", id], &["node 1", ip, &format!("--bind={ip}")]);
        }
        // Alone it is nobody's but its own.
        let alone = Place::with_config(&format!("[{one}]"));
        assert_eq!(alone.answer(&["--check-config", "--id=0"]), "valid: node 0 of 1, data in data/node-0/backup.db\n");
    }
}

#[test]
fn one_address_written_in_two_ways_is_one_address() {
    let config = r#"[{ "ip": "::1", "port": 5000 }, { "ip": "0:0:0:0:0:0:0:1", "port": 5000 }]"#;
    Place::with_config(config).refused(&["--id=0", "--check-config"], &["same address"]);
}

#[test]
fn nodes_that_would_not_link_to_each_other_after_a_start_are_not_started() {
    let config = r#"[{ "ip": "127.0.0.1", "port": 5000 }, { "ip": "127.0.0.1", "port": 5001 }]"#;
    let place = Place::with_config(config);
    place.refused(&["--id=0", "--check-config", "--snapshot-interval-ms=60000"], &["--max-clock-drift-ms", "132000"]);
    place.refused(&["--id=0", "--check-config", "--max-clock-drift-ms=1000"], &["--max-clock-drift-ms", "22000"]);
}

#[test]
fn where_a_data_directory_cannot_be_made_none_of_its_parents_is() {
    let too_long = format!("--data-dir=new/newer/{}", "n".repeat(300));
    Place::empty().refused(&["--id=0", "--bind=127.0.0.1:0", &too_long], &["new/newer/nnn"]);
}

#[test]
fn a_port_in_use_is_a_mistake() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = other.local_addr().expect("it is bound");
    let place = Place::with_config(&format!(r#"[{{ "ip": "127.0.0.1", "port": {} }}]"#, address.port()));
    place.refused(&["--id=0"], &[&format!("cannot listen on {address}"), "another program"]);
}

#[test]
fn an_address_that_is_not_ours_is_a_mistake() {
    let place = Place::with_config(r#"[{ "ip": "198.51.100.1", "port": 5000 }]"#);
    place.refused(&["--id=0"], &["cannot listen on 198.51.100.1:5000", "does not have that address", "--bind"]);
    place.refused(&["--id=0", "--bind=203.0.113.1:5000"], &["cannot listen on 203.0.113.1:5000"]);
    let place = Place::with_config(r#"[{ "ip": "no-such-host.invalid", "port": 5000 }]"#);
    place.refused(&["--id=0"], &["cannot resolve no-such-host.invalid:5000"]);
}

#[test]
fn a_data_directory_that_cannot_be_one_is_a_mistake() {
    let place = Place::with_config(THREE_NODES);
    fs::write(place.path("taken"), "a file").expect("writable");
    fs::create_dir_all(place.path("odd/backup.db")).expect("writable");
    let refused = |data_dir: &str, says: &[&str]| {
        place.refused(&["--id=0", "--bind=127.0.0.1:0", &format!("--data-dir={data_dir}")], says);
    };
    refused("taken", &["cannot use the data directory taken"]);
    refused("taken/below", &["cannot use the data directory taken/below"]);
    refused("odd", &["odd/backup.db"]);
    refused("/proc/kvstoreapp", &["cannot use the data directory /proc/kvstoreapp"]);
}

#[test]
fn a_second_process_on_one_data_directory_is_refused() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.ask("SET a b"), "OK");
    let second = run(server.directory.path(), &["--id=0", "--bind=127.0.0.1:0", "--data-dir=data"]);
    assert_one_sentence(&second, &["data directory data", "another kvstoreapp uses it"]);
    assert_eq!(client.ask("GET a"), "b");
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(server.connect().ask("PING"), "PONG");
}

// -- what each flag does --

#[test]
fn a_snapshot_comes_with_every_interval_in_which_something_changed() {
    let server = Server::start(&["--snapshot-interval-ms=10"]);
    let mut client = server.connect();
    for round in 0..5 {
        let before: u64 = client.info("snapshots").parse().expect("a number");
        assert_eq!(client.ask(&format!("SET a {round}")), "OK");
        wait_for("a snapshot", || (client.info("snapshots").parse::<u64>().expect("a number") > before).then_some(()));
        wait_for("the change on disk", || (client.info("durable_position") == client.info("position")).then_some(()));
    }
}

#[test]
fn under_commit_durability_an_ok_is_on_disk() {
    let server = Server::start(&["--durability=commit", "--snapshot-interval-ms=60000"]);
    let mut client = server.connect();
    for round in 0..10 {
        assert_eq!(client.ask(&format!("SET key{round} {round}")), "OK");
        assert_eq!(client.info("durable_position"), client.info("position"));
    }
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(server.connect().ask("GET key9"), "9");
}

#[test]
fn the_log_level_chooses_what_is_printed() {
    assert_eq!(log_of(&["--log-level=error"], "PING\n"), "");

    let server = Server::start(&["--log-level=trace"]);
    assert_eq!(server.connect().ask("PING"), "PONG");
    let lines = wait_for("trace lines", || Some(server.later_lines("TRACE")).filter(|lines| !lines.is_empty()));
    assert!(lines.iter().all(|line| !line.is_empty()));
}
