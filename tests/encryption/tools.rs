//! `kvstoreapp certs`, and what other people's tools make of a node that speaks TLS.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use redis::Commands;
use tempfile::TempDir;

use crate::harness::{PATIENCE, Server};

const THREE: &str = r#"[{ "ip": "10.0.0.7", "port": 5000 }, null, { "ip": "db.example.org", "port": 5000 }]"#;

fn certs(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
    command.current_dir(directory).arg("certs").args(arguments).output().expect("it runs")
}

fn made(directory: &Path, arguments: &[&str]) -> String {
    let output = certs(directory, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("scripts/check.sh installs it");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out.into_owned()
}

#[test]
fn certs_makes_an_authority_and_a_certificate_for_each_node_and_overwrites_nothing() {
    let place = tempfile::tempdir().expect("there is a temporary directory");
    std::fs::write(place.path().join("node_config.json"), THREE).expect("it is writable");
    let said = made(place.path(), &["--out=tls", "--name=db.internal", "--name=10.9.9.9"]);
    assert!(
        said.starts_with(
            "made in tls: ca.crt ca.key node-0.crt node-0.key node-2.crt node-2.key client.crt client.key\n"
        )
    );
    let directory = place.path().join("tls");
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(&directory).expect("it is there") {
        let entry = entry.expect("it is there");
        assert_eq!(entry.metadata().expect("it is there").permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().expect("it is text"));
    }
    assert_eq!(names.len(), 8, "{names:?}");
    for (id, own) in [(0, "IP Address:10.0.0.7"), (2, "DNS:db.example.org")] {
        let certificate = directory.join(format!("node-{id}.crt"));
        let text = run(Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(&certificate));
        for expected in [
            own,
            "DNS:db.internal",
            "IP Address:10.9.9.9",
            "DNS:localhost",
            "IP Address:127.0.0.1",
            "IP Address:0:0:0:0:0:0:0:1",
            "prime256v1",
            "TLS Web Server Authentication",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        run(Command::new("openssl")
            .args(["verify", "-purpose", "sslserver", "-CAfile"])
            .arg(directory.join("ca.crt"))
            .arg(certificate));
    }
    run(Command::new("openssl")
        .args(["verify", "-purpose", "sslclient", "-CAfile"])
        .arg(directory.join("ca.crt"))
        .arg(directory.join("client.crt")));

    let before = std::fs::read(directory.join("ca.key")).expect("it is there");
    let refused = certs(place.path(), &["--out=tls"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        "kvstoreapp: tls/ca.crt is there already, and nothing is overwritten: give another --out, or move it away\n"
    );
    assert_eq!(std::fs::read(directory.join("ca.key")).expect("it is there"), before);
    // What runs before each start finds all there.
    let kept = certs(place.path(), &["--out=tls", "--if-missing"]);
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "all certificates are in tls already, and stay\n");
    assert!(kept.status.success());
    std::fs::remove_file(directory.join("node-2.key")).expect("it is there");
    let refused = certs(place.path(), &["--out=tls", "--if-missing"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        "kvstoreapp: tls/ca.crt is there already, and node-2.key beside it is not: give another --out, or move it away\n"
    );
    assert_eq!(std::fs::read(directory.join("ca.key")).expect("it is there"), before);
    let refused = certs(place.path(), &["--out=new", "--name=no name"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no name is neither an address nor a host name"));
    assert!(!place.path().join("new").exists(), "nothing is made by halves");
}

#[test]
fn a_secret_goes_to_a_new_file_of_its_owner_and_stays_there() {
    let place = tempfile::tempdir().expect("there is a temporary directory");
    let secret = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
        command.current_dir(place.path()).arg("secret").args(arguments).output().expect("it runs")
    };
    let made = secret(&["--out=new/cluster.secret"]);
    assert_eq!(String::from_utf8_lossy(&made.stdout), "made new/cluster.secret\n");
    let file = place.path().join("new/cluster.secret");
    assert_eq!(file.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).expect("it is text");
    assert!(text.len() == 65 && text.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");

    let refused = secret(&["--out=new/cluster.secret"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing is overwritten"));
    let kept = secret(&["--out=new/cluster.secret", "--if-missing"]);
    assert!(kept.status.success());
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "new/cluster.secret is there already, and stays\n");
    assert_eq!(std::fs::read_to_string(&file).expect("it is text"), text);
    // A bare name is a file of this directory, and without one there is nothing to be missing.
    assert!(secret(&["--out=bare"]).status.success() && place.path().join("bare").exists());
    assert_eq!(secret(&["--if-missing"]).status.code(), Some(2));
}

/// A node that was given certificates by two commands, and those.
fn two_commands(others: &[&str]) -> (Server, TempDir) {
    let place = tempfile::tempdir().expect("there is a temporary directory");
    made(place.path(), &["--out=tls"]);
    let file = |name: &str| place.path().join("tls").join(name).to_str().expect("it is text").to_owned();
    let flags = [format!("--tls-cert={}", file("node-0.crt")), format!("--tls-key={}", file("node-0.key"))];
    let ca = format!("--tls-client-ca={}", file("ca.crt"));
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.push(&ca);
    flags.extend(others);
    (Server::start(&flags), place)
}

/// A Redis tool that trusts the authority and shows the client's certificate.
fn tool(name: &str, server: &Server, place: &TempDir) -> Command {
    let file = |name: &str| place.path().join("tls").join(name);
    let mut command = Command::new(name);
    command
        .args(["-h", "127.0.0.1", "-p", &server.address.port().to_string(), "--tls", "--cacert"])
        .arg(file("ca.crt"));
    command.arg("--cert").arg(file("client.crt")).arg("--key").arg(file("client.key"));
    command
}

#[test]
fn redis_cli_and_redis_benchmark_speak_tls_with_a_certificate() {
    let (server, place) = two_commands(&["--tls=required"]);
    assert_eq!(run(tool("redis-cli", &server, &place).args(["SET", "color", "blue"])), "OK\n");
    assert_eq!(run(tool("redis-cli", &server, &place).args(["-3", "GET", "color"])), "blue\n");
    let without = Command::new("redis-cli")
        .args(["-h", "127.0.0.1", "-p", &server.address.port().to_string(), "--tls", "--cacert"])
        .arg(place.path().join("tls/ca.crt"))
        .args(["GET", "color"])
        .output()
        .expect("scripts/check.sh installs it");
    assert!(!without.status.success() || without.stdout != b"blue\n", "{without:?}");
    let figures = run(tool("redis-benchmark", &server, &place).args([
        "-q",
        "-n",
        "20000",
        "-c",
        "20",
        "-P",
        "16",
        "-t",
        "set,get,incr",
    ]));
    for name in ["SET: ", "GET: ", "INCR: "] {
        assert!(figures.contains(name), "{figures}");
    }
}

#[test]
fn openssl_is_a_terminal() {
    let (server, place) = two_commands(&["--tls-client-auth=optional"]);
    for version in ["-tls1_3", "-tls1_2"] {
        let mut child = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-verify_return_error",
                version,
                "-connect",
                &server.address.to_string(),
                "-CAfile",
            ])
            .arg(place.path().join("tls/ca.crt"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/check.sh installs it");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        std::io::Write::write_all(&mut stdin, b"SET color blue\nGET color\nQUIT\n").expect("it reads");
        let output = child.wait_with_output().expect("it ends when the node does");
        drop(stdin);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "OK\nblue\nOK\n");
    }
    // What is older than TLS 1.2 is no TLS here.
    let old = Command::new("openssl")
        .args(["s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect", &server.address.to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("scripts/check.sh installs it");
    assert!(!String::from_utf8_lossy(&old.stdout).contains("Cipher is ECDHE"), "{old:?}");
}

#[test]
fn kvbench_speaks_tls() {
    let (server, place) = two_commands(&["--tls=required", "--tls-client-auth=no"]);
    let figures = run(Command::new(env!("CARGO_BIN_EXE_kvbench"))
        .args([
            "--address",
            &server.address.to_string(),
            "--seconds",
            "0.3",
            "--warm-up",
            "0",
            "--keys",
            "1000",
            "--fill",
        ])
        .args(["--depth", "16", "--clients", "10", "--json", "--tls", "--tls-ca"])
        .arg(place.path().join("tls/ca.crt")));
    assert!(figures.contains("\"errors\":0") || figures.contains("\"errors\": 0"), "{figures}");
    assert_eq!(server_handshakes(&place, &server), "11");
}

fn server_handshakes(place: &TempDir, server: &Server) -> String {
    let info = run(tool("redis-cli", server, place).args(["INFO", "tls"]));
    let handshakes = info.lines().find_map(|line| line.strip_prefix("tls_handshakes:"));
    handshakes.expect("it is there").trim_end().to_owned()
}

#[test]
fn the_redis_crate_speaks_tls_with_a_certificate() {
    let (server, place) = two_commands(&["--tls=required"]);
    let file = |name: &str| std::fs::read(place.path().join("tls").join(name)).expect("it is there");
    let client_tls = Some(redis::ClientTlsConfig { client_cert: file("client.crt"), client_key: file("client.key") });
    let connect = |client_tls| {
        let certificates = redis::TlsCertificates { client_tls, root_cert: Some(file("ca.crt")) };
        let client =
            redis::Client::build_with_tls(format!("rediss://localhost:{}", server.address.port()), certificates);
        client.expect("it can be read").get_connection_with_timeout(PATIENCE)
    };
    let mut connection = connect(client_tls).expect("it is trusted");
    let value = vec![7_u8; 3 << 20];
    let _: () = connection.set("big", &value).expect("it answers");
    assert_eq!(connection.get::<_, Vec<u8>>("big").expect("it answers"), value);
    let answer: redis::RedisResult<()> = connect(None).and_then(|mut connection| connection.set("color", "blue"));
    assert!(answer.is_err(), "without a certificate");
}

#[test]
fn flags_that_do_not_go_together_are_a_sentence() {
    let place = tempfile::tempdir().expect("there is a temporary directory");
    made(place.path(), &["--out=tls"]);
    for (flags, why) in [
        (&["--tls=required"][..], "--tls needs --tls-cert=<file> and --tls-key=<file>"),
        (&["--tls-cert=tls/node-0.crt"], "--tls-key"),
        (&["--tls-cert=tls/node-0.crt", "--tls-key=tls/client.key"], "do not go together"),
        (&["--tls-cert=nowhere", "--tls-key=tls/node-0.key"], "cannot read the certificate nowhere"),
        (&["--tls-cert=tls/node-0.key", "--tls-key=tls/node-0.key"], "there is no certificate in tls/node-0.key"),
        (
            &["--tls-cert=tls/node-0.crt", "--tls-key=tls/node-0.key", "--tls-client-auth=optional"],
            "--tls-client-auth=optional needs --tls-client-ca=<file>",
        ),
        (
            &["--tls-cert=tls/node-0.crt", "--tls-key=tls/node-0.key", "--tls-client-ca=tls/ca.key"],
            "there is no certificate in tls/ca.key",
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
        let output = command.current_dir(place.path()).arg("--check-config").args(flags).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert!(said.contains(why) && said.lines().count() == 1, "{flags:?}: {said}");
    }
}

/// Runs a script of `tests/encryption/clients` against a node that wants certificates.
fn run_script(command: &mut Command, script: &str) {
    let (server, place) = two_commands(&["--tls=required"]);
    command.arg(Path::new("tests/encryption/clients").join(script)).current_dir(env!("CARGO_MANIFEST_DIR"));
    let told = run(command.arg(server.address.port().to_string()).arg(place.path().join("tls")));
    assert_eq!(told, "", "a script that ends well has nothing to say");
}

#[test]
fn redis_py_speaks_tls_with_a_certificate_and_by_url() {
    for packages in ["target/clients", "target/clients-redis-py-5"] {
        let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join(packages);
        run_script(Command::new("target/clients/bin/python").env("PYTHONPATH", packages), "redis_py.py");
    }
}

#[test]
fn ioredis_speaks_tls_with_a_certificate_and_by_url() {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients-node/node_modules");
    run_script(Command::new("node").env("NODE_PATH", packages), "ioredis.cjs");
}
