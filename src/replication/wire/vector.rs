//! Version vectors: which writes of which node somebody has, or has newer than.
//!
//! A plain vector of one number per node (Parker et al., 1983) says "everything up to here". A node whose every crash
//! is a rollback cannot say that: between what it had committed and where its next incarnation begins lie stamps whose
//! writes only others may have. So each node has *spans* of clock values, mostly a single one, and a gap is stated
//! instead of guessed at (as the exceptions of Malkhi and Terry's concise version vectors, 2005).

use std::collections::BTreeMap;

use super::codec::{Reader, put_u16, put_u32, put_u64};
use crate::store::{NodeId, Stamp};

/// Spans of a peer's vector that are understood: each crash and each restart leaves one while a node is away, and two
/// vectors of so many fit into a hello.
const SPANS_MAX: usize = 1 << 14;

/// Clock values above `after`, up to and including `up_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The last value that is not in it.
    pub after: u64,
    /// The last value that is.
    pub up_to: u64,
}

/// See the module. Invariant: the spans of a node are not empty, rise, and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionVector {
    nodes: BTreeMap<NodeId, Vec<Span>>,
}

impl VersionVector {
    /// Whether the write with this stamp is among them.
    pub fn covers(&self, stamp: Stamp) -> bool {
        let Some(spans) = self.nodes.get(&stamp.node) else { return false };
        let next = spans.partition_point(|span| span.after < stamp.clock);
        next > 0 && stamp.clock <= spans[next - 1].up_to
    }

    /// Adds a span.
    pub fn add(&mut self, node: NodeId, span: Span) {
        if span.after >= span.up_to {
            return;
        }
        let spans = self.nodes.entry(node).or_default();
        let first = spans.partition_point(|other| other.up_to < span.after);
        let end = spans.partition_point(|other| other.after <= span.up_to);
        let touched = &spans[first..end];
        let after = touched.first().map_or(span.after, |other| other.after.min(span.after));
        let up_to = touched.last().map_or(span.up_to, |other| other.up_to.max(span.up_to));
        spans.splice(first..end, [Span { after, up_to }]);
    }

    /// Takes out all of a node above a clock value.
    pub fn cut(&mut self, node: NodeId, after: u64) {
        let Some(spans) = self.nodes.get_mut(&node) else { return };
        spans.retain(|span| span.after < after);
        if let Some(last) = spans.last_mut() {
            last.up_to = last.up_to.min(after);
        }
        if spans.is_empty() {
            self.nodes.remove(&node);
        }
    }

    /// Adds all that the other has.
    pub fn merge(&mut self, other: &VersionVector) {
        for (&node, spans) in &other.nodes {
            spans.iter().for_each(|&span| self.add(node, span));
        }
    }

    /// Whether all that the other has is in here.
    pub fn includes(&self, other: &VersionVector) -> bool {
        other.nodes.iter().all(|(node, spans)| {
            let own = self.nodes.get(node).map_or(&[][..], Vec::as_slice);
            spans.iter().all(|span| {
                let at = own.partition_point(|one| one.up_to < span.up_to);
                own.get(at).is_some_and(|one| one.after <= span.after)
            })
        })
    }

    /// What both have.
    pub fn intersection(&self, other: &VersionVector) -> VersionVector {
        let mut both = VersionVector::default();
        for (&node, spans) in &self.nodes {
            let theirs = other.nodes.get(&node).map_or(&[][..], Vec::as_slice);
            for one in spans {
                let first = theirs.partition_point(|two| two.up_to <= one.after);
                for two in theirs[first..].iter().take_while(|two| two.after < one.up_to) {
                    both.add(node, Span { after: one.after.max(two.after), up_to: one.up_to.min(two.up_to) });
                }
            }
        }
        both
    }

    /// The part about some nodes.
    pub fn part(&self, wanted: impl Fn(NodeId) -> bool) -> VersionVector {
        let nodes = self.nodes.iter().filter(|&(&node, _)| wanted(node));
        VersionVector { nodes: nodes.map(|(&node, spans)| (node, spans.clone())).collect() }
    }

    /// The highest clock value of a node, or 0.
    pub fn highest(&self, node: NodeId) -> u64 {
        self.nodes.get(&node).and_then(|spans| spans.last()).map_or(0, |span| span.up_to)
    }

    /// The highest clock value of all nodes, or 0.
    pub fn highest_of_all(&self) -> u64 {
        self.nodes.keys().map(|&node| self.highest(node)).max().unwrap_or(0)
    }

    /// Number of spans of a node.
    pub fn spans(&self, node: NodeId) -> usize {
        self.nodes.get(&node).map_or(0, Vec::len)
    }

    /// Whether it has nothing.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Writes it in its form for frames and the data file.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_u16(out, self.nodes.len() as u16);
        for (&node, spans) in &self.nodes {
            put_u16(out, node);
            put_u32(out, spans.len() as u32);
            for span in spans {
                put_u64(out, span.after);
                put_u64(out, span.up_to);
            }
        }
    }

    /// As [`VersionVector::decode`], of a peer: `None` also where it is so long that each look at it would take long.
    pub fn decode_short(reader: &mut Reader<'_>) -> Option<VersionVector> {
        let vector = VersionVector::decode(reader)?;
        (vector.nodes.values().map(Vec::len).sum::<usize>() <= SPANS_MAX).then_some(vector)
    }

    /// Reads what [`VersionVector::encode`] has written; `None` where it is cut or breaks the invariant.
    pub fn decode(reader: &mut Reader<'_>) -> Option<VersionVector> {
        let mut vector = VersionVector::default();
        let mut nodes = None;
        for _ in 0..reader.u16()? {
            let node = reader.u16()?;
            if nodes.replace(node).is_some_and(|last| node <= last) {
                return None;
            }
            let mut last = None;
            for _ in 0..reader.u32()? {
                let span = Span { after: reader.u64()?, up_to: reader.u64()? };
                if span.after >= span.up_to || last.is_some_and(|last| span.after <= last) {
                    return None;
                }
                last = Some(span.up_to);
                vector.add(node, span);
            }
        }
        Some(vector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(spans: &[(NodeId, u64, u64)]) -> VersionVector {
        let mut vector = VersionVector::default();
        spans.iter().for_each(|&(node, after, up_to)| vector.add(node, Span { after, up_to }));
        vector
    }

    #[test]
    fn a_gap_is_not_covered() {
        let vector = vector(&[(1, 0, 10), (1, 20, 30)]);
        let covered: Vec<u64> = [0, 1, 10, 11, 20, 21, 30, 31]
            .into_iter()
            .filter(|&clock| vector.covers(Stamp { clock, node: 1 }))
            .collect();
        assert_eq!(covered, [1, 10, 21, 30]);
        assert!(!vector.covers(Stamp { clock: 5, node: 2 }));
    }

    #[test]
    fn spans_that_touch_become_one() {
        assert_eq!(vector(&[(1, 0, 10), (1, 10, 20)]), vector(&[(1, 0, 20)]));
        assert_eq!(vector(&[(1, 0, 10), (1, 20, 30), (1, 40, 50), (1, 5, 45)]), vector(&[(1, 0, 50)]));
        assert_eq!(vector(&[(1, 20, 30), (1, 0, 10)]), vector(&[(1, 0, 10), (1, 20, 30)]));
        assert_eq!(vector(&[(1, 3, 3)]), VersionVector::default());
    }

    /// Sets of up to 12 clock values of two nodes say the same as the spans do.
    #[test]
    fn merging_intersecting_and_including_are_those_of_sets() {
        let mut random = fastrand::Rng::with_seed(1);
        let values = |vector: &VersionVector| -> Vec<(NodeId, u64)> {
            let all = (0..2).flat_map(|node| (0..14).map(move |clock| (node, clock)));
            all.filter(|&(node, clock)| vector.covers(Stamp { clock, node })).collect()
        };
        for _ in 0..2_000 {
            let mut draw = || {
                let mut vector = VersionVector::default();
                for _ in 0..random.usize(0..4) {
                    vector.add(random.u16(0..2), Span { after: random.u64(0..12), up_to: random.u64(1..13) });
                }
                vector
            };
            let (one, two) = (draw(), draw());
            let (of_one, of_two) = (values(&one), values(&two));
            let mut merged = one.clone();
            merged.merge(&two);
            let mut union: Vec<_> = of_one.iter().chain(&of_two).copied().collect();
            union.sort_unstable();
            union.dedup();
            assert_eq!(values(&merged), union);
            let both: Vec<_> = of_one.iter().filter(|value| of_two.contains(value)).copied().collect();
            assert_eq!(values(&one.intersection(&two)), both);
            assert_eq!(one.includes(&two), of_two.iter().all(|value| of_one.contains(value)));
            assert_eq!(one == two, of_one == of_two);
        }
    }

    #[test]
    fn the_encoded_form_gives_the_vector_back_and_nonsense_is_refused() {
        let vector = vector(&[(1, 0, 10), (1, 20, 30), (7, 5, u64::MAX)]);
        let mut bytes = Vec::new();
        vector.encode(&mut bytes);
        assert_eq!(VersionVector::decode(&mut Reader::new(&bytes)), Some(vector));
        for len in 0..bytes.len() {
            assert_eq!(VersionVector::decode(&mut Reader::new(&bytes[..len])), None);
        }
        bytes[8..16].fill(0xff);
        assert_eq!(VersionVector::decode(&mut Reader::new(&bytes)), None);
    }
}
