//! What goes over a link: frames, each a file here that says who sends it, when and why.
//!
//! - `framing`: the envelope of a frame, and the table of kinds
//! - [`codec`], `cursor`, [`vector`], `nodes`: what frames are made of
//! - `proof`, `hello`, `refusal`: how a link begins, and how it ends where something has to be mended
//! - `changes`, `chunk`: changes, and values too large to go with theirs
//! - `ack`: how far the peer is
//! - `listing`: all keys, where deletions may have been missed
//! - `message`: what clients publish; `terms`: what every node should have alike; `status`: how nodes are
//! - `stream`: the bytes of one connection
//!
//! A connection begins with [`GREETING`] from either side. Frames follow, the first of each side a [`Hello`]. The
//! layout of a hello up to its version, and that of a refusal, are the same in all versions.
//!
//! ```text
//! dialing node                              accepting node
//!   greeting, Hello        ------------->
//!                          <-------------   greeting, Hello      (or Refusal: both log it)
//!   Changes, Chunk, Ack    <------------>   Changes, Chunk, Ack  (until one of them is gone)
//! ```
//!
//! Where nodes have the cluster's secret, all of this goes through TLS, and both prove the secret first. The rest is the
//! same to the byte: no version of the frames goes with it.
//!
//! ```text
//! dialing node                              accepting node
//!   TLS greeting           ------------->
//!   TLS handshake          <------------>
//!   greeting, Proof        ------------->
//!                          <-------------   greeting, Proof      (or Refusal, which says nothing of the node)
//!   Hello                  ------------->
//!                          <-------------   Hello                (or Refusal)
//! ```

mod ack;
mod changes;
mod chunk;
pub mod codec;
mod cursor;
mod framing;
mod hello;
mod listing;
mod message;
mod nodes;
mod proof;
mod refusal;
mod status;
mod stream;
mod terms;
pub mod vector;

pub use ack::Ack;
pub use changes::{CHANGES_MAX, Changes, Progress, WireChange};
pub use chunk::Chunk;
use codec::Reader;
pub use cursor::Cursor;
pub use framing::{GREETING, Kind, TLS_GREETING};
pub use hello::{Hello, VERSION, VERSION_MIN};
pub(in crate::replication) use hello::{VERSION_WITH_DATABASES, VERSION_WITH_STATUS, VERSION_WITH_TERMS};
pub(in crate::replication) use listing::ITEMS_MAX;
pub use listing::{Items, Listing};
pub use message::{Audience, Publication};
pub use proof::{PROOF_BYTES, Proof};
pub use refusal::Refusal;
pub use status::{STATUS_BYTES_MAX, Status};
pub(in crate::replication) use stream::{FrameStream, Taken};
pub use terms::Terms;

/// What a frame's body is.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The first of either side.
    Hello(Box<Hello>),
    /// The last of a side that hangs up.
    Refusal(Refusal<'a>),
    /// Changes, to be applied in one step.
    Changes(Progress, Changes<'a>),
    /// How far the speaker is.
    Ack(Box<Ack>),
    /// A part of a full listing.
    Listing(Listing<'a>),
    /// A message for listeners.
    Message(Publication<'a>),
    /// A piece of a value whose change follows.
    Chunk(Chunk<'a>),
    /// What every node should have alike.
    Terms(Box<Terms>),
    /// The speaker has the cluster's secret.
    Proof(Proof),
    /// How a node is.
    Status(Status<'a>),
}

/// Why a body is no frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// The frame is not one of this version.
    Garbage(&'static str),
    /// A hello of another version: nothing but its number is known.
    Version(u16),
}

/// Reads a body.
pub fn decode(body: &[u8]) -> Result<Frame<'_>, Fault> {
    let mut reader = Reader::new(body);
    let number = reader.u8().ok_or(Fault::Garbage("an empty frame"))?;
    let kind = Kind::of(number).ok_or(Fault::Garbage("a frame of unknown kind"))?;
    let version = match kind {
        Kind::Hello => reader.u16().ok_or(Fault::Garbage("a hello that is cut"))?,
        _ => VERSION,
    };
    if !(VERSION_MIN..=VERSION).contains(&version) {
        return Err(Fault::Version(version));
    }
    let frame = match kind {
        Kind::Hello => Hello::decode(version, &mut reader).map(|hello| Frame::Hello(Box::new(hello))),
        Kind::Refusal => Refusal::decode(&mut reader).map(Frame::Refusal),
        Kind::Changes => Progress::decode(&mut reader).map(|(progress, changes)| Frame::Changes(progress, changes)),
        Kind::Ack => Ack::decode(&mut reader).map(|ack| Frame::Ack(Box::new(ack))),
        Kind::Listing => Listing::decode(&mut reader).map(Frame::Listing),
        Kind::Message => Publication::decode(Audience::Channel, &mut reader).map(Frame::Message),
        Kind::ShardMessage => Publication::decode(Audience::Shard, &mut reader).map(Frame::Message),
        Kind::Chunk => Chunk::decode(&mut reader).map(Frame::Chunk),
        Kind::Terms => Terms::decode(&mut reader).map(|terms| Frame::Terms(Box::new(terms))),
        Kind::Proof => Proof::decode(&mut reader).map(Frame::Proof),
        Kind::Status => Status::decode(&mut reader).map(Frame::Status),
    };
    frame.filter(|_| reader.is_empty()).ok_or(Fault::Garbage("a frame that breaks its format"))
}
