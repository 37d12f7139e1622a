//! From a checked config to a running server: the order in which the outside worlds are opened.

use std::net::SocketAddr;
use std::time::Instant;

use super::acceptor::{Acceptor, origin_of};
use super::supervisor::Supervisor;
use super::tls::files::{self, Loaded};
use super::{Server, memory, now, process};
use crate::auth::default_user;
use crate::config::{Config, members};
use crate::logging::{self, levels::Levels};
use crate::node::encryption::{ClientAuth, TlsPolicy};
use crate::node::{Node, Options};
use crate::replica::Cluster;
use crate::replication::{Identity, connections_max};
use crate::snapshot::file::DataFile;
use crate::snapshot::opening::Opened;
use crate::store::Restore;

/// What a start would trip over beside flags and config file: certificates that cannot be used. An error is a sentence.
pub fn check(config: &Config) -> Result<(), String> {
    load_certificates(&mut config.options.clone()).map(drop)
}

/// Serves until a signal or a client ends it. An error is a sentence.
pub fn run(config: Config) -> Result<(), String> {
    let started = Instant::now();
    if let Some(core) = config.cpu {
        process::keep_off(core)?;
    }
    let acceptor = Acceptor::open(&config.listen, config.unix_socket.as_ref(), config.http_bind)?;
    let log = logging::start(Levels::new(config.log.level, config.log.modules.clone()), config.log.format)
        .map_err(|error| format!("cannot start the log's thread: {}", process::explain(&error)))?;
    let verdict = serve(config, acceptor, started);
    if verdict.is_ok() {
        log::info!(event = "stopped"; "all is saved; goodbye");
    }
    log.flush();
    verdict
}

fn serve(config: Config, acceptor: Acceptor, started: Instant) -> Result<(), String> {
    let address = acceptor.address().map_err(|error| format!("cannot tell the own address: {error}"))?;
    let http_address = acceptor.http_address();
    log::info!(
        event = "starting", version = env!("CARGO_PKG_VERSION"), build = env!("KVSTOREAPP_BUILD"), node = config.id, nodes = config.nodes.len();
        "kvstoreapp {}, node {} of {}", env!("CARGO_PKG_VERSION"), config.id, config.nodes.len()
    );
    let peers = connections_max(config.nodes.iter().flatten().count() - 1, config.proven_links.is_some());
    let mut options = with_room_for_clients(config.options.clone(), peers)?;
    (options.process.address, options.process.port) = (address.ip().to_string(), address.port());
    process::describe(&mut options.process, random_numbers());
    let tls = load_certificates(&mut options)?;
    let said = options.tls.as_ref().map(|tls| format!("TLS is {}: {}", tls.policy, files::describe(&tls.certificate)));
    config.password_warning.iter().for_each(|warning| log::warn!(event = "password_unsafe"; "{warning}"));
    let (durability, interval_ms) = (options.durability, options.snapshot_interval_ms);
    let mut supervisor = Supervisor::from_environment();
    let reading = supervisor.extend("reading the data file");
    let (node, file) = recover(&config, options, started)?;
    drop(reading);
    log::info!("durability {durability}, a snapshot every {interval_ms} ms");
    let system = |error: std::io::Error| format!("cannot start: {}", process::explain(&error));
    let (file_again, users_file) = (config.file.clone(), config.users_file.clone());
    let mut server = Server::new(acceptor, node, file, file_again, users_file, tls, started).map_err(system)?;
    server.busy_poll(config.busy_poll);
    if let Some(links) = config.proven_links {
        server.prove_links(links)?;
    }
    if let Some(core) = config.cpu {
        process::pin_to(core)?;
    }
    said.iter().for_each(|said| log::info!("{said}"));
    if let Some(socket) = &config.unix_socket {
        log::info!("serving the unix socket {}", socket.path.display());
    }
    http_address.iter().for_each(|address| log::info!("serving HTTP alone at {address}"));
    warn_of_strangers(address, &server.node);
    log::info!(event = "listening", address:%; "listening on {address}");
    server.report_to(supervisor);
    server.run()
}

/// Says what other machines can do, where they can reach the address and have to prove nothing.
fn warn_of_strangers(address: SocketAddr, node: &Node) {
    if !origin_of(address).is_far() {
        return;
    }
    let tls = node.options().tls.as_ref();
    let asks_for_certificates = tls.is_some_and(|tls| tls.client_auth != ClientAuth::No);
    let serves_nobody_else =
        tls.is_some_and(|tls| tls.client_auth == ClientAuth::Required && tls.policy == TlsPolicy::Required);
    match (node.needs_password(), node.refuses_far_clients()) {
        (true, _) if tls.is_none() => log::warn!(
            event = "open_in_plain_text", address:%;
            "passwords, keys and values travel to and from {address} in plain text: who is on the way can read and \
             change them. TLS is two commands away (kvstoreapp certs --help)"
        ),
        (true, _) => (),
        (false, true) if asks_for_certificates => log::info!(
            "clients of other machines are served where they show a certificate, and turned away else: no password is \
             set (protected mode)"
        ),
        (false, true) => log::warn!(
            event = "closed_to_strangers", address:%;
            "clients of other machines reach {address} and are turned away: no password is set (protected mode). \
             Set one with --password-file, ask for certificates with --tls-client-ca, or say --protected-mode no \
             where nobody but you reaches that address"
        ),
        (false, false) if serves_nobody_else => (),
        (false, false) => {
            log::warn!(
                event = "open_to_strangers", address:%;
                "whoever reaches {address} can read and change everything: no password is set (--protected-mode no)"
            );
            return;
        }
    }
    if node.takes_far_peers_unproven() {
        log::warn!(
            event = "open_to_nodes", address:%;
            "whoever reaches {address} can say that it is a node, and so read and change everything: clients have \
             to prove who they are, but nodes do not (--protected-mode no). Give all nodes one secret (kvstoreapp \
             secret, --cluster-secret-file) and --peer-tls=required"
        );
    }
}

/// The node as its data file has it.
fn recover(config: &Config, mut options: Options, started: Instant) -> Result<(Node, DataFile), String> {
    let began = Instant::now();
    let restore = Restore::new(random_numbers(), options.memory_bytes_max).freeing_by(memory::free);
    let mut opened = DataFile::open(&config.data_dir, config.id, restore)?;
    // It is there by now, so that its whole path can be told.
    let directory = config.data_dir.canonicalize().unwrap_or_else(|_| config.data_dir.clone());
    options.process.directory = directory.display().to_string();
    let [incarnation, chance] = random_numbers();
    let identity = Identity { node: config.id, incarnation: incarnation.max(1) };
    let cluster = Cluster { identity, members: members(&config.nodes), seed: incarnation };
    let mut node = Node::start(&mut opened, cluster, options, chance, || now(started))?;
    if let Some(users) = &config.users {
        if node.options().password.is_none() && default_user::is_missing(users) {
            log::warn!(
                event = "open_to_strangers";
                "{}", default_user::missing(&node.options().users_file).join(": ")
            );
        }
        node.set_users(users.clone());
    }
    let Opened { mut file, adopted, .. } = opened;
    let name = config.data_file();
    if let Some(rows) = adopted {
        log::info!(
            event = "original_imported", rows;
            "took over {rows} rows of the original KVStoreApp's {}", name.display()
        );
    }
    log::info!(
        event = "recovered", keys = node.store().keys();
        "data file {}: {} keys recovered in {:?}", name.display(), node.store().keys(), began.elapsed()
    );
    file.keep_reserve(config.disk_reserve_bytes);
    Ok((node, file))
}

/// The certificates that the options name, which are told what they say.
fn load_certificates(options: &mut Options) -> Result<Option<Loaded>, String> {
    let Some(tls) = &mut options.tls else { return Ok(None) };
    let loaded = files::load(tls)?;
    tls.certificate = loaded.certificate.clone();
    Ok(Some(loaded))
}

fn with_room_for_clients(mut options: Options, peers: usize) -> Result<Options, String> {
    let possible = process::raise_descriptor_limit(peers)?;
    if possible < options.clients_max {
        let wanted = options.clients_max;
        log::warn!(
            event = "clients_limited", possible, wanted;
            "at most {possible} clients instead of {wanted}: raise the open files limit (ulimit -n)"
        );
        options.clients_max = possible;
    }
    options.process.clients_possible = possible;
    Ok(options)
}

/// Unpredictable, so that strangers cannot choose keys that collide.
fn random_numbers<const COUNT: usize>() -> [u64; COUNT] {
    use std::hash::{BuildHasher, RandomState};
    std::array::from_fn(|number| RandomState::new().hash_one(number))
}
