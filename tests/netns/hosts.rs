//! Machines on one wire, made of network namespaces: hosts at 10.77.0.<id + 1>, joined by a bridge in a namespace of
//! its own. Faults are packet filters where packets arrive. Everything is gone with the [`Network`].

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::harness::{Client, Server};

const PORT: u16 = 5000;

pub struct Network {
    /// Of this network alone, on the whole machine.
    name: String,
    /// Where each host is dialed.
    addresses: Vec<String>,
}

/// A running node and a connection to it.
pub struct Node {
    pub server: Server,
    pub client: Client,
}

impl Network {
    /// Hosts that reach each other; none where this machine cannot have namespaces.
    pub fn of_hosts(count: usize) -> Option<Network> {
        let network = Network::empty(count)?;
        for id in 0..count {
            network.plug_in(id, &network.host(id));
        }
        Some(network)
    }

    /// The same, but the hosts named are at home behind routers that translate their addresses: they can dial, and
    /// nobody knows a way to them.
    pub fn of_translated_hosts(count: usize, translated: &[usize]) -> Option<Network> {
        let mut network = Network::empty(count)?;
        for id in 0..count {
            if !translated.contains(&id) {
                network.plug_in(id, &network.host(id));
                continue;
            }
            let (host, router) = (network.host(id), format!("{}-router{id}", network.name));
            network.addresses[id] = format!("192.168.{id}.2");
            shell(&format!(
                "ip netns add {host}
                 ip netns add {router}
                 ip link add eth0 netns {host} type veth peer name home netns {router}
                 ip -n {router} addr add 192.168.{id}.1/24 dev home
                 ip -n {router} link set home up
                 ip -n {host} link set lo up
                 ip -n {host} addr add 192.168.{id}.2/24 dev eth0
                 ip -n {host} link set eth0 up"
            ));
            network.plug_in(id, &router);
            shell(&format!(
                "ip -n {host} route add default via 192.168.{id}.1
                 ip netns exec {router} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
                 ip netns exec {router} nft -f - <<'END'
                 table ip translation {{
                     chain leaving {{ type nat hook postrouting priority 100; oifname eth0 masquerade; }}
                 }}
                 \nEND"
            ));
        }
        Some(network)
    }

    /// What one host sends the other is lost; what comes back is not.
    pub fn block(&self, from: usize, to: usize) {
        self.filter(to, &format!("add rule inet faults arrivals ip saddr {} counter drop", self.addresses[from]));
    }

    /// Every host loses so many percent of what arrives.
    pub fn lose(&self, percent: u32) {
        let rule = format!("add rule inet faults arrivals iifname eth0 numgen random mod 100 < {percent} counter drop");
        (0..self.addresses.len()).for_each(|id| self.filter(id, &rule));
    }

    /// No packet is lost.
    pub fn heal(&self) {
        (0..self.addresses.len()).for_each(|id| self.filter(id, "flush chain inet faults arrivals"));
    }

    /// How many packets were lost since the last fault, on all hosts together.
    pub fn lost(&self) -> u64 {
        let lost = |id| {
            let rules = shell(&format!("ip netns exec {} nft list chain inet faults arrivals", self.host(id)));
            let words: Vec<&str> = rules.split_whitespace().collect();
            let counts = words.windows(3).filter(|words| words[..2] == ["counter", "packets"]);
            counts.map(|words| words[2].parse::<u64>().expect("a number of packets")).sum::<u64>()
        };
        (0..self.addresses.len()).map(lost).sum()
    }

    /// Starts a node on its host, which trusts all that is on the wire.
    pub fn start(&self, id: usize) -> Node {
        let server = self.launch(id, &["--protected-mode=no"]);
        let client = self.on(id, || Client::connect(server.address));
        Node { server, client }
    }

    /// Starts a node on its host with these flags, and connects nobody to it.
    pub fn launch(&self, id: usize, flags: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let entry = |address: &String| format!(r#"{{ "ip": "{address}", "port": {PORT} }}"#);
        let config = self.addresses.iter().map(entry).collect::<Vec<_>>().join(", ");
        fs::write(directory.path().join("node_config.json"), format!("[{config}]")).expect("it is writable");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(id), env!("CARGO_BIN_EXE_kvstoreapp")]);
        command.args([&format!("--id={id}"), "--data-dir=data", "--snapshot-interval-ms=100"]);
        command.args(flags).current_dir(directory.path());
        Server::spawn(directory, command)
    }

    /// Where a node on this host is reached.
    pub fn address(&self, id: usize) -> SocketAddr {
        SocketAddr::new(self.addresses[id].parse().expect("an address"), PORT)
    }

    /// Works on this host; what it connects stays there.
    pub fn on<T: Send>(&self, id: usize, work: impl FnOnce() -> T + Send) -> T {
        inside(&self.host(id), work)
    }

    pub fn start_all(&self) -> Vec<Node> {
        (0..self.addresses.len()).map(|id| self.start(id)).collect()
    }

    fn empty(count: usize) -> Option<Network> {
        static NETWORKS: AtomicUsize = AtomicUsize::new(0);
        static HINDRANCE: OnceLock<Option<String>> = OnceLock::new();
        if let Some(why) = HINDRANCE.get_or_init(hindrance) {
            println!("skipped: no network namespaces here: {why}");
            return None;
        }
        let name = format!("kv{}-{}", std::process::id(), NETWORKS.fetch_add(1, Ordering::Relaxed));
        let network = Network { name, addresses: (0..count).map(on_the_wire).collect() };
        let hub = network.hub();
        shell(&format!(
            "ip netns add {hub}
             ip -n {hub} link add name br0 type bridge
             ip -n {hub} link set br0 up"
        ));
        Some(network)
    }

    /// Gives a namespace an interface on the wire, and a chain for faults.
    fn plug_in(&self, id: usize, namespace: &str) {
        let (hub, address) = (self.hub(), on_the_wire(id));
        shell(&format!(
            "[ -e /run/netns/{namespace} ] || ip netns add {namespace}
             ip link add eth0 netns {namespace} type veth peer name port{id} netns {hub}
             ip -n {hub} link set port{id} master br0 up
             ip -n {namespace} link set lo up
             ip -n {namespace} addr add {address}/24 dev eth0
             ip -n {namespace} link set eth0 up
             ip netns exec {namespace} nft -f - <<'END'
             table inet faults {{ chain arrivals {{ type filter hook input priority 0; }}; }}
             \nEND"
        ));
    }

    fn filter(&self, id: usize, rule: &str) {
        shell(&format!("ip netns exec {} nft '{rule}'", self.host(id)));
    }

    /// The namespace that is this host.
    pub fn host(&self, id: usize) -> String {
        format!("{}-host{id}", self.name)
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Servers have ended, or end with their test; the system keeps a namespace until its last process is gone.
        let script = format!("for file in /run/netns/{}-*; do ip netns del \"${{file##*/}}\"; done", self.name);
        let _ = Command::new("sh").args(["-c", &script]).status();
    }
}

impl Node {
    pub fn ask(&mut self, request: &str) -> String {
        self.client.ask(request)
    }

    pub fn info(&mut self, name: &str) -> String {
        self.client.info(name)
    }

    /// Sends all requests at once and returns their answers, a line each.
    pub fn ask_all(&mut self, requests: &[String]) -> Vec<String> {
        self.client.ask_all(requests)
    }
}

fn on_the_wire(id: usize) -> String {
    format!("10.77.0.{}", id + 1)
}

/// Works on a thread in the namespace; what it connects stays there.
fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = File::open(format!("/run/netns/{namespace}")).expect("the namespace is there");
    let work = || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may enter it");
        work()
    };
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Why there can be no namespaces, if so.
fn hindrance() -> Option<String> {
    let probe = format!("kv{}-probe", std::process::id());
    let verdict = run(&format!(
        "command -v ip && command -v nft
         ip netns add {probe}
         trap 'ip netns del {probe}' EXIT
         ip -n {probe} link add eth0 type veth peer name eth1
         ip -n {probe} link add br0 type bridge
         ip netns exec {probe} nft -f - <<'END'
         table inet filters {{ chain c {{ type filter hook input priority 0; numgen random mod 100 < 5 drop; }}; }}
         table ip translation {{ chain c {{ type nat hook postrouting priority 100; masquerade; }}; }}
         \nEND"
    ));
    verdict.err().map(|why| if why.trim().is_empty() { "there is no ip or no nft".to_owned() } else { why })
}

fn shell(script: &str) -> String {
    run(script).unwrap_or_else(|why| panic!("{script}\n{why}"))
}

/// What it prints, or what went wrong, as one line.
fn run(script: &str) -> Result<String, String> {
    let output = Command::new("sh").args(["-ec", script]).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).lines().collect::<Vec<_>>().join("; ");
    if output.status.success() { Ok(String::from_utf8_lossy(&output.stdout).into_owned()) } else { Err(said) }
}
