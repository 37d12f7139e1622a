//! The process, and who is connected to it.

use super::row::{Statistic, counter, gauge, text};
use super::section::Section::{Clients, Cluster, Cpu, Server};
use crate::metrics::statistic::Shown::{Plain, Seconds, Whole};
use crate::metrics::statistic::Value;
use crate::node::commands::REDIS_VERSION;

const SECONDS_PER_DAY: u64 = 86_400;

/// What this is.
pub(super) const IDENTITY: &[Statistic] = &[
    text("redis_version", "The Redis whose commands and answers these are.", |_| REDIS_VERSION.into())
        .label("build", "redis_version")
        .for_redis()
        .too(Server),
    text(
        "redis_git_sha1",
        "Zeros, as Redis writes them where it does not know: none of its source is in here.",
        |_| "00000000".into(),
    )
    .for_redis()
    .too(Server),
    text("redis_git_dirty", "Always 0, as Redis writes it where it does not know.", |_| "0".into())
        .for_redis()
        .too(Server),
    text("version", "The version of kvstoreapp.", |_| env!("CARGO_PKG_VERSION").into())
        .label("build", "version")
        .field(Server, "kvstoreapp_version", Plain),
    text("build", "The commit that it is of, and its date.", |_| env!("KVSTOREAPP_BUILD").into())
        .label("build", "build")
        .field(Server, "kvstoreapp_build", Plain),
    gauge("id", "This node's place in the config file.", |of| Value::Count(of.clock().node().into()))
        .named("node_id")
        .field(Server, "node_id", Plain),
];

/// The process and its clients.
pub(super) const STATISTICS: &[Statistic] = &[
    text("redis_mode", "Always `standalone`: not Redis Cluster, and no sentinel.", |_| "standalone".into())
        .for_redis()
        .too(Server),
    text("os", "The operating system, its version, and the processor's kind.", |of| {
        of.options().process.system.as_str().into()
    })
    .label("node", "os")
    .too(Server),
    gauge("arch_bits", "Bits of an address.", |_| Value::Count(usize::BITS.into()))
        .named("architecture")
        .for_redis()
        .too(Server),
    text("multiplexing_api", "What waits for sockets: the library that uses the system's way.", |_| "mio".into())
        .for_redis()
        .too(Server),
    gauge("process_id", "The process's number.", |of| Value::Count(of.options().process.id.into())).too(Server),
    text("run_id", "160 random bits, others after each start.", |of| of.options().process.run_id.as_str().into())
        .label("node", "run_id")
        .too(Server),
    gauge("port", "The port that is listened on.", |of| Value::Count(of.options().process.port.into()))
        .field(Server, "tcp_port", Plain),
    gauge("server_time_usec", "The wall clock as of the tick, in microseconds.", |of| {
        Value::Count(of.now().unix_ms * 1_000)
    })
    .named("time")
    .us()
    .for_redis()
    .too(Server),
    gauge("uptime_s", "Time since the start.", |of| Value::Count(of.uptime_us() / 1_000_000))
        .seconds()
        .field(Server, "uptime_in_seconds", Plain)
        .field(Server, "uptime_in_days", Whole(SECONDS_PER_DAY)),
    gauge("started_unix_ms", "When the node began, its data read.", |of| of.started_unix_ms().into())
        .ms()
        .of_process("start_time")
        .too(Server),
    gauge("files", "Files and sockets that are open.", |of| of.known(of.usage().and_then(|usage| usage.files)))
        .of_process("open_fds")
        .too(Server),
    gauge("files_max", "Files and sockets that may be open at once (`ulimit -n`).", |of| {
        of.known(of.usage().and_then(|usage| usage.files_max))
    })
    .of_process("max_fds")
    .too(Server),
    counter("cpu_us", "Processor time of all threads.", |of| {
        of.known(of.usage().map(|usage| usage.process.user_us + usage.process.system_us))
    })
    .us()
    .of_process("cpu")
    .for_machines(),
    counter("cpu_system_us", "Processor time of all threads within the system.", |of| {
        of.known(of.usage().map(|usage| usage.process.system_us))
    })
    .part_of("cpu", "mode", "system")
    .us()
    .field(Cpu, "used_cpu_sys", Seconds),
    counter("cpu_user_us", "Processor time of all threads outside the system.", |of| {
        of.known(of.usage().map(|usage| usage.process.user_us))
    })
    .part_of("cpu", "mode", "user")
    .us()
    .field(Cpu, "used_cpu_user", Seconds),
    counter("cpu_children_us", "Processor time of child processes: there are none.", |_| Value::Count(0))
        .us()
        .for_redis()
        .field(Cpu, "used_cpu_sys_children", Seconds)
        .field(Cpu, "used_cpu_user_children", Seconds),
    counter("cpu_loop_system_us", "Processor time of the loop's thread within the system.", |of| {
        of.known(of.usage().map(|usage| usage.thread.system_us))
    })
    .part_of("cpu_loop", "mode", "system")
    .us()
    .field(Cpu, "used_cpu_sys_main_thread", Seconds),
    counter("cpu_loop_user_us", "Processor time of the loop's thread outside the system.", |of| {
        of.known(of.usage().map(|usage| usage.thread.user_us))
    })
    .part_of("cpu_loop", "mode", "user")
    .us()
    .field(Cpu, "used_cpu_user_main_thread", Seconds),
    gauge("clients", "Clients connected.", |of| of.clients().into()).field(Clients, "connected_clients", Plain),
    gauge("clients_max", "Clients connected at most (`--max-clients`).", |of| of.options().clients_max.into()).field(
        Clients,
        "maxclients",
        Plain,
    ),
    gauge(
        "clients_blocked",
        "Clients whose request waits: for peers, a time, the end of a pause, or the snapshot.",
        |of| of.clients_blocked().into(),
    )
    .field(Clients, "blocked_clients", Plain),
    counter("clients_accepted", "Clients accepted.", |of| of.metrics().clients_accepted.into())
        .part_of("connections", "result", "accepted")
        .field(super::Section::Stats, "total_connections_received", Plain),
    counter("clients_refused", "Clients turned away because `clients_max` were connected.", |of| {
        of.metrics().clients_refused.into()
    })
    .part_of("connections", "result", "too_many")
    .field(super::Section::Stats, "rejected_connections", Plain),
    counter("clients_closed_idle", "Clients closed because nothing came from them for `--idle-timeout-s`.", |of| {
        of.metrics().idle_closed.into()
    })
    .part_of("connections_closed", "reason", "idle")
    .too(Clients),
    counter("clients_closed_http", "Connections closed because they spoke HTTP.", |of| of.metrics().http_closed.into())
        .part_of("connections_closed", "reason", "http")
        .too(Clients),
    counter("denied_commands", "Requests whose command was not for the client's user.", |of| {
        of.metrics().denied[0].into()
    })
    .part_of("denied", "what", "command")
    .field(super::Section::Stats, "acl_access_denied_cmd", Plain),
    counter("denied_keys", "Requests that named a key that was not for the client's user.", |of| {
        of.metrics().denied[1].into()
    })
    .part_of("denied", "what", "key")
    .field(super::Section::Stats, "acl_access_denied_key", Plain),
    counter("denied_channels", "Requests that named a channel that was not for the client's user.", |of| {
        of.metrics().denied[2].into()
    })
    .part_of("denied", "what", "channel")
    .field(super::Section::Stats, "acl_access_denied_channel", Plain),
    counter("denied_passwords", "Passwords that were wrong, or of a user that there is not.", |of| {
        of.metrics().denied[3].into()
    })
    .named("authentication_failures")
    .field(super::Section::Stats, "acl_access_denied_auth", Plain),
    gauge("clients_unauthenticated", "Clients that have to authenticate, or are about to be turned away.", |of| {
        of.clients_unauthenticated().into()
    })
    .too(Clients),
    counter(
        "clients_closed_unauthenticated",
        "Clients closed because they did not authenticate within 60 s, or were the oldest of too many.",
        |of| of.metrics().clients_closed_unauthenticated.into(),
    )
    .part_of("connections_closed", "reason", "unauthenticated")
    .too(Clients),
    counter("clients_denied", "Clients of other machines turned away by protected mode.", |of| {
        of.metrics().clients_denied.into()
    })
    .part_of("connections_closed", "reason", "denied")
    .too(Clients),
    gauge("client_buffer_bytes_longest", "The most memory that one client's requests and answers ever took.", |of| {
        of.session_bytes_max().into()
    })
    .bytes()
    .field(Clients, "client_recent_max_input_buffer", Plain),
    gauge("pubsub_clients", "Clients that listen to channels.", |of| of.pubsub().listeners().into())
        .for_redis()
        .too(Clients),
    text("cluster_enabled", "Always 0: this is not Redis Cluster.", |_| "0".into()).for_redis().too(Cluster),
];
