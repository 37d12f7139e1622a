//! How the node is, as a machine asks: whether it lives, whether clients may be sent to it, whether all nodes agree.

use std::fmt;

use super::commands::context::Context;
use super::{Node, Now, Process};
use crate::status::count;

/// Longest time that a change may have been on its way to a peer that counts as having it: links answer within
/// milliseconds, and one that does not is in trouble.
const LAG_MS_MAX: u64 = 1_000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether it answers.
    Live,
    /// Whether clients may be sent to it.
    Ready,
    /// Whether all nodes have the same, too: before the next one is restarted.
    Strict,
}

/// One of the things that have to be so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) name: String,
    pub(super) is_met: bool,
    /// How it is.
    pub(super) says: String,
}

impl Question {
    /// What is answered where all is so.
    pub(super) fn met(self) -> &'static str {
        match self {
            Question::Live => "live",
            Question::Ready => "ready",
            Question::Strict => "ready, and all nodes agree",
        }
    }

    /// What is answered, before why, where something is not.
    pub(super) fn unmet(self) -> &'static str {
        match self {
            Question::Live => "not live",
            Question::Ready | Question::Strict => "not ready",
        }
    }
}

impl Condition {
    fn new(name: &str, is_met: bool, says: impl Into<String>) -> Condition {
        Condition { name: name.to_owned(), is_met, says: says.into() }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_met { "ok " } else { "NOT" };
        write!(out, "{mark} {}: {}", self.name, self.says)
    }
}

/// What has to be so for that, and is or is not. O(1), with [`Question::Strict`] O(peers and segments of the change
/// list).
pub(super) fn conditions(cx: &mut Context<'_>, question: Question) -> Vec<Condition> {
    let mut all = vec![Condition::new("loop", true, "it answers")];
    if question == Question::Live {
        return all;
    }
    all.push(Condition::new("recovery", true, "the data file is read"));
    let ending = if *cx.is_shutting_down { "the node is shutting down" } else { "no end was asked for" };
    all.push(Condition::new("running", !*cx.is_shutting_down, ending));
    let now = cx.now;
    let unready = cx.keys.replica().replication().unready(now.monotonic_us);
    cx.readiness.note(unready.as_ref(), cx.settings.options.ready_after_s, now);
    let peers = match (&unready, cx.readiness.has_been()) {
        (None, _) => "caught up with every node that could be reached".to_owned(),
        (Some(why), true) => format!("the node was found ready; at the moment: {why}"),
        (Some(why), false) => why.to_string(),
    };
    all.push(Condition::new("peers", cx.readiness.has_been(), peers));
    if question == Question::Strict {
        let replica = cx.keys.replica();
        for peer in replica.replication().status(replica.store(), now.monotonic_us) {
            let is_linked = peer.state == "linked";
            let says = if is_linked { format!("it {}", told(&peer.agreement)) } else { peer.state.to_owned() };
            let is_met = is_linked && is_as_this_one(&peer.agreement, peer.lag_ms);
            all.push(Condition::new(&format!("node {}", peer.id), is_met, says));
        }
        if let (Some(why), true) = (&unready, cx.readiness.has_been()) {
            all.push(Condition::new("links", false, why.to_string()));
        }
    }
    all
}

impl Node {
    /// How it is, in a line. O(peers and segments of the change list).
    pub fn at_a_glance(&self, now: Now) -> String {
        let Process { address, port, .. } = &self.options().process;
        let brackets = if address.contains(':') { ["[", "]"] } else { ["", ""] };
        let readiness = match self.unready(now) {
            Some(why) if !self.readiness.has_been() => format!("not ready, {why}"),
            Some(_) | None => "ready".to_owned(),
        };
        let peers = self.peers(now);
        let linked = peers.iter().filter(|peer| peer.state == "linked").count();
        format!(
            "node {} at {}{address}{}:{port}: {readiness}; {linked} of {} other nodes linked, {} keys, {} clients",
            self.keys.replica().clock().node(),
            brackets[0],
            brackets[1],
            peers.len(),
            count(self.store().keys() as u64),
            self.sessions.len(),
        )
    }
}

/// Whether a linked peer has the same as this node, or, while clients write, all but what is on its way: digests are
/// compared once nobody has written for a moment, which may never be.
fn is_as_this_one(agreement: &str, lag_ms: Option<u64>) -> bool {
    match agreement {
        "agrees" => true,
        "DIVERGED" | "unknown" => false,
        _ => lag_ms.is_some_and(|lag_ms| lag_ms <= LAG_MS_MAX),
    }
}

fn told(agreement: &str) -> String {
    match agreement {
        "agrees" => "agrees".to_owned(),
        other => format!("does not agree: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_keeps_up_with_writers_is_as_this_node_and_one_that_does_not_is_not() {
        for (agreement, lag_ms, expected) in [
            ("agrees", Some(9_000), true),
            ("behind by 2", Some(3), true),
            ("behind by 2", Some(1_001), false),
            ("behind by 2", None, false),
            ("this node is behind", Some(3), true),
            ("comparing", Some(3), true),
            ("comparing", None, false),
            ("DIVERGED", Some(3), false),
            ("unknown", Some(3), false),
        ] {
            assert_eq!(is_as_this_one(agreement, lag_ms), expected, "{agreement} {lag_ms:?}");
        }
    }
}
