//! The processes of one cluster: their config files, addresses, data, and what they log.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::addresses::Addresses;
use crate::harness::sqlite::sqlite3;
use crate::harness::{Client, Server, wait_for};
use crate::sharing::{Permit, free_addresses};

/// What one life of a node has logged since it listens.
type Log = Arc<Mutex<Vec<String>>>;

/// A node's own directory holds its config file and its data, whether it runs or not.
pub struct Cluster {
    pub addresses: Vec<SocketAddr>,
    flags: Vec<String>,
    running: BTreeMap<usize, Server>,
    down: BTreeMap<usize, TempDir>,
    logs: Vec<(usize, Log)>,
    _held: Addresses,
    _permit: Permit,
}

impl Cluster {
    /// None of the nodes runs.
    pub fn of_nodes(count: usize, flags: &[&str]) -> Cluster {
        let permit = Permit::take();
        let held = free_addresses(count);
        let directory = |id| (id, tempfile::tempdir().expect("there is a temporary directory"));
        let cluster = Cluster {
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            running: BTreeMap::new(),
            down: (0..count).map(directory).collect(),
            logs: Vec::new(),
            addresses: held.all.clone(),
            _held: held,
            _permit: permit,
        };
        (0..count).for_each(|id| cluster.configure(id, &cluster.members()));
        cluster
    }

    /// All run and are linked.
    pub fn started(count: usize, flags: &[&str]) -> Cluster {
        let mut cluster = Cluster::of_nodes(count, flags);
        (0..count).for_each(|id| cluster.start(id));
        cluster.await_links();
        cluster
    }

    pub fn start(&mut self, id: usize) {
        self.start_with(id, &[]);
    }

    /// Starts a node with flags of its own beside those of all.
    pub fn start_with(&mut self, id: usize, flags: &[&str]) {
        let directory = self.down.remove(&id).expect("it does not run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
        command.args([&format!("--id={id}"), "--data-dir=data"]).args(&self.flags).args(flags);
        command.current_dir(directory.path());
        let server = Server::spawn(directory, command);
        self.logs.push((id, Arc::clone(&server.later)));
        self.running.insert(id, server);
    }

    /// SIGKILL: what a crash leaves behind.
    pub fn kill(&mut self, id: usize) {
        let server = self.running.remove(&id).expect("it runs");
        self.down.insert(id, server.kill());
    }

    /// SIGTERM, and the end of it.
    pub fn stop(&mut self, id: usize) {
        let (directory, status) = self.running.remove(&id).expect("it runs").stop();
        assert!(status.success(), "node {id}: {status}");
        self.down.insert(id, directory);
    }

    /// Removes the data of a node that does not run.
    pub fn wipe(&self, id: usize) {
        fs::remove_dir_all(self.down[&id].path().join("data")).expect("its data is there");
    }

    /// Where the data is of a node that does not run.
    pub fn data_of(&self, id: usize) -> PathBuf {
        self.down[&id].path().join("data")
    }

    pub fn signal(&self, id: usize, signal: Signal) {
        self.running[&id].signal(signal);
    }

    /// Writes the node's config file; `None` is a node that was removed.
    pub fn configure(&self, id: usize, members: &[Option<SocketAddr>]) {
        let entry = |member: &Option<SocketAddr>| match member {
            Some(address) => format!(r#"{{ "ip": "{}", "port": {} }}"#, address.ip(), address.port()),
            None => "null".to_owned(),
        };
        let entries: Vec<String> = members.iter().map(entry).collect();
        fs::write(self.config_file(id), format!("[{}]", entries.join(", "))).expect("it is writable");
    }

    pub fn members(&self) -> Vec<Option<SocketAddr>> {
        self.addresses.iter().copied().map(Some).collect()
    }

    /// The nodes that run.
    pub fn ids(&self) -> Vec<usize> {
        self.running.keys().copied().collect()
    }

    /// Where it accepts, whatever the config files say.
    pub fn listens_at(&self, id: usize) -> SocketAddr {
        self.running[&id].address
    }

    pub fn client(&self, id: usize) -> Client {
        self.running[&id].connect()
    }

    pub fn info(&self, id: usize, field: &str) -> String {
        self.client(id).info(field)
    }

    /// What all lives of a node have logged that contains the text.
    pub fn logged(&self, id: usize, text: &str) -> Vec<String> {
        let lines = |log: &Log| log.lock().expect("no reader panics").clone();
        let lives = self.logs.iter().filter(|(node, _)| *node == id);
        lives.flat_map(|(_, log)| lines(log)).filter(|line| line.contains(text)).collect()
    }

    /// The events with this code that a node keeps. They are there at once, where lines of the log come later.
    pub fn events(&self, id: usize, code: &str) -> Vec<serde_json::Value> {
        let answer = self.client(id).ask(r#"{"op":"events"}"#);
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("an object");
        let all = answer["events"].as_array().expect("a list");
        all.iter().filter(|event| event["event"] == code).cloned().collect()
    }

    pub fn await_log(&self, id: usize, text: &str) {
        wait_for(&format!("node {id} to log '{text}'"), || (!self.logged(id, text).is_empty()).then_some(()));
    }

    pub fn await_info(&self, id: usize, field: &str, value: &str) {
        let mut client = self.client(id);
        wait_for(&format!("{field}: {value} at node {id}"), || (client.info(field) == value).then_some(()));
    }

    pub fn await_answer(&self, id: usize, request: &str, answer: &str) {
        let mut client = self.client(id);
        wait_for(&format!("{request} => {answer} at node {id}"), || (client.ask(request) == answer).then_some(()));
    }

    /// Log and `INFO` say why there is no link to the peer.
    pub fn await_reason(&self, id: usize, peer: usize, reason: &str) {
        let (mut client, field) = (self.client(id), format!("peer_{peer}_error"));
        wait_for(&format!("node {id} to say of node {peer}: {reason}"), || {
            client.info(&field).contains(reason).then_some(())
        });
        self.await_log(id, reason);
    }

    /// All that run are linked with each other.
    pub fn await_links(&self) {
        let others = (self.running.len() - 1).to_string();
        self.ids().into_iter().for_each(|id| self.await_info(id, "peers_linked", &others));
    }

    /// All that run say of each other that they agree.
    pub fn await_agreement(&self) {
        for id in self.ids() {
            for peer in self.ids().into_iter().filter(|&peer| peer != id) {
                self.await_info(id, &format!("peer_{peer}_agreement"), "agrees");
            }
        }
    }

    /// All that run answer the same for these keys, hold no others, in memory and on disk, and say that they agree.
    /// Returns the answers.
    pub fn await_identical(&self, keys: &[String]) -> Vec<String> {
        self.await_agreement();
        let requests: Vec<String> = keys.iter().map(|key| format!("GET {key}")).collect();
        let answers = wait_for("all to answer the same", || {
            let mut answers: Vec<_> = self.ids().into_iter().map(|id| self.client(id).ask_all(&requests)).collect();
            answers.dedup();
            (answers.len() == 1).then(|| answers.remove(0))
        });
        let held = keys.iter().zip(&answers).filter(|(_, answer)| *answer != "KEY NOT FOUND");
        let held: BTreeMap<String, String> = held.map(|(key, value)| (key.clone(), value.clone())).collect();
        wait_for("all data files to say the same", || {
            let mut files: Vec<String> = self.ids().into_iter().map(|id| self.rows(id)).collect();
            files.dedup();
            (files.len() == 1 && entries(&files[0]) == held).then_some(())
        });
        self.await_agreement();
        for id in self.ids() {
            assert_eq!(self.info(id, "keys"), held.len().to_string());
            // Agreement is not what a difference was mended to.
            assert_eq!(self.logged(id, "differ although"), Vec::<String>::new());
        }
        answers
    }

    pub fn data_file(&self, id: usize) -> PathBuf {
        self.directory(id).join("data/backup.db")
    }

    pub fn config_file(&self, id: usize) -> PathBuf {
        self.directory(id).join("node_config.json")
    }

    /// How many keys have this value on disk.
    pub fn row_count(&self, id: usize, value: &str) -> usize {
        entries(&self.rows(id)).values().filter(|other| *other == value).count()
    }

    fn rows(&self, id: usize) -> String {
        sqlite3(&self.data_file(id), "select * from kvstore order by key")
    }

    fn directory(&self, id: usize) -> PathBuf {
        let running = self.running.get(&id).map(|server| server.directory.path());
        running.unwrap_or_else(|| self.down[&id].path()).to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            for (id, log) in &self.logs {
                let lines = log.lock().map(|lines| lines.join("\n")).unwrap_or_default();
                println!("== node {id}, since it listens\n{lines}");
            }
        }
    }
}

/// Keys and values of rows as `sqlite3` prints them.
fn entries(rows: &str) -> BTreeMap<String, String> {
    let entry = |row: &str| {
        let mut columns = row.split('\t').map(str::to_owned);
        (columns.next().expect("a key"), columns.next().expect("a value"))
    };
    rows.lines().map(entry).collect()
}
