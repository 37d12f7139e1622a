//! What can be wrong with a cluster: the table, in the order of severity, and what to do about each.
//!
//! A row looks at all that is known and says what it finds, each thing once. Who is asked for advice at three in the
//! morning wants a command and no essay.

use super::known::Known;
use super::problem::{Level, Problem};
use super::report::{NodeStatus, PeerRow};
use super::words::{count, counted, time};

/// A linked peer that is further behind is more than busy.
const LAG_MS_MAX: u64 = 60_000;
/// A turn of the loop that long was felt by everybody.
const TICK_US_MAX: u64 = 100_000;
/// Snapshots that are so many intervals late do not keep up.
const INTERVALS_MAX: u64 = 5;
/// ... and so much time, however short the interval.
const UNSAVED_MS_MIN: u64 = 10_000;

/// What a row finds.
type Row = fn(&[Known], &mut Vec<Problem>);

/// The worst first.
const TABLE: [Row; 14] = [
    diverged,
    disk_fails,
    refused,
    away,
    memory_is_full,
    not_ready,
    ending,
    cut_off,
    silent,
    clocks_differ,
    far_behind,
    snapshots_are_late,
    configurations_differ,
    long_ticks,
];

/// All that is wrong, the worst first.
pub(super) fn of(nodes: &[Known]) -> Vec<Problem> {
    let mut found = Vec::new();
    TABLE.iter().for_each(|row| row(nodes, &mut found));
    // In the order of the table among those that are as bad.
    found.sort_by_key(|problem| std::cmp::Reverse(problem.level));
    found
}

fn diverged(nodes: &[Known], found: &mut Vec<Problem>) {
    for (one, other, ()) in pairs(nodes, |_, row| row.has_diverged().then_some(())) {
        found.push(bad(
            format!("nodes {one} and {other} have DIVERGED: their data differ although nothing is under way"),
            "Both send each other everything again: it should end within a minute. If it does not, keep both logs and \
             data directories and report it: it is a mistake of this program."
                .to_owned(),
        ));
    }
}

fn disk_fails(nodes: &[Known], found: &mut Vec<Problem>) {
    for status in fresh(nodes) {
        let Some(error) = &status.disk_error else { continue };
        let cost = match status.unsaved_ms {
            0 => String::new(),
            ms => format!("; the last {} are in its memory alone", time(ms)),
        };
        found.push(bad(
            format!("node {} cannot save: {error}{cost}", status.id),
            format!(
                "Make room on the disk of node {}, or mend it or its permissions (df -h; the log says which file). It \
                 tries again by itself. Do not stop the node before.",
                status.id
            ),
        ));
    }
}

fn refused(nodes: &[Known], found: &mut Vec<Problem>) {
    for (one, other, error) in pairs(nodes, |_, row| reason(row).filter(|_| row.refused)) {
        found.push(bad(
            format!("nodes {one} and {other} refuse each other: {error}"),
            "Mend what the reason names: both nodes need the same config file and cluster secret, versions that \
             understand each other, and clocks that are right. Then send SIGHUP to both (kill -HUP <pid>)."
                .to_owned(),
        ));
    }
}

fn away(nodes: &[Known], found: &mut Vec<Problem>) {
    for node in nodes.iter().filter(|node| is_away(nodes, node)) {
        let rows = fresh(nodes).filter_map(|status| status.peer(node.id));
        // Whoever lost it last knows best since when, and why.
        let Some(row) = rows.min_by_key(|row| row.since_ms) else { continue };
        if row.refused {
            continue;
        }
        let why = row.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        found.push(bad(
            format!("node {} ({}) is away for {}{why}", node.id, node.address, time(row.since_ms)),
            format!(
                "See whether it runs and can be reached, then start it with its own flags (kvstoreapp --id {}, or \
                 scripts/cluster.sh start). It catches up by itself; its log says why it ended.",
                node.id
            ),
        ));
    }
}

fn memory_is_full(nodes: &[Known], found: &mut Vec<Problem>) {
    for NodeStatus { id, memory_bytes, memory_bytes_max, .. } in fresh(nodes) {
        let advice = format!(
            "Delete keys or give them an expiry, or allow more: CONFIG SET maxmemory <bytes> on every node, and \
             --max-memory for its next start (it has {} of {} bytes).",
            count(*memory_bytes),
            count(*memory_bytes_max)
        );
        if *memory_bytes_max == 0 {
            continue;
        } else if memory_bytes >= memory_bytes_max {
            found.push(bad(format!("node {id} has all the memory that it may have: it refuses writes"), advice));
        } else if *memory_bytes as u128 * 10 >= *memory_bytes_max as u128 * 9 {
            let percent = *memory_bytes as u128 * 100 / *memory_bytes_max as u128;
            found.push(warn(format!("node {id} has {percent} % of the memory that it may have"), advice));
        }
    }
}

fn not_ready(nodes: &[Known], found: &mut Vec<Problem>) {
    for status in fresh(nodes).filter(|status| !status.ready && !status.ending) {
        let why = status.unready_why.as_deref().unwrap_or("it does not say why");
        found.push(warn(
            format!("node {} is not ready: {why}", status.id),
            "Send it no clients until it is (GET /readyz, HEALTH READY). It takes what it lacks by itself.".to_owned(),
        ));
    }
}

fn ending(nodes: &[Known], found: &mut Vec<Problem>) {
    for status in fresh(nodes).filter(|status| status.ending) {
        found.push(warn(
            format!("node {} is shutting down", status.id),
            "Nothing, where somebody stopped it: it saves, and its clients go to the others.".to_owned(),
        ));
    }
}

/// Nodes that both run and are not linked.
fn cut_off(nodes: &[Known], found: &mut Vec<Problem>) {
    let runs = |id: u16| nodes.iter().find(|node| node.id == id).is_some_and(|node| !is_away(nodes, node));
    for (one, other, error) in pairs(nodes, |_, row| reason(row).filter(|_| !row.refused)) {
        if runs(one) && runs(other) {
            found.push(warn(
                format!("nodes {one} and {other} have no link: {error}"),
                format!(
                    "Other nodes carry their changes meanwhile. See whether the network lets nodes {one} and {other} \
                     reach each other's addresses: one direction is enough."
                ),
            ));
        }
    }
}

/// Nodes that are linked, could say how they are, and do not.
fn silent(nodes: &[Known], found: &mut Vec<Problem>) {
    for node in nodes.iter().filter(|node| node.fresh().is_none() && !is_away(nodes, node)) {
        let Some(age_ms) = node.age_ms else { continue };
        found.push(warn(
            format!("node {} is linked and has not said for {} how it is", node.id, time(age_ms)),
            format!("Ask it itself: kvstoreapp check --id {}; its log says whether its loop is held up.", node.id),
        ));
    }
}

fn clocks_differ(nodes: &[Known], found: &mut Vec<Problem>) {
    let apart = |status: &NodeStatus, row: &PeerRow| {
        let (skew_ms, max_ms) = (row.skew_ms?.unsigned_abs(), status.clock_drift_ms_max);
        (row.is_linked() && max_ms > 0 && skew_ms * 2 >= max_ms).then(|| (time(skew_ms), time(max_ms)))
    };
    for (one, other, (skew, max)) in pairs(nodes, apart) {
        found.push(warn(
            format!("the clocks of nodes {one} and {other} are {skew} apart; at {max} they refuse each other"),
            "Set both clocks right (timedatectl, chronyc tracking) and keep them so: of two writes to a key the one \
             with the later clock stays."
                .to_owned(),
        ));
    }
}

fn far_behind(nodes: &[Known], found: &mut Vec<Problem>) {
    for status in fresh(nodes) {
        for row in status.peers.iter().filter(|row| row.is_linked() && row.lag_ms.unwrap_or(0) >= LAG_MS_MAX) {
            let (changes, lag) = (counted(row.lag_changes, "change"), time(row.lag_ms.unwrap_or(0)));
            found.push(warn(
                format!("node {} is behind node {} by {changes} and {lag}", row.id, status.id),
                format!("See whether the network or the processor of node {} is the limit.", row.id),
            ));
        }
    }
}

fn snapshots_are_late(nodes: &[Known], found: &mut Vec<Problem>) {
    for status in fresh(nodes).filter(|status| status.disk_error.is_none()) {
        let limit_ms = (status.snapshot_interval_ms * INTERVALS_MAX).max(UNSAVED_MS_MIN);
        if status.unsaved_ms > limit_ms {
            found.push(warn(
                format!(
                    "node {} has not saved the last {}: its disk does not keep up",
                    status.id,
                    time(status.unsaved_ms)
                ),
                format!("See what else uses the disk of node {} (iostat -x 1), or give it a faster one.", status.id),
            ));
        }
    }
}

fn configurations_differ(nodes: &[Known], found: &mut Vec<Problem>) {
    for (one, other, difference) in pairs(nodes, |_, row| row.difference.clone().filter(|_| row.is_linked())) {
        found.push(warn(
            format!("nodes {one} and {other} are configured differently: {difference}"),
            "Make the config files and --max-memory the same, and send SIGHUP to both (kill -HUP <pid>).".to_owned(),
        ));
    }
}

fn long_ticks(nodes: &[Known], found: &mut Vec<Problem>) {
    for status in fresh(nodes).filter(|status| status.longest_tick_recent_us >= TICK_US_MAX) {
        let ms = status.longest_tick_recent_us / 1_000;
        found.push(warn(
            format!(
                "the loop of node {} took {ms} ms for one turn in the last minute: all its clients waited",
                status.id
            ),
            "GET /v1/ticks says what it was spent on, SLOWLOG GET 10 TICK which requests were in it.".to_owned(),
        ));
    }
}

fn bad(text: String, advice: String) -> Problem {
    Problem { level: Level::Bad, text, advice }
}

fn warn(text: String, advice: String) -> Problem {
    Problem { level: Level::Warn, text, advice }
}

fn fresh(nodes: &[Known]) -> impl Iterator<Item = &NodeStatus> + Clone {
    nodes.iter().filter_map(Known::fresh)
}

/// Whether nobody hears of a node: it does not say how it is, and no other is linked with it.
fn is_away(nodes: &[Known], node: &Known) -> bool {
    let is_linked = |status: &NodeStatus| status.peer(node.id).is_some_and(PeerRow::is_linked);
    !node.is_heard() && !fresh(nodes).any(is_linked)
}

/// The pairs of nodes of which one says something of the other: each once, with what was said first.
fn pairs<T>(nodes: &[Known], said: impl Fn(&NodeStatus, &PeerRow) -> Option<T>) -> Vec<(u16, u16, T)> {
    let mut found: Vec<(u16, u16, T)> = Vec::new();
    for status in fresh(nodes) {
        for row in &status.peers {
            let (one, other) = (status.id.min(row.id), status.id.max(row.id));
            if found.iter().all(|(first, second, _)| (*first, *second) != (one, other)) {
                found.extend(said(status, row).map(|said| (one, other, said)));
            }
        }
    }
    found
}

/// Why there is no link, where there is none.
fn reason(row: &PeerRow) -> Option<String> {
    let error = || row.error.clone().unwrap_or_else(|| "no reason is known yet".to_owned());
    (!row.is_linked()).then(error)
}

#[cfg(test)]
pub(super) mod tests;
