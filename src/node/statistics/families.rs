//! What there is of each code of an error, of each command, and of each peer.

use super::row::{Read, Statistic};
use super::section::Family;
use super::section::Section::{Commandstats, Errorstats, Keyspace, Latencystats, Peers};
use super::sources::Sources;
use crate::metrics::statistic::Shown::{Plain, Thousandths};
use crate::metrics::statistic::{Kind, Value};

pub(super) const STATISTICS: &[Statistic] = &[
    Statistic::of(
        Kind::Counter,
        "errors",
        "Errors answered, by their code.",
        Read::Each(Family::Error, |of, code| of.errors()[code].1.into()),
    )
    .line("errors_{}")
    .part(Errorstats, "errorstat_{}", "count", Plain),
    command(Kind::Counter, "command_calls", "Calls of the command that ran.", |of, command| {
        of.commands()[command].calls.count.into()
    })
    .part(Commandstats, "cmdstat_{}", "calls", Plain),
    command(
        Kind::Counter,
        "command_us",
        "How long the calls of the command took: measured of commands that can take long, an estimate from one call of 64 of others.",
        |of, command| of.commands()[command].calls.us().into(),
    )
    .us()
    .part(Commandstats, "cmdstat_{}", "usec", Plain),
    command(Kind::Gauge, "command_us_per_call", "How long a call of the command took on average.", |of, command| {
        of.commands()[command].calls.us_per_call().into()
    }).named("command_mean")
    .us()
    .part(Commandstats, "cmdstat_{}", "usec_per_call", Plain),
    command(Kind::Counter, "command_rejected", "Calls of the command that were refused before they ran.", |of, command| {
        of.commands()[command].calls.rejected.into()
    })
    .part(Commandstats, "cmdstat_{}", "rejected_calls", Plain),
    command(Kind::Counter, "command_failed", "Calls of the command that ran and answered an error.", |of, command| {
        of.commands()[command].calls.failed.into()
    })
    .part(Commandstats, "cmdstat_{}", "failed_calls", Plain),
    command(Kind::Gauge, "command_us_p50", "How long half of the calls of the command that were timed took at most.", |of, command| {
        of.percentile(command, 500)
    })
    .us()
    .part(Latencystats, "latency_percentiles_usec_{}", "p50", Thousandths),
    command(Kind::Gauge, "command_us_p99", "How long 99 of 100 of the calls of the command that were timed took at most.", |of, command| {
        of.percentile(command, 990)
    })
    .us()
    .part(Latencystats, "latency_percentiles_usec_{}", "p99", Thousandths),
    command(Kind::Gauge, "command_us_p999", "How long 999 of 1,000 of the calls of the command that were timed took at most.", |of, command| {
        of.percentile(command, 999)
    })
    .us()
    .part(Latencystats, "latency_percentiles_usec_{}", "p99.9", Thousandths),
    peer(Kind::Text, "peer_address", "Where the peer is dialed.", |of, peer| of.peer(peer).address.as_str().into()).label("peer", "address")
        .line("peer_{}_address")
        .too(Peers),
    peer(Kind::Text, "peer_state", "How the peer is: `linked`, `catching up`, `dialing` or `waiting`.", |of, peer| {
        of.peer(peer).state.into()
    }).states("state", &["linked", "catching up", "dialing", "waiting"])
    .line("peer_{}_state")
    .too(Peers),
    peer(Kind::Gauge, "peer_since_ms", "How long the peer has been in that state.", |of, peer| {
        of.peer(peer).since_ms.into()
    })
    .line("peer_{}_since_ms")
    .ms()
    .too(Peers),
    peer(Kind::Text, "peer_agreement", "Whether the peer and this node have the same data.", |of, peer| {
        of.peer(peer).agreement.as_str().into()
    }).states("agreement", &["agrees", "behind", "this node is behind", "comparing", "DIVERGED", "unknown"])
    .line("peer_{}_agreement")
    .too(Peers),
    peer(Kind::Gauge, "peer_lag_changes", "Changes that the peer has not acknowledged.", |of, peer| {
        of.peer(peer).lag_changes.into()
    })
    .line("peer_{}_lag_changes")
    .too(Peers),
    peer(Kind::Gauge, "peer_lag_changes_durable", "Changes that the peer is not known to have on disk.", |of, peer| {
        of.known(of.peer(peer).lag_changes_durable)
    })
    .line("peer_{}_lag_changes_durable")
    .too(Peers),
    peer(
        Kind::Gauge,
        "peer_lag_ms",
        "How long the oldest change that the peer has not acknowledged has waited, or the last one took.",
        |of, peer| of.known(of.peer(peer).lag_ms),
    )
    .line("peer_{}_lag_ms")
    .ms()
    .too(Peers),
    peer(
        Kind::Gauge,
        "peer_lag_ms_durable",
        "How long the oldest change that is not known to be on the peer's disk has waited, or the last one took.",
        |of, peer| of.known(of.peer(peer).lag_ms_durable),
    )
    .line("peer_{}_lag_ms_durable")
    .ms()
    .too(Peers),
    peer(Kind::Gauge, "peer_up", "Whether there is a link with the peer.", |of, peer| {
        matches!(of.peer(peer).state, "linked" | "catching up").into()
    }),
    peer(
        Kind::Gauge,
        "peer_clock_skew_ms",
        "What the peer's wall clock was ahead by when it last said so, less the time that this took to come here.",
        |of, peer| of.known(of.peer(peer).skew_ms),
    )
    .line("peer_{}_clock_skew_ms")
    .ms()
    .too(Peers),
    peer(Kind::Counter, "peer_bytes_in", "Bytes that came over links with the peer.", |of, peer| {
        of.peer(peer).bytes_in.into()
    })
    .line("peer_{}_bytes_in")
    .bytes()
    .part_of("peer_network", "direction", "in")
    .too(Peers),
    peer(Kind::Counter, "peer_bytes_out", "Bytes that went over links with the peer.", |of, peer| {
        of.peer(peer).bytes_out.into()
    })
    .line("peer_{}_bytes_out")
    .bytes()
    .part_of("peer_network", "direction", "out")
    .too(Peers),
    peer(Kind::Counter, "peer_losses", "Links with the peer that were lost.", |of, peer| {
        of.peer(peer).losses.into()
    })
    .line("peer_{}_losses")
    .too(Peers),
    peer(Kind::Text, "peer_difference", "In what the peer's config file or limits differ.", |of, peer| {
        of.named(of.peer(peer).difference.as_deref())
    })
    .line("peer_{}_difference")
    .too(Peers),
    peer(Kind::Counter, "peer_retries", "Dials of the peer that did not become a link.", |of, peer| {
        of.peer(peer).retries.into()
    })
    .line("peer_{}_retries")
    .too(Peers),
    peer(Kind::Text, "peer_error", "Why there is no link with the peer.", |of, peer| {
        of.named(of.peer(peer).error.as_deref())
    })
    .line("peer_{}_error")
    .too(Peers),
    database("database_keys", "Keys of the database with a value.", "keys", |of, place| {
        of.store().keys_in(of.database(place)).into()
    }),
    database("database_keys_expiring", "Keys of the database that expire.", "expires", |of, place| {
        of.store().expiring_in(of.database(place)).into()
    }),
    database(
        "database_keys_ttl_ms",
        "The time that expiring keys of the database have left on average: not counted, always 0.",
        "avg_ttl",
        |_, _| Value::Count(0),
    )
    .named("database_keys_ttl_mean")
    .ms(),
];

const fn database(
    name: &'static str,
    help: &'static str,
    part: &'static str,
    read: for<'a> fn(&'a Sources<'a>, usize) -> Value<'a>,
) -> Statistic {
    Statistic::of(Kind::Gauge, name, help, Read::Each(Family::Database, read)).part(Keyspace, "{}", part, Plain)
}

const fn command(
    kind: Kind,
    name: &'static str,
    help: &'static str,
    read: for<'a> fn(&'a Sources<'a>, usize) -> Value<'a>,
) -> Statistic {
    Statistic::of(kind, name, help, Read::Each(Family::Command, read))
}

const fn peer(
    kind: Kind,
    name: &'static str,
    help: &'static str,
    read: for<'a> fn(&'a Sources<'a>, usize) -> Value<'a>,
) -> Statistic {
    Statistic::of(kind, name, help, Read::Each(Family::Peer, read))
}
