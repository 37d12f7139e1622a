//! What a node runs with that every node should have alike.

use super::codec::{Reader, put_u16, put_u64};
use super::framing::{self, Kind};

/// Sent once when a link begins, and again whenever the speaker's own have changed; not to nodes of version 3. The
/// listener compares them with its own and warns of what differs.
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
        framing::frame(Kind::Terms, out, |out| {
            put_u64(out, self.memory_bytes_max.unwrap_or(0));
            put_members(out, &self.members);
        });
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Terms> {
        let memory_bytes_max = Some(reader.u64()?);
        Some(Terms { memory_bytes_max, members: members(reader)? })
    }
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

    #[test]
    fn the_frame_gives_them_back() {
        let members = ["a:1", "", "c:1"].map(str::to_owned).to_vec();
        let terms = Terms { members, memory_bytes_max: Some(7) };
        let mut bytes = Vec::new();
        terms.encode(&mut bytes);
        let mut reader = Reader::new(&bytes[framing::HEAD_BYTES + 1..]);
        assert_eq!(Terms::decode(&mut reader), Some(terms));
    }
}
