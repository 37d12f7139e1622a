//! The real binary as a test sees it: started on a port the system chooses, talked to over TCP, ended by its id.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod addresses;
pub mod redis;
pub mod sqlite;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Generous, so that no test depends on how fast the machine is; a wait ends as soon as what it waits for is there.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A one-node cluster's config file, for a node that binds elsewhere.
pub const ONE_NODE: &str = r#"[{ "ip": "127.0.0.1", "port": 5000 }]"#;

/// A running node with a directory of its own: config file, data directory `data`.
pub struct Server {
    pub child: Process,
    pub address: SocketAddr,
    pub directory: TempDir,
    /// All log lines up to and including "listening on".
    pub log: Vec<String>,
    /// The log lines after those, as far as they have come.
    pub later: Arc<Mutex<Vec<String>>>,
}

/// Ends with the test that started it, however the test ends.
pub struct Process(pub Child);

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command that runs the binary in a directory, with the one-node config and a port chosen by the system.
pub fn command(directory: &Path, arguments: &[&str]) -> Command {
    let config = directory.join("node_config.json");
    if !config.exists() {
        std::fs::write(&config, ONE_NODE).expect("the test's directory is writable");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
    command.current_dir(directory).args(["--id=0", "--bind=127.0.0.1:0", "--data-dir=data"]).args(arguments);
    command
}

impl Server {
    /// Starts in a fresh directory.
    pub fn start(arguments: &[&str]) -> Server {
        Server::start_in(tempfile::tempdir().expect("there is a temporary directory"), arguments)
    }

    /// Starts in a directory that may hold data already.
    pub fn start_in(directory: TempDir, arguments: &[&str]) -> Server {
        let command = command(directory.path(), arguments);
        Server::spawn(directory, command)
    }

    /// Starts a command made by [`command`] and perhaps changed since. What it says on stderr goes where the command
    /// says.
    pub fn spawn(directory: TempDir, mut command: Command) -> Server {
        let mut child = Process(command.stdout(Stdio::piped()).spawn().expect("the binary starts"));
        let mut lines = BufReader::new(child.stdout.take().expect("its output is a pipe")).lines();
        let mut log = Vec::new();
        let address = loop {
            let line = lines.next().expect("the node says that it listens before it ends").expect("its log is text");
            let address = line.split_once("listening on ").map(|(_, address)| address.parse().expect("an address"));
            log.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        // Somebody has to read on, or the log has nowhere to go.
        let later = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&later);
        thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().expect("no reader panics").push(line));
        });
        Server { child, address, directory, log, later }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// The log lines since "listening on" that contain the text.
    pub fn later_lines(&self, text: &str) -> Vec<String> {
        let lines = self.later.lock().expect("the log's reader does not panic");
        lines.iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// The same, once there is one: what the node has logged comes here by two threads, and later than its answers.
    pub fn logged(&self, text: &str) -> Vec<String> {
        wait_for("a log line", || Some(self.later_lines(text)).filter(|lines| !lines.is_empty()))
    }

    pub fn data_file(&self) -> PathBuf {
        self.directory.path().join("data/backup.db")
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process id");
        kill_process(pid, signal).expect("the process is ours");
    }

    /// What Linux says of the process, or of its first thread, under this name.
    pub fn status(&self, name: &str) -> String {
        self.proc("status", name)
    }

    /// Memory that the process has from the system, in KiB.
    pub fn anonymous_kb(&self) -> u64 {
        self.proc("smaps_rollup", "Anonymous").trim_end_matches(" kB").parse().expect("a number")
    }

    /// Where Linux tells of the process.
    pub fn proc_path(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.child.id()).into()
    }

    fn proc(&self, file: &str, name: &str) -> String {
        proc_field(&self.proc_path(file).display().to_string(), name)
    }

    /// SIGKILL: what a crash leaves behind.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("it ends");
        self.directory
    }

    /// SIGTERM, and the end of it.
    pub fn stop(self) -> (TempDir, ExitStatus) {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// The end, which a signal has begun.
    pub fn wait(mut self) -> (TempDir, ExitStatus) {
        let status = wait_for("the process to end", || self.child.try_wait().expect("it is ours"));
        (self.directory, status)
    }

    /// One field of `INFO`.
    pub fn info(&self, name: &str) -> String {
        self.connect().info(name)
    }
}

/// What a file below `/proc`, of a line for each field, says under this name.
pub fn proc_field(path: &str, name: &str) -> String {
    let text = std::fs::read_to_string(path).expect("it is of something that runs");
    let field = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    field.expect("Linux says so").trim().to_owned()
}

/// One TCP connection that speaks lines.
pub struct Client {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("a socket option can be set");
        let reader = BufReader::new(stream.try_clone().expect("a socket can be shared"));
        Client { stream, reader }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the node reads");
    }

    /// The next line without its end; panics where the connection ends or nothing comes.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).expect("an answer comes");
        assert_eq!(line.pop(), Some(b'\n'), "the connection ended in the middle of a line: {line:?}");
        String::from_utf8(line).expect("the test expects text")
    }

    /// Sends a line and returns the answer's line.
    pub fn ask(&mut self, request: &str) -> String {
        self.send(format!("{request}\n"));
        self.line()
    }

    /// Sends all requests, many at a time, and returns their answers, a line each.
    pub fn ask_all(&mut self, requests: &[String]) -> Vec<String> {
        requests.chunks(500).flat_map(|some| self.ask_some(some)).collect()
    }

    fn ask_some(&mut self, requests: &[String]) -> Vec<String> {
        self.send(requests.iter().map(|request| format!("{request}\n")).collect::<String>());
        requests.iter().map(|_| self.line()).collect()
    }

    /// Says that nothing more will come, and returns all that is still answered.
    pub fn finish(mut self) -> Vec<u8> {
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
        let mut answers = Vec::new();
        self.reader.read_to_end(&mut answers).expect("the node closes the connection");
        answers
    }

    /// One field of `INFO`.
    pub fn info(&mut self, name: &str) -> String {
        self.send("INFO\n");
        let mut found = None;
        loop {
            let line = self.line();
            if line.is_empty() {
                return found.unwrap_or_else(|| panic!("INFO has no field {name}"));
            }
            if let Some((field, value)) = line.split_once(": ").filter(|&(field, _)| field == name) {
                assert_eq!(field, name);
                found = Some(value.to_owned());
            }
        }
    }
}

/// A pipe with a name, which nobody writes to.
pub fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("coreutils are installed").success());
}

/// Says at its end that it is over, also where what was asserted before is not so: threads that go on until then would
/// make a hang of a failure.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks again until there is an answer.
pub fn wait_for<T>(what: &str, answer: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, answer)
}

/// ... with another patience.
pub fn wait_within<T>(patience: Duration, what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(begun.elapsed() < patience, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
