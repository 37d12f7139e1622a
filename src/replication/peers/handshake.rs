//! Who may become a link: hellos, and what is wrong with them.

use super::Peers;
use crate::replication::limits::Limits;
use crate::replication::wire::{Hello, VERSION_WITH_DATABASES};
use crate::store::{Clock, NodeId, Now, Store};

/// What a refusal says because of a version: nodes of version 3 say it in words alone.
pub(in crate::replication) const SPEAKS: &str = "it speaks version";

/// What a refusal says of a node that knows no databases.
pub(in crate::replication) const ONE_DATABASE: &str = "knows database 0 alone";

/// Why there can be no link to a node of this version: what is in other databases it would take for keys of database 0.
pub(in crate::replication) fn check_databases(
    id: NodeId,
    version: u16,
    own: NodeId,
    store: &Store,
) -> Result<(), String> {
    if version >= VERSION_WITH_DATABASES || !store.holds_other_databases() {
        return Ok(());
    }
    Err(format!(
        "node {id} is of a version that {ONE_DATABASE}, and node {own} holds keys of others; upgrade node {id}"
    ))
}

/// Why there is no link.
pub(in crate::replication) enum Refused {
    /// Another link of the same two processes stays.
    Duplicate,
    /// Something has to be mended first.
    Mismatch(String),
}

/// Whether a hello fits this node, the `own` incarnation of it. `dialed` is the peer that this node meant to reach.
pub(in crate::replication) fn check(
    hello: &Hello,
    dialed: Option<NodeId>,
    own: NodeId,
    own_incarnation: u64,
    peers: &Peers,
    limits: Limits,
    now: Now,
) -> Result<(), Refused> {
    let id = hello.node;
    let members = peers.members();
    let mismatch = |why: String| Err(Refused::Mismatch(why));
    if hello.incarnation == own_incarnation {
        let address = dialed.or(Some(hello.to)).and_then(|id| members.get(usize::from(id)));
        let address = address.map_or("its address", String::as_str);
        return mismatch(format!("{address} leads to node {own} itself; check the config file"));
    }
    if let Some(meant) = dialed.filter(|&meant| meant != id) {
        let address = &members[usize::from(meant)];
        return mismatch(format!("node {id} answers at {address}, which is node {meant}'s address"));
    }
    if hello.to != own {
        return mismatch(format!("it looks for node {} at this address, but this is node {own}", hello.to));
    }
    if id == own {
        return mismatch(format!("two processes run as node {own}"));
    }
    for (place, (here, there)) in members.iter().zip(&hello.members).enumerate() {
        if !here.is_empty() && !there.is_empty() && here != there {
            return mismatch(format!(
                "the config files differ: node {place} is {here} at node {own}, and {there} at node {id}"
            ));
        }
    }
    let Some(peer) = peers.get(id) else {
        return mismatch(format!("node {id} is not in the config file of node {own}"));
    };
    // Whoever has seen a stamp has a clock past it; one who only says so would push this clock ahead for good.
    let clock = hello.clock.max(hello.seen);
    if limits.is_ahead(clock, now) {
        let ahead_s = Clock::unix_ms(clock).saturating_sub(now.unix_ms) / 1000;
        return mismatch(format!(
            "the clock of node {id} is {ahead_s} s ahead of that of node {own} (its last write, or the time there); \
             set both clocks right"
        ));
    }
    let Some(linked) = peer.linked() else { return Ok(()) };
    if linked.outbound.incarnation() != hello.incarnation {
        let alive = linked.liveness.is_alive(now.monotonic_us);
        return if alive { mismatch(format!("another process runs as node {id}")) } else { Ok(()) };
    }
    // Of two links of the same processes the one dialed by the lower id stays; the side that accepts decides.
    if dialed.is_none() && linked.is_dialed() && own < id { Err(Refused::Duplicate) } else { Ok(()) }
}
