//! Real clients: curl, Python, and Upstash's.

use std::path::Path;
use std::process::Command;

use crate::certificates::Authority;
use crate::harness::Server;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn curl(arguments: &[&str]) -> String {
    run("curl", &[&["-sS", "--max-time", "60"], arguments].concat())
}

#[test]
fn curl_reads_and_writes() {
    let server = Server::start(&[]);
    let at = |path: &str| format!("http://{}{path}", server.address);
    let octets = "Content-Type: application/octet-stream";
    assert_eq!(curl(&["-X", "PUT", "-H", octets, "-d", "blue", "-w", "%{http_code}", &at("/v1/keys/color")]), "201");
    assert_eq!(
        curl(&[&at("/livez"), &at("/v1/keys"), &at("/v1/keys/color")]),
        "live\n{\"keys\":[\"color\"],\"cursor\":null}\nblue"
    );
    assert!(curl(&["-I", &at("/readyz")]).starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(curl(&["--http1.0", &at("/v1/keys")]), "{\"keys\":[\"color\"],\"cursor\":null}\n");
    assert_eq!(curl(&["-X", "DELETE", "-w", "%{http_code}", &at("/v1/keys/color")]), "204");
    assert_eq!(server.connect().ask("GET color"), "KEY NOT FOUND");
}

#[test]
fn curl_comes_by_tls_and_logs_in() {
    let authority = Authority::with_node();
    let password = authority.path("password");
    std::fs::write(&password, "secret\n").expect("it is writable");
    let [certificate, key] = ["node.crt", "node.key"].map(|file| authority.path(file).display().to_string());
    let flags = [
        format!("--tls-cert={certificate}"),
        format!("--tls-key={key}"),
        "--tls=required".to_owned(),
        format!("--password-file={}", password.display()),
        "--http-bind=127.0.0.1:0".to_owned(),
    ];
    let server = Server::start(&flags.each_ref().map(String::as_str));
    let only = server.log.iter().find_map(|line| line.split_once("serving HTTP alone at ")).expect("the log says so").1;
    let ca = authority.path("ca.crt").display().to_string();
    let jar = authority.path("jar").display().to_string();
    for address in [&server.address.to_string(), only] {
        let at = |path: &str| format!("https://{address}{path}");
        let tls = |arguments: &[&str]| curl(&[&["--cacert", &ca, "-w", "%{http_code}"], arguments].concat());
        assert_eq!(tls(&[&at("/livez")]), "live\n200");
        assert!(tls(&[&at("/v1/keys")]).ends_with("401"));
        assert_eq!(tls(&["-u", "default:secret", &at("/v1/keys")]), "{\"keys\":[],\"cursor\":null}\n200");
        assert_eq!(tls(&["-c", &jar, "-d", "user=default&password=secret", &at("/login")]), "303");
        assert_eq!(tls(&["-b", &jar, &at("/v1/keys")]), "{\"keys\":[],\"cursor\":null}\n200");
    }
    // In plain text nobody is served.
    let refused = curl(&["--http0.9", "-o", "-", &format!("http://{only}/livez")]);
    assert!(refused.contains("TLS alone"), "{refused}");
}

/// Keep-alive, chunks, a value of 64 MiB both ways, and a stream of events.
#[test]
fn pythons_http_client_is_served() {
    const SCRIPT: &str = r#"
import http.client, json, sys
host, port = sys.argv[1].split(":")
client = http.client.HTTPConnection(host, int(port), timeout=60)
octets = {"Content-Type": "application/octet-stream"}
def ask(method, path, body=None, headers=octets):
    client.request(method, path, body=body, headers=headers)
    answer = client.getresponse()
    return answer.status, answer.read(), answer.headers
big = bytes(range(256)) * (64 * 4096)
assert ask("PUT", "/v1/keys/big", big)[0] == 201
status, body, headers = ask("GET", "/v1/keys/big")
assert status == 200 and body == big, (status, len(body))
assert ask("GET", "/v1/keys/big", headers={"If-None-Match": headers["ETag"]})[0] == 304
assert ask("HEAD", "/v1/keys/big")[1] == b""
try:
    assert ask("PUT", "/v1/keys/big", big + b"x")[0] == 413
except (BrokenPipeError, ConnectionResetError):
    pass # It is hung up on while it sends what nobody reads.
client.close()
pieces = (b"%d," % number for number in range(10000))
assert ask("PUT", "/v1/keys/chunked", pieces)[0] == 201
assert ask("GET", "/v1/keys/chunked")[1].endswith(b"9999,")
for number in range(200):
    assert ask("PUT", "/v1/keys/key:%d" % number, b"v")[0] == 201
keys = json.loads(ask("GET", "/v1/keys?prefix=key:&count=100000")[1])["keys"]
assert len(keys) == 200, len(keys)
stream = http.client.HTTPConnection(host, int(port), timeout=60)
stream.request("GET", "/v1/watch?prefix=key:")
events = stream.getresponse()
assert events.readline().startswith(b"id: ") and events.readline() == b"\n"
assert ask("DELETE", "/v1/keys/key:7")[0] == 204
assert events.readline().startswith(b"id: ")
assert json.loads(events.readline()[len("data: "):])["event"] == "delete"
print("done")
"#;
    let server = Server::start(&[]);
    assert_eq!(run("python3", &["-c", SCRIPT, &server.address.to_string()]), "done\n");
    assert_eq!(server.info("clients_closed_http"), "0");
}

#[test]
fn upstashs_client_works_unchanged() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let password = directory.path().join("password");
    std::fs::write(&password, "a b:c\n").expect("it is writable");
    let server = Server::start(&[&format!("--password-file={}", password.display())]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut node = Command::new("node");
    node.env("NODE_PATH", root.join("target/clients-node/node_modules")).env("NO_COLOR", "1").current_dir(root);
    node.args(["tests/http/clients/upstash.cjs", &format!("http://{}", server.address), "default:a b:c"]);
    let output = node.output().expect("scripts/check.sh installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // A script that ends well has nothing to say.
    assert_eq!(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()), "");
}
