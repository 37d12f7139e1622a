//! Real `nc`, and real records: what this machine's package index says of each package, in one line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use crate::harness::{Server, wait_for};

/// Fewer would be no main job: where the package index knows fewer, lines of installed documentation are added.
const RECORDS_MIN: usize = 10_000;

#[test]
fn one_line_of_shell_is_a_client() {
    let server = Server::start(&[]);
    for (said, answered) in [
        (r"SET a b\nGET a\n", "OK\nb\n"),
        (r"GET a\r\nGET none\n\n", "b\nKEY NOT FOUND\nINVALID COMMAND\n"),
        (r"SET s  two  spaces \nGET s\n", "OK\n two  spaces \n"),
        (r"DELETE a\nDELETE a\n", "OK\nKEY NOT FOUND\n"),
        (r"PING\nGET a", "PONG\nERROR the last line has no newline: it was not run\n"),
        ("", ""),
    ] {
        for option in ["-N", "-q1"] {
            let script = format!("printf '{said}' | nc {option} $HOST $PORT");
            // Each option starts from the same data.
            let answers = shell(&server, &script);
            assert_eq!(answers, answered, "{script}");
        }
    }
    assert_eq!(shell(&server, r"printf 'PING\nQUIT\nPING\n' | nc $HOST $PORT"), "PONG\nOK\n");
}

#[test]
fn tens_of_thousands_of_real_records_come_back_byte_for_byte_also_after_a_kill() {
    let records = records();
    if records.len() < RECORDS_MIN {
        return println!("skipped: this machine knows only {} records, {RECORDS_MIN} are wanted", records.len());
    }
    let (mut sets, mut gets, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in &records {
        sets.extend([b"SET ", key.as_slice(), b" ", value, b"\n"].concat());
        gets.extend([b"GET ", key.as_slice(), b"\n"].concat());
        values.extend([value.as_slice(), b"\n"].concat());
    }
    let texts = records.values().filter(|value| value.contains(&b' ')).count();
    let beyond_ascii = records.values().filter(|value| !value.is_ascii()).count();
    println!("{} records, {} with spaces, {beyond_ascii} beyond ASCII, {} bytes", records.len(), texts, sets.len());

    let server = Server::start(&["--snapshot-interval-ms=50"]);
    let answers = nc(server.address, &sets);
    assert!(answers == b"OK\n".repeat(records.len()), "not each SET is answered OK");
    assert!(nc(server.address, &gets) == values, "something is not read back as it was written");
    assert_eq!(server.info("keys"), records.len().to_string());
    let mut client = server.connect();
    wait_for("all to be durable", || (client.info("durable_position") == client.info("position")).then_some(()));

    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(server.info("keys"), records.len().to_string());
    assert!(nc(server.address, &gets) == values, "something is not read back after the kill");
}

/// Keys without spaces; values of one line, not empty.
fn records() -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut records = BTreeMap::new();
    let index = Command::new("apt-cache").arg("dumpavail").stderr(Stdio::null()).output();
    let index = index.map(|output| output.stdout).unwrap_or_default();
    let mut package: &[u8] = b"";
    for line in index.split(|&byte| byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"Package: ") {
            package = name;
        } else if let Some((name, text)) = description(line).filter(|_| !package.is_empty()) {
            add(&mut records, name.unwrap_or(package), text);
        }
    }
    if records.len() < RECORDS_MIN {
        let _ = add_lines_below(&mut records, Path::new("/usr/share/doc"));
    }
    records
}

/// `Description: text` or `Description-en: text`.
fn description(line: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let rest = line.strip_prefix(b"Description")?;
    let text = rest.strip_prefix(b": ").or_else(|| rest.strip_prefix(b"-en: "))?;
    Some((None, text))
}

/// One record for each line of each file, as far as they are needed.
fn add_lines_below(records: &mut BTreeMap<Vec<u8>, Vec<u8>>, directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)?.flatten() {
        if records.len() >= 2 * RECORDS_MIN {
            break;
        }
        let path = entry.path();
        match entry.file_type() {
            // What cannot be read has no records for us.
            Ok(kind) if kind.is_dir() => drop(add_lines_below(records, &path)),
            Ok(kind) if kind.is_file() => {
                let text = fs::read(&path).unwrap_or_default();
                for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
                    add(records, format!("{}:{number}", path.display()).as_bytes(), line);
                }
            }
            _ => (),
        }
    }
    Ok(())
}

/// The first text of a name counts. A carriage return at the end would be taken for a part of the line's end.
fn add(records: &mut BTreeMap<Vec<u8>, Vec<u8>>, name: &[u8], text: &[u8]) {
    let sayable = !text.is_empty() && !text.ends_with(b"\r") && !name.iter().any(|byte| b" \r\n".contains(byte));
    if sayable && text.len() < 1 << 20 {
        records.entry(name.to_owned()).or_insert_with(|| text.to_owned());
    }
}

/// All answers of the node to one `nc` that is told all this.
fn nc(address: SocketAddr, said: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let path = directory.path().join("said");
    fs::write(&path, said).expect("the directory is writable");
    let mut command = Command::new("nc");
    command.arg("-N").args([address.ip().to_string(), address.port().to_string()]);
    let output = command.stdin(fs::File::open(&path).expect("it was just written")).output().expect("there is nc");
    assert!(output.status.success(), "nc says {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn shell(server: &Server, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("HOST", server.address.ip().to_string());
    let output = command.env("PORT", server.address.port().to_string()).output().expect("there is a shell");
    String::from_utf8(output.stdout).expect("the tests send text")
}
