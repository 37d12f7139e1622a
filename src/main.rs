//! From the command line to a running server, and the only exit code.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kvstoreapp::allocator::Allocator;
use kvstoreapp::config::{Config, Stop, members};
use kvstoreapp::logging;
use kvstoreapp::node::saving::Saver;
use kvstoreapp::node::{Cluster, Node, Options};
use kvstoreapp::replication::Identity;
use kvstoreapp::server::{Server, listen, memory, now, process, signals};
use kvstoreapp::snapshot::file::DataFile;
use kvstoreapp::snapshot::opening::Opened;
use kvstoreapp::store::Restore;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    ALLOCATOR.start(|| signal_hook::low_level::exit(1));
    let may_run = signals::hold().map_err(|error| format!("cannot hold signals: {error}"));
    if let Err(mistake) = may_run.and_then(|()| process::check_memory_limits()) {
        return complain(&mistake, 1);
    }
    match Config::load(std::env::args_os().skip(1)) {
        Ok(config) => match run(config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(mistake) => complain(&mistake, 1),
        },
        Err(Stop::Answer(answer)) => {
            say(answer.trim_end());
            ExitCode::SUCCESS
        }
        Err(Stop::Mistake(mistake)) => complain(&mistake, 2),
    }
}

/// To whoever asked; it does not matter whether they read all of it.
fn say(answer: &str) {
    let _ = writeln!(std::io::stdout(), "{answer}");
}

/// One line, whatever the mistake quotes.
fn complain(mistake: &str, code: u8) -> ExitCode {
    let visible = |char: char| if char.is_control() { char.escape_default().collect() } else { char.to_string() };
    let _ = writeln!(std::io::stderr(), "kvstoreapp: {}", mistake.chars().map(visible).collect::<String>());
    ExitCode::from(code)
}

fn run(config: Config) -> Result<(), String> {
    let started = Instant::now();
    if config.check_only {
        say(&format!("valid: node {} of {}, data in {}", config.id, config.nodes.len(), config.data_file().display()));
        return Ok(());
    }
    if let Some(core) = config.cpu {
        process::keep_off(core)?;
    }
    let listener = listen(&config.listen)?;
    let log = logging::start(config.log_level)
        .map_err(|error| format!("cannot start the log's thread: {}", process::explain(&error)))?;
    let verdict = serve(config, listener, started);
    if verdict.is_ok() {
        log::info!("all is saved; goodbye");
    }
    log.flush();
    verdict
}

fn serve(config: Config, listener: mio::net::TcpListener, started: Instant) -> Result<(), String> {
    let address = listener.local_addr().map_err(|error| format!("cannot tell the own address: {error}"))?;
    log::info!("kvstoreapp {}, node {} of {}", env!("CARGO_PKG_VERSION"), config.id, config.nodes.len());
    let mut options = with_room_for_clients(config.options.clone())?;
    (options.process.address, options.process.port) = (address.ip().to_string(), address.port());
    process::describe(&mut options.process, random_numbers());
    let (node, file) = recover(&config, options.clone(), started)?;
    log::info!("durability {}, a snapshot every {} ms", options.durability, options.snapshot_interval_ms);
    let system = |error: std::io::Error| format!("cannot start: {}", process::explain(&error));
    let mut server = Server::new(listener, node, file, config.file.clone(), started).map_err(system)?;
    server.busy_poll(config.busy_poll);
    if let Some(core) = config.cpu {
        process::pin_to(core)?;
    }
    log::info!("listening on {address}");
    server.run()
}

fn recover(config: &Config, mut options: Options, started: Instant) -> Result<(Node, DataFile), String> {
    let restore = Restore::new(random_numbers(), options.memory_bytes_max).freeing_by(memory::free);
    let began = Instant::now();
    let Opened { mut file, restore, checkpoint, adopted } = DataFile::open(&config.data_dir, config.id, restore)?;
    let unix_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    if unix_ns > UNIX_NS_MAX {
        return Err("the system's clock is after the year 2100: set it right and start again".to_owned());
    }
    // Positions are never reused, also where an old copy of the file was put back: the clock has gone on since.
    // It is there by now, so that its whole path can be told.
    let directory = config.data_dir.canonicalize().unwrap_or_else(|_| config.data_dir.clone());
    options.process.directory = directory.display().to_string();
    let store = file.finish(restore, checkpoint.position_ceiling.max(unix_ns).max(1))?;
    let name = config.data_file();
    if let Some(rows) = adopted {
        log::info!("took over {rows} rows of the original KVStoreApp's {}", name.display());
    }
    log::info!("data file {}: {} keys recovered in {:?}", name.display(), store.keys(), began.elapsed());

    let now = now(started);
    let [life, chance] = random_numbers();
    let identity = Identity { node: config.id, incarnation: life };
    let cluster = Cluster { identity, members: members(&config.nodes), seed: life };
    let clock = cluster.clock(checkpoint.clock_ceiling, now.unix_ms, chance);
    let interval_ms = options.snapshot_interval_ms;
    let position = store.last_position();
    let mut recorded = checkpoint.recorded;
    recorded.begin_incarnation(life, position);
    let reserved = Saver::checkpoint(position, position + 1, &clock, interval_ms, now.unix_ms, recorded);
    file.record(&reserved)?;
    file.keep_reserve(config.disk_reserve_bytes);
    Ok((Node::new(store, clock, reserved, cluster, options, now), file))
}

/// The year 2100: what is recorded of a clock that is wrong by so much would be refused once it is right.
const UNIX_NS_MAX: u64 = 4_102_444_800 * 1_000_000_000;

fn with_room_for_clients(mut options: Options) -> Result<Options, String> {
    let possible = process::raise_descriptor_limit()?;
    if possible < options.clients_max {
        let wanted = options.clients_max;
        log::warn!("at most {possible} clients instead of {wanted}: raise the open files limit (ulimit -n)");
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
