//! A set of nodes, as it lies in a frame.

use super::codec::{Reader, put_u16};
use crate::store::NodeId;

pub(super) fn put(out: &mut Vec<u8>, nodes: &[NodeId]) {
    put_u16(out, nodes.len() as u16);
    nodes.iter().for_each(|&node| put_u16(out, node));
}

/// In rising order, or it is no set.
pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Vec<NodeId>> {
    let count = reader.u16()?;
    let nodes: Vec<NodeId> = (0..count).map(|_| reader.u16()).collect::<Option<_>>()?;
    nodes.is_sorted_by(|one, next| one < next).then_some(nodes)
}
