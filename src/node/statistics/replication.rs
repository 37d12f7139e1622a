//! This node among others.

use super::row::{Statistic, counter, gauge, text};
use super::section::Section::Replication;
use crate::metrics::statistic::Shown::Plain;

pub(super) const STATISTICS: &[Statistic] = &[
    text("role", "Always `master`: every node takes writes.", |_| "master".into())
        .label("node", "role")
        .for_redis()
        .too(Replication),
    gauge("nodes", "Nodes in the config file, this one included.", |of| (of.replication().peers() + 1).into())
        .too(Replication),
    gauge("peers", "Other nodes in the config file.", |of| of.replication().peers().into())
        .for_redis()
        .too(Replication),
    gauge("peers_linked", "Nodes that there is a link with.", |of| of.replication().linked().into()).field(
        Replication,
        "connected_slaves",
        Plain,
    ),
    gauge("peers_differing", "Linked nodes whose config file or limits differ from this node's.", |of| {
        of.replication().differing().into()
    })
    .too(Replication),
    text("peer_tls", "Which links go over TLS and prove the cluster's secret: `off`, `accept` or `required`.", |of| {
        of.replication().peer_tls().name().into()
    })
    .label("node", "peer_tls")
    .too(Replication),
    gauge("peers_proven", "Links over TLS, with nodes that have proven the cluster's secret.", |of| {
        of.replication().proven().into()
    })
    .too(Replication),
    counter("peers_refused", "Connections that were refused as they did not prove the cluster's secret.", |of| {
        of.replication().strangers().into()
    })
    .too(Replication),
    counter(
        "conflicts_won",
        "Writes of this node, each with one of another node to the same key that is lost: neither writer had seen the other.",
        |of| of.replication().conflicts().won.into(),
    )
    .part_of("conflicts", "winner", "own")
    .too(Replication),
    counter(
        "conflicts_lost",
        "Writes of this node that one of another node took the place of whose writer had not said that it has them: \
         neither writer had seen the other, or it had only just.",
        |of| of.replication().conflicts().lost.into(),
    )
    .part_of("conflicts", "winner", "peer")
    .too(Replication),
    gauge("ready", "Whether the node has caught up with its peers.", |of| of.unready().is_none().into())
        .too(Replication),
    text("ready_reason", "Why the node is not ready.", |of| of.named(of.unready().map(ToString::to_string)))
        .too(Replication),
];
