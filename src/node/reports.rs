//! What other nodes have said of themselves, and to whom it was handed on.
//!
//! A node says once a second how it is. To a peer that has no link with some node its newest word is handed on, with its
//! age and by whom; so a node behind a cut link is still seen. What is known already is not handed on again, but now and
//! then, as a link may have begun anew: words of a node that is gone do not go round for ever.

use std::collections::{BTreeMap, BTreeSet};

use crate::replication::HeardStatus;
use crate::status::{Known, NodeStatus};
use crate::store::NodeId;

/// A word that is handed on must be newer by so much than what is known: two that bring the same one are not taken in
/// turns.
const NEWER_US: i64 = 300_000;
/// Beats after which words are handed on again to who was told.
const BEATS: u64 = 10;

/// What a node said.
#[derive(Debug)]
struct Report {
    status: NodeStatus,
    /// When, in monotonic microseconds.
    said_us: i64,
    via: Option<NodeId>,
    text: Vec<u8>,
    /// The peers that were told.
    told: BTreeSet<NodeId>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Reports {
    all: BTreeMap<NodeId, Report>,
    beats: u64,
}

/// A word that is to be handed on.
pub(super) struct HandedOn<'a> {
    pub(super) to: NodeId,
    pub(super) node: NodeId,
    pub(super) age_ms: u32,
    pub(super) text: &'a [u8],
}

impl Reports {
    /// A peer has told this. What is no status, or another node's, is nothing.
    pub(super) fn take(&mut self, heard: HeardStatus) {
        let HeardStatus { from, node, said_us, text } = heard;
        let via = (from != node).then_some(from);
        let is_newer = |known: &Report| via.is_none() || said_us >= known.said_us + NEWER_US;
        if !self.all.get(&node).is_none_or(is_newer) {
            return;
        }
        if let Some(status) = NodeStatus::from_wire(&text).filter(|status| status.id == node) {
            self.all.insert(node, Report { status, said_us, via, text, told: BTreeSet::new() });
        }
    }

    /// Who is no node of the list any more is forgotten.
    pub(super) fn keep(&mut self, is_node: impl Fn(NodeId) -> bool) {
        self.all.retain(|&id, _| is_node(id));
    }

    /// Fills in what is known of a node.
    pub(super) fn tell(&self, known: &mut Known, now_us: u64) {
        if let Some(report) = self.all.get(&known.id) {
            known.age_ms = Some(report.age_ms(now_us));
            (known.via, known.status) = (report.via, Some(report.status.clone()));
        }
    }

    /// A second is over: what is to be handed on to these peers, each of which says whom it has links with.
    pub(super) fn hand_on(&mut self, readers: &[NodeId], now_us: u64, mut tell: impl FnMut(HandedOn<'_>)) {
        self.beats += 1;
        let lacks = |reader: NodeId, node: NodeId| {
            let said = self.all.get(&reader).and_then(|report| report.status.peer(node));
            reader != node && said.is_some_and(|row| !row.is_linked())
        };
        let nodes = || self.all.keys().copied();
        let lacking: Vec<(NodeId, NodeId)> = readers
            .iter()
            .flat_map(|&reader| nodes().map(move |node| (reader, node)))
            .filter(|&(reader, node)| lacks(reader, node))
            .collect();
        if self.beats.is_multiple_of(BEATS) {
            self.all.values_mut().for_each(|report| report.told.clear());
        }
        for (to, node) in lacking {
            let Some(report) = self.all.get_mut(&node) else { continue };
            if report.via != Some(to) && report.told.insert(to) {
                let age_ms = u32::try_from(report.age_ms(now_us)).unwrap_or(u32::MAX);
                tell(HandedOn { to, node, age_ms, text: &report.text });
            }
        }
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.all.values().map(|report| size_of::<Report>() + 2 * report.text.len()).sum()
    }
}

impl Report {
    fn age_ms(&self, now_us: u64) -> u64 {
        let age_us = i64::try_from(now_us).unwrap_or(i64::MAX).saturating_sub(self.said_us);
        u64::try_from(age_us / 1_000).unwrap_or(0)
    }
}
