//! Flags that stand in the environment, as containers give them.

use std::process::{Command, Output};

use crate::harness::Server;
use crate::place::{Place, assert_one_sentence, command, free_port};

const THREE_NODES: &str = r#"[
    { "ip": "127.0.0.1", "port": 5000 }, { "ip": "127.0.0.1", "port": 5001 }, { "ip": "127.0.0.1", "port": 5002 }
]"#;
/// What Kubernetes tells every container beside a service that is called kvstoreapp.
const OF_KUBERNETES: [(&str, &str); 8] = [
    ("KVSTOREAPP_SERVICE_HOST", "10.96.0.17"),
    ("KVSTOREAPP_SERVICE_PORT", "5000"),
    ("KVSTOREAPP_SERVICE_PORT_CLIENT", "5000"),
    ("KVSTOREAPP_PORT", "tcp://10.96.0.17:5000"),
    ("KVSTOREAPP_PORT_5000_TCP", "tcp://10.96.0.17:5000"),
    ("KVSTOREAPP_PORT_5000_TCP_PROTO", "tcp"),
    ("KVSTOREAPP_PORT_5000_TCP_PORT", "5000"),
    ("KVSTOREAPP_PORT_5000_TCP_ADDR", "10.96.0.17"),
];

fn with(place: &Place, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = command(place.directory.path(), arguments);
    command.envs(environment.iter().copied());
    command
}

fn output(place: &Place, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    with(place, arguments, environment).output().expect("the binary starts")
}

fn answer(place: &Place, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = output(place, arguments, environment);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn a_node_is_told_all_by_its_environment_and_check_finds_it_there() {
    let place = Place::empty();
    let port = free_port();
    let config = format!(r#"[{{ "ip": "127.0.0.1", "port": 1 }}, {{ "ip": "127.0.0.1", "port": {port} }}]"#);
    std::fs::write(place.path("cluster.json"), config).expect("it is writable");
    std::fs::write(place.path("password"), "sesame\n").expect("it is writable");
    let own = [
        ("KVSTOREAPP_ID", "1"),
        ("KVSTOREAPP_CONFIG", "cluster.json"),
        ("KVSTOREAPP_DATA_DIR", "kept"),
        ("KVSTOREAPP_MAX_CLIENTS", "77"),
        ("KVSTOREAPP_PASSWORD_FILE", "password"),
        ("KVSTOREAPP_HTTP_NAME", "db.example,cache.example"),
        ("KVSTOREAPP_BUSY_POLL", "no"),
        // What is empty is not there.
        ("KVSTOREAPP_UNIX_SOCKET", ""),
    ];
    let environment = [&own[..], &OF_KUBERNETES].concat();
    let variables = "KVSTOREAPP_ID, KVSTOREAPP_CONFIG, KVSTOREAPP_DATA_DIR, KVSTOREAPP_BUSY_POLL, \
                     KVSTOREAPP_MAX_CLIENTS, KVSTOREAPP_PASSWORD_FILE, KVSTOREAPP_HTTP_NAME";
    assert_eq!(
        answer(&place, &["--check-config"], &environment),
        format!("valid: node 1 of 2, data in kept/backup.db; from the environment: {variables}\n")
    );
    let serve = with(&place, &[], &environment);
    let (check, status) = (with(&place, &["check"], &environment), with(&place, &["status"], &environment));
    let server = Server::spawn(place.directory, serve);
    let mut client = server.connect();
    assert_eq!(client.ask("AUTH sesame"), "OK");
    assert_eq!(client.info("clients_max"), "77");
    assert!(server.directory.path().join("kept/backup.db").exists());
    for (mut tool, code) in [(check, 0), (status, 1)] {
        let said = tool.current_dir(server.directory.path()).output().expect("the binary starts");
        assert_eq!(said.status.code(), Some(code), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn the_command_line_comes_first() {
    let place = Place::with_config(THREE_NODES);
    let environment = [("KVSTOREAPP_ID", "2"), ("KVSTOREAPP_DATA_DIR", "kept")];
    assert_eq!(
        answer(&place, &["--check-config", "--id=1"], &environment),
        "valid: node 1 of 3, data in kept/backup.db; from the environment: KVSTOREAPP_DATA_DIR\n"
    );
}

#[test]
fn a_mistake_there_names_the_variable() {
    let place = Place::with_config(THREE_NODES);
    for (variable, value, says) in [
        ("KVSTOREAPP_MAX_CLIENTS", "many", "invalid value 'many' for '--max-clients <count>'"),
        ("KVSTOREAPP_BUSY_POLL", "perhaps", "invalid value 'perhaps' for '--busy-poll'"),
        ("KVSTOREAPP_ID", "7", "--id=7 is not in node_config.json, which has ids 0 to 2"),
        ("KVSTOREAPP_DURABILITY", "never", "[possible values: interval, commit]"),
    ] {
        let output = output(
            &place,
            &["--check-config", "--id=0"][..if variable == "KVSTOREAPP_ID" { 1 } else { 2 }],
            &[(variable, value)],
        );
        assert_one_sentence(&output, &[says, &format!("{variable} here")]);
    }
    std::fs::write(place.path("password"), "sesame\n").expect("it is writable");
    let two = [("KVSTOREAPP_PASSWORD", "simsim"), ("KVSTOREAPP_PASSWORD_FILE", "password")];
    assert_one_sentence(&output(&place, &["--id=0"], &two), &["KVSTOREAPP_PASSWORD_FILE both have a password"]);
}

#[test]
fn the_id_is_the_number_that_the_machine_s_name_ends_with() {
    let name = rustix::system::uname().nodename().to_str().expect("it is text").to_owned();
    let host = name.split('.').next().unwrap_or_default();
    let number = &host[host.trim_end_matches(|char: char| char.is_ascii_digit()).len()..];
    let place = Place::with_config(THREE_NODES);
    for environment in [&[][..], &[("KVSTOREAPP_ID_FROM_HOSTNAME", "true")]] {
        let flags = &["--check-config", "--id-from-hostname"][..if environment.is_empty() { 2 } else { 1 }];
        let output = output(&place, flags, environment);
        match number.parse() {
            Ok(id @ 0..=2) => {
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(said.starts_with(&format!("valid: node {id} of 3")), "{said}");
            }
            Ok(id) => assert_one_sentence(&output, &[&format!("--id={id} is not in node_config.json")]),
            Err(_) => assert_one_sentence(&output, &["--id-from-hostname", &name, "--id=<n>"]),
        }
    }
    place.refused(&["--id-from-hostname", "--id=1"], &["cannot be used with"]);
}
