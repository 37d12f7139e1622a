//! `kvstoreapp status` beside a cluster of real nodes.

use std::net::SocketAddr;
use std::process::Command;

use crate::harness::addresses::Addresses;
use crate::harness::{Server, wait_for};
use crate::using::{Place, Said, tool};

/// Nodes of one config file.
struct Cluster {
    place: Place,
    addresses: Vec<SocketAddr>,
    _held: Addresses,
}

impl Cluster {
    fn of_nodes(count: usize) -> Cluster {
        let [.., high, low] = std::process::id().to_be_bytes();
        let held = Addresses::reserve([127, 93, high, low].into(), count);
        let (place, addresses) = (Place::new(), held.all.clone());
        let entries: Vec<_> = addresses
            .iter()
            .map(|address| serde_json::json!({ "ip": address.ip().to_string(), "port": address.port() }))
            .collect();
        place.file("nodes.json", serde_json::Value::from(entries).to_string());
        Cluster { place, addresses, _held: held }
    }

    fn start(&self, id: usize) -> Server {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
        command.arg(format!("--id={id}")).arg(format!("--config={}", self.place.text("nodes.json")));
        command.arg(format!("--data-dir={}", directory.path().join("data").display()));
        Server::spawn(directory, command)
    }

    fn status(&self, flags: &[&str]) -> Said {
        tool(&[&["status", "--config", &self.place.text("nodes.json")], flags].concat())
    }
}

#[test]
fn all_nodes_together_are_told_in_a_verdict_and_tables() {
    let cluster = Cluster::of_nodes(3);
    let mut nodes: Vec<Server> = (0..3).map(|id| cluster.start(id)).collect();
    assert_eq!(nodes[0].connect().ask("SET color blue"), "OK");
    let said = wait_for("all to agree", || Some(cluster.status(&[])).filter(|said| said.code == 0));
    let text = said.text();
    assert!(text.starts_with("OK: 3 of 3 nodes agree, everything is on disk"), "{text}");
    for (id, address) in cluster.addresses.iter().enumerate() {
        let row = text.lines().find(|line| line.starts_with(&format!("{id}     {address}")));
        let row = row.unwrap_or_else(|| panic!("node {id} has no row: {text}"));
        assert!(row.contains("  ready  1  ") && row.ends_with("  itself"), "{text}");
        for other in (0..3).filter(|&other| other != id) {
            let link = text.lines().find(|line| line.starts_with(&format!("{id} -> {other}  linked  ")));
            assert!(link.is_some_and(|link| link.contains("  agrees  ")), "{text}");
        }
    }
    let said = cluster.status(&["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&said.out).expect("it is JSON");
    assert_eq!((json["nodes"].as_array().map(Vec::len), &json["verdict"]["level"]), (Some(3), &"ok".into()), "{json}");
    assert_eq!(json["unasked"], serde_json::json!({}));
    // One that knows of all.
    let said = tool(&["status", "--address", &cluster.addresses[1].to_string()]);
    assert!(said.code == 0 && said.text().contains("3 of 3 nodes agree"), "{said:?}");

    nodes.pop().expect("there are three").kill();
    let text = wait_for("the others to notice", || {
        Some(cluster.status(&[])).filter(|said| said.code == 1 && said.text().starts_with("BAD: node 2 "))
    });
    let row = text.text().lines().find(|line| line.starts_with("2     ")).map(str::to_owned);
    assert!(row.as_ref().is_some_and(|row| row.contains("  by ")), "{}", text.text());
    assert!(
        text.text().contains("node 2 could not be asked: ") && text.text().contains("does the node run?"),
        "{text:?}"
    );
    assert!(text.err.is_empty(), "the table says it: {text:?}");
    let said = cluster.status(&["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&said.out).expect("it is JSON");
    assert!(said.code == 1 && json["unasked"]["2"].is_string(), "{json}");

    nodes.into_iter().for_each(|node| drop(node.kill()));
    let said = cluster.status(&[]);
    assert!(said.code == 2 && said.out.is_empty() && said.err.contains("does the node run?"), "{said:?}");
}

#[test]
fn a_watched_status_is_said_again_and_again() {
    let server = Server::start(&[]);
    let line =
        format!("{} status --watch --json --address {} | head -n 2", env!("CARGO_BIN_EXE_kvstoreapp"), server.address);
    let output = Command::new("sh").args(["-c", &line]).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("it is text");
    assert!(text.lines().count() == 2 && text.lines().all(|line| line.starts_with(r#"{"asked":0,"#)), "{text}");
}

#[test]
fn the_keys_of_one_database_are_counted_where_it_is_named_also_of_a_node_that_others_speak_of() {
    let cluster = Cluster::of_nodes(2);
    let mut nodes: Vec<Server> = (0..2).map(|id| cluster.start(id)).collect();
    let mut client = nodes[0].connect();
    for (database, keys) in [(0, 1), (3, 2)] {
        assert_eq!(client.ask(&format!("SELECT {database}")), "OK");
        (0..keys).for_each(|key| assert_eq!(client.ask(&format!("SET {key} v")), "OK"));
    }
    let keys = |said: &Said, id: usize| {
        let row = said.text().lines().find(|line| line.starts_with(&format!("{id}     "))).map(str::to_owned);
        row.and_then(|row| row.split("  ").filter(|cell| !cell.is_empty()).nth(3).map(|cell| cell.trim().to_owned()))
    };
    for (flags, expected) in [(&[][..], "3"), (&["--db=0"], "1"), (&["--db=3"], "2"), (&["--db=1"], "0")] {
        wait_for("both to say how many keys there are", || {
            let said = cluster.status(flags);
            (0..2).all(|id| keys(&said, id).as_deref() == Some(expected)).then_some(())
        });
    }
    assert!(cluster.status(&["--db=3"]).text().contains("  keys of db 3  "));
    let said = cluster.status(&["--json"]);
    assert!(said.text().contains(r#""databases":{"3":2}"#), "{said:?}");
    // The other has heard of it, and says it when the node does not.
    wait_for("the other to have heard", || {
        let said = tool(&["status", "--json", "--address", &cluster.addresses[1].to_string()]);
        (said.text().matches(r#""databases":{"3":2}"#).count() == 2).then_some(())
    });
    drop(nodes.remove(0));
    let said = cluster.status(&["--db=3"]);
    assert_eq!((said.code, keys(&said, 0).as_deref()), (1, Some("2")), "{said:?}");
}
