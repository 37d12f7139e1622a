//! The last frame of a side that hangs up. Its layout is the same in all versions.

use std::borrow::Cow;

use super::codec::Reader;
use super::framing::{self, Kind};

/// Sent by a side that hangs up because something has to be mended first: another version, another cluster, a clock
/// that is wrong, a frame that breaks its format. Both sides log the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// A sentence.
    pub why: Cow<'a, str>,
    /// Whether the listener should wait long before it dials again.
    pub slowly: bool,
}

impl Refusal<'_> {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framing::frame(Kind::Refusal, out, |out| {
            out.push(self.slowly.into());
            out.extend_from_slice(self.why.as_bytes());
        });
    }

    pub(super) fn decode<'a>(reader: &mut Reader<'a>) -> Option<Refusal<'a>> {
        let slowly = reader.u8()? != 0;
        Some(Refusal { why: reader.rest_as_text().into(), slowly })
    }
}
