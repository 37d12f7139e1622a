//! A directory to start the binary in, and what it says there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Process, Server, wait_for};
use crate::wire::{End, exchange};

/// A directory to start the binary in, with nothing assumed.
pub struct Place {
    pub directory: TempDir,
}

impl Place {
    pub fn empty() -> Place {
        Place { directory: tempfile::tempdir().expect("there is a temporary directory") }
    }

    pub fn with_config(text: &str) -> Place {
        let place = Place::empty();
        fs::write(place.path("node_config.json"), text).expect("the test's directory is writable");
        place
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// What it says before it exits with success.
    pub fn answer(&self, arguments: &[&str]) -> String {
        let output = run(self.directory.path(), arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// It complains in one sentence with these words, and leaves the directory as it was.
    pub fn refused(&self, arguments: &[&str], says: &[&str]) {
        let before = self.listing();
        let output = run(self.directory.path(), arguments);
        assert_one_sentence(&output, says);
        assert_eq!(self.listing(), before, "{arguments:?}");
    }

    pub fn start(self, arguments: &[&str]) -> Server {
        let command = command(self.directory.path(), arguments);
        Server::spawn(self.directory, command)
    }

    pub fn start_and_stop(self, arguments: &[&str]) -> (Place, Option<i32>) {
        let (directory, status) = self.start(arguments).stop();
        (Place { directory }, status.code())
    }

    /// Every path below, with a file's bytes.
    pub fn listing(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let (mut listing, mut directories) = (BTreeMap::new(), vec![self.directory.path().to_owned()]);
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("a directory can be read") {
                let path = entry.expect("an entry can be read").path();
                let name = path.display().to_string();
                if path.is_dir() {
                    directories.push(path);
                    listing.insert(name, None);
                } else {
                    listing.insert(name, Some(fs::read(path).expect("a file can be read")));
                }
            }
        }
        listing
    }
}

pub fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
    command.current_dir(directory).args(arguments);
    command
}

/// Runs it to its end, which has to come.
pub fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = command(directory, arguments);
    let mut child = Process(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts"));
    let status = wait_for(&format!("the end of {arguments:?}"), || child.try_wait().expect("it is ours"));
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child.stdout.take().expect("a pipe").read_to_end(&mut stdout).expect("a pipe can be read");
    child.stderr.take().expect("a pipe").read_to_end(&mut stderr).expect("a pipe can be read");
    Output { status, stdout, stderr }
}

pub fn assert_one_sentence(output: &Output, says: &[&str]) {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 0), "{:?}: {complaint}", output.status);
    assert!(complaint.starts_with("kvstoreapp: ") && complaint.ends_with('\n'), "{complaint:?}");
    assert_eq!(complaint.lines().count(), 1, "{complaint:?}");
    for words in says {
        assert!(complaint.contains(words), "{words:?} is not in {complaint:?}");
    }
}

/// A port below those that the system gives to clients, so that no connection takes it in the meantime.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = (std::process::id() % 8_000) as u16;
    let ports = std::iter::repeat_with(|| 20_000 + (begin + NEXT.fetch_add(1, Relaxed)) % 10_000);
    let is_free = |&port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    ports.take(10_000).find(is_free).expect("a port is free")
}

/// What a node says from its start to its end with these flags, once a client has said something to it.
pub fn log_of(flags: &[&str], said: &str) -> String {
    let port = free_port();
    let place = Place::with_config(&format!(r#"[{{ "ip": "127.0.0.1", "port": {port} }}]"#));
    let mut command = command(place.directory.path(), &[&["--id=0"], flags].concat());
    let mut child = Process(command.stdout(Stdio::piped()).spawn().expect("the binary starts"));
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    wait_for("it to listen", || std::net::TcpStream::connect(address).ok());
    exchange(address, &[said.as_bytes()], End::Client);
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process id");
    rustix::process::kill_process(pid, Signal::TERM).expect("the process is ours");
    let mut log = String::new();
    child.stdout.take().expect("its output is a pipe").read_to_string(&mut log).expect("its log is text");
    log
}
