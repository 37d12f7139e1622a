//! What a node runs with that every node should have alike, told to each peer: differences are nobody's end, and
//! everybody's business.
//!
//! A list of nodes that lacks one forgets deletions that the one has not heard of. A node with less memory than its
//! peers takes what they write all the same: refused, it would be missing there for ever. Both are said, on both sides,
//! in the log and in `INFO`. Lists differ for a while whenever one is changed; so each node tells when its own has.

use super::codec::{Reader, put_u16, put_u64};
use super::frame::{self, Frame};
use super::{NodeId, Replication};
use crate::store::Store;

/// The kind of the frame; not sent to nodes of version 3.
pub(super) const TERMS: u8 = 9;

/// Entries of lists that are told apart by name.
const DIFFERENCES_MAX: usize = 3;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The cluster as the configuration has it; an empty text is a node that was removed.
    pub members: Vec<String>,
    /// As `--max-memory` says, 0 where there is no limit. `None`: of version 3, which does not tell.
    pub memory_bytes_max: Option<u64>,
}

impl Terms {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let body = frame::begin(out);
        out.push(TERMS);
        put_u64(out, self.memory_bytes_max.unwrap_or(0));
        put_members(out, &self.members);
        frame::end(out, body);
    }

    /// What differs, in a sentence that both sides can say.
    fn difference(&self, own: NodeId, theirs: &Terms, peer: NodeId) -> Option<String> {
        let mut differences = Vec::new();
        for place in 0..self.members.len().max(theirs.members.len()) {
            let at = |terms: &Terms| match terms.members.get(place).map(String::as_str) {
                None | Some("") => "not there".to_owned(),
                Some(address) => address.to_owned(),
            };
            let (here, there) = (at(self), at(theirs));
            if here != there {
                differences.push(format!("node {place} is {here} at node {own}, and {there} at node {peer}"));
            }
        }
        if let Some(more) = differences.len().checked_sub(DIFFERENCES_MAX).filter(|&more| more > 0) {
            differences.truncate(DIFFERENCES_MAX);
            differences.push(format!("and {more} more"));
        }
        let lists = (!differences.is_empty()).then(|| format!("the config files differ: {}", differences.join("; ")));
        let said = |bytes: u64| if bytes == 0 { "no limit".to_owned() } else { bytes.to_string() };
        let memory = match (self.memory_bytes_max, theirs.memory_bytes_max) {
            (Some(here), Some(there)) if here != there => {
                let (here, there) = (said(here), said(there));
                Some(format!("--max-memory differs: {here} at node {own}, and {there} at node {peer}"))
            }
            _ => None,
        };
        let all: Vec<String> = [lists, memory].into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join(". "))
    }
}

impl Replication {
    /// The peer has told its own. To be compared at once, and again whenever the own ones change.
    pub(super) fn take_terms(&mut self, id: NodeId, terms: Terms, store: &Store) {
        if let Some(linked) = self.peers.get_mut(&id).and_then(|peer| peer.linked.as_mut()) {
            linked.terms = terms;
            self.compare_terms(id, store);
        }
    }

    /// Tells the peer where what it was told last is not so any more.
    pub(super) fn tell_terms(&mut self, id: NodeId, store: &Store) {
        let terms_number = (self.members_number, store.bytes_max());
        let Some(linked) = self.peers.get_mut(&id).and_then(|peer| peer.linked.as_mut()) else { return };
        if linked.terms_told == Some(terms_number) {
            return;
        }
        linked.terms_told = Some(terms_number);
        let (session, is_told) = (linked.session, linked.version >= frame::VERSION_WITH_TERMS);
        let terms = self.terms(store);
        if let Some(line) = self.lines[session].as_deref_mut().filter(|_| is_told) {
            terms.encode(line.wire.outbox());
            self.touched.push(session);
        }
        self.compare_terms(id, store);
    }

    /// Says so where there is more than this node's limit allows: peers' writes are taken all the same, or the nodes
    /// would differ.
    pub(super) fn note_memory(&mut self, store: &Store) {
        let is_over = store.is_over_limit();
        if is_over == self.is_over_memory {
            return;
        }
        self.is_over_memory = is_over;
        let (bytes, bytes_max) = (store.bytes(), store.bytes_max());
        if is_over {
            log::warn!(
                "{bytes} bytes of memory are taken, more than the {bytes_max} of --max-memory: what other nodes write is \
                 kept all the same, or the nodes would differ; clients of this node are refused. Give all nodes the \
                 same limit"
            );
        } else {
            log::info!("{bytes} bytes of memory are taken, within the {bytes_max} of --max-memory again");
        }
    }

    fn terms(&self, store: &Store) -> Terms {
        Terms { members: self.members.clone(), memory_bytes_max: Some(store.bytes_max() as u64) }
    }

    fn compare_terms(&mut self, id: NodeId, store: &Store) {
        let own = self.terms(store);
        let Some(linked) = self.peers.get_mut(&id).and_then(|peer| peer.linked.as_mut()) else { return };
        let difference = own.difference(self.identity.node, &linked.terms, id);
        if difference == linked.difference {
            return;
        }
        match &difference {
            Some(difference) => log::warn!("{difference}. Make them the same"),
            None => log::info!("node {id} and this node have the same nodes and limits again"),
        }
        linked.difference = difference;
    }
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Frame<'static>> {
    let memory_bytes_max = Some(reader.u64()?);
    Some(Frame::Terms(Box::new(Terms { memory_bytes_max, members: members(reader)? })))
}

pub(super) fn put_members(out: &mut Vec<u8>, members: &[String]) {
    put_u16(out, members.len() as u16);
    for member in members {
        put_u16(out, member.len() as u16);
        out.extend_from_slice(member.as_bytes());
    }
}

pub(super) fn members(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let count = reader.u16()?;
    let mut member = || reader.u16().and_then(|length| reader.text(length.into())).map(str::to_owned);
    (0..count).map(|_| member()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(members: &[&str], memory_bytes_max: Option<u64>) -> Terms {
        Terms { members: members.iter().map(|&member| member.to_owned()).collect(), memory_bytes_max }
    }

    #[test]
    fn what_differs_is_said_and_what_is_alike_or_not_known_is_not() {
        let three = terms(&["a:1", "b:1", "c:1"], Some(100));
        assert_eq!(three.difference(0, &three, 1), None);
        assert_eq!(three.difference(0, &terms(&["a:1", "b:1", "c:1"], None), 1), None);
        assert_eq!(terms(&["a:1", "b:1", ""], None).difference(0, &terms(&["a:1", "b:1"], None), 1), None);
        let two = terms(&["a:1", "b:1"], Some(0));
        assert_eq!(
            three.difference(0, &two, 1).as_deref(),
            Some(
                "the config files differ: node 2 is c:1 at node 0, and not there at node 1. \
                 --max-memory differs: 100 at node 0, and no limit at node 1"
            )
        );
    }

    #[test]
    fn the_frame_gives_them_back() {
        let terms = terms(&["a:1", "", "c:1"], Some(7));
        let mut bytes = Vec::new();
        terms.encode(&mut bytes);
        let Ok(Frame::Terms(decoded)) = frame::decode(&bytes[frame::HEAD_BYTES..]) else { panic!("it is one") };
        assert_eq!(*decoded, terms);
    }
}
