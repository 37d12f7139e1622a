//! Real `nc`, and real data: the description of every package that this machine knows, tens of thousands on Debian.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::harness::{Server, wait_for};

#[test]
fn a_line_of_shell_is_a_client() {
    if !has_nc() {
        return println!("skipped: there is no nc on this machine");
    }
    let server = Server::start(&[]);
    let shell = |script: &str| {
        let (host, port) = (server.address.ip().to_string(), server.address.port().to_string());
        let output = Command::new("sh").args(["-c", script]).env("HOST", host).env("PORT", port).output();
        String::from_utf8(output.expect("there is a shell").stdout).expect("text")
    };
    assert_eq!(shell(r"printf 'SET a b\nGET a\n' | nc -N $HOST $PORT"), "OK\nb\n");
    assert_eq!(shell(r"printf 'SET a b\nGET a\n' | nc -q1 $HOST $PORT"), "OK\nb\n");
    assert_eq!(shell(r"printf 'GET a\r\nGET none\r\n\r\n' | nc -N $HOST $PORT"), "b\nKEY NOT FOUND\nINVALID COMMAND\n");
    assert_eq!(shell(r"printf 'SET s two  spaces \nGET s\n' | nc -N $HOST $PORT | tail -1"), "two  spaces \n");
    assert_eq!(shell(r"echo DELETE a | nc -N $HOST $PORT"), "OK\n");
    assert_eq!(shell(r"printf 'PING\nQUIT\n' | nc $HOST $PORT"), "PONG\nOK\n");
    assert_eq!(shell(r"printf 'GET s' | nc -N $HOST $PORT"), "ERROR the last line has no newline: it was not run\n");
}

#[test]
fn every_package_description_goes_in_and_comes_back_also_after_a_kill() {
    if !has_nc() {
        return println!("skipped: there is no nc on this machine");
    }
    let packages = packages();
    if packages.is_empty() {
        return println!("skipped: this machine has no package index");
    }
    let (mut sets, mut gets, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (name, description) in &packages {
        sets.extend([b"SET ", name.as_slice(), b" ", description, b"\n"].concat());
        gets.extend([b"GET ", name.as_slice(), b"\n"].concat());
        values.extend([description.as_slice(), b"\n"].concat());
    }
    println!("{} packages, {} bytes of commands", packages.len(), sets.len());

    let server = Server::start(&["--snapshot-interval-ms=100"]);
    assert!(nc(server.address, &sets) == b"OK\n".repeat(packages.len()), "not every SET is answered OK");
    assert!(nc(server.address, &gets) == values, "something is not read back as it was written");
    assert_eq!(server.info("keys"), packages.len().to_string());

    let mut client = server.connect();
    wait_for("all to be on disk", || (client.info("durable_position") == client.info("position")).then_some(()));
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(server.info("keys"), packages.len().to_string());
    assert!(nc(server.address, &gets) == values, "something is not read back after the restart");
}

fn has_nc() -> bool {
    let found = Command::new("nc").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status();
    !matches!(found, Err(error) if error.kind() == ErrorKind::NotFound)
}

/// What `nc` prints when it is fed these bytes.
fn nc(address: SocketAddr, input: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let path = directory.path().join("input");
    fs::write(&path, input).expect("the test's directory is writable");
    let mut command = Command::new("nc");
    command.args(["-N", &address.ip().to_string(), &address.port().to_string()]);
    let output = command.stdin(fs::File::open(path).expect("just written")).output().expect("nc was found");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Name and one-line description of every package in the index, or else of every installed one.
fn packages() -> BTreeMap<Vec<u8>, Vec<u8>> {
    let index = Command::new("apt-cache").arg("dumpavail").stderr(Stdio::null()).output();
    let index = described(&index.map(|output| output.stdout).unwrap_or_default());
    let installed = described(&fs::read("/var/lib/dpkg/status").unwrap_or_default());
    if index.len() > installed.len() { index } else { installed }
}

fn described(text: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (mut packages, mut name) = (BTreeMap::new(), None);
    for line in text.split(|&byte| byte == b'\n') {
        if let Some(found) = line.strip_prefix(b"Package: ") {
            name = Some(found.to_vec());
        }
        let description =
            [b"Description: ".as_slice(), b"Description-en: "].iter().find_map(|&field| line.strip_prefix(field));
        if let (Some(description), Some(name)) = (description.filter(|text| !text.is_empty()), &name) {
            packages.insert(name.clone(), description.to_vec());
        }
    }
    packages
}
