//! What goes over a link: frames of length, checksum and body.
//!
//! A connection between nodes begins with [`GREETING`], which no client's line begins with; frames follow. The first
//! two are a [`Hello`] from either side, the dialing one first. A [`Frame::Refusal`] ends a link with a reason.
//! The layout up to the version in a hello, and that of a refusal, are the same in all versions.

use std::borrow::Cow;

use super::codec::{Reader, put_u16, put_u64};
use super::messages::{self, Audience, MESSAGE, SHARD_MESSAGE};
pub use super::parts::Part;
use super::parts::{self, PART};
pub use super::sent::{Changes, Sent};
pub use super::terms::Terms;
use super::terms::{self, TERMS};
use super::vector::VersionVector;
use crate::store::{Content, NodeId, Stamp};

/// The first bytes of a connection between nodes, from the dialing side and from the other.
pub const GREETING: &[u8; 8] = b"\0KVPEER\n";
/// The version of the frames, the latest that is spoken. Of two nodes the lower one's is.
pub const VERSION: u16 = 4;
/// The earliest that is spoken, too: without terms and shard messages.
pub const VERSION_MIN: u16 = 3;
/// From this one on nodes tell their terms, and messages of shard channels.
pub(super) const VERSION_WITH_TERMS: u16 = 4;
/// Longest frame before both sides have said hello.
pub const HELLO_BYTES_MAX: usize = 1 << 20;
/// Longest frame after that: changes that belong together, and the longest value that goes with its change.
pub const FRAME_BYTES_MAX: usize = 4 << 20;
/// Changes of a frame at most: applied in about a millisecond.
pub const CHANGES_MAX: usize = 2 << 10;
/// Items of a listing's frame at most.
pub(super) const ITEMS_MAX: usize = 1 << 10;
/// Length and checksum.
pub(super) const HEAD_BYTES: usize = 8;

const HELLO: u8 = 1;
const REFUSAL: u8 = 2;
const CHANGES: u8 = 3;
const ACK: u8 = 4;
const LISTING: u8 = 5;

/// How far somebody has followed a node's change list. `direct` counts for that node's own writes, `relay` for all
/// others'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the node whose list it is: positions of one life mean something to another only where its data file
    /// has gone on from there.
    pub life: u64,
    /// Every own write up to here, or newer.
    pub direct: u64,
    /// Every other write up to here, or newer.
    pub relay: u64,
}

/// The first frame of either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of the frames that it offers, or agrees to where it was dialed.
    pub version: u16,
    /// Who speaks.
    pub node: NodeId,
    /// Who is meant.
    pub to: NodeId,
    /// This life of the process, chosen at random.
    pub life: u64,
    /// The speaker's wall clock.
    pub unix_ms: u64,
    /// The highest clock value it has issued or seen.
    pub clock: u64,
    /// Its own stamps above this are all of this life.
    pub since: u64,
    /// The highest of the listener's stamps that it has seen.
    pub seen: u64,
    /// How far it has followed the listener's list.
    pub cursor: Cursor,
    /// What it has.
    pub vector: VersionVector,
    /// What it had collected deletions under: a listener without all of this may hold what was deleted long ago.
    pub collected: VersionVector,
    /// The stamp of the latest flush that it has.
    pub floor: Stamp,
    /// The nodes whose writes it gets first-hand, in rising order.
    pub linked: Vec<NodeId>,
    /// The cluster as its configuration has it; an empty text is a node that was removed.
    pub members: Vec<String>,
}

/// How far the speaker is, said from time to time, and at least once a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// How far it has followed the listener's list.
    pub received: Cursor,
    /// The same, as its data file has it.
    pub durable: Cursor,
    /// What it has.
    pub vector: VersionVector,
    /// The same, as its data file has it.
    pub durable_vector: VersionVector,
    /// The nodes whose writes it gets first-hand, in rising order.
    pub linked: Vec<NodeId>,
    /// Its wall clock.
    pub unix_ms: u64,
    /// The last position of its list.
    pub position: u64,
    /// What its store holds.
    pub content: Content,
    /// Whether it has seen that digests differ although nothing is under way.
    pub diverged: bool,
    /// Whether it is comparing its store with a full listing, or frees what was flushed.
    pub busy: bool,
    /// Full listings that came over this link.
    pub listings: u64,
    /// Bytes of values in parts that came over this link.
    pub parted: u64,
    /// The highest of the listener's stamps that it has seen.
    pub seen: u64,
    /// The stamp of the latest flush that it has.
    pub floor: Stamp,
}

/// A part of a change stream; the changes follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// All own writes up to this position were sent, here included.
    pub direct: u64,
    /// All others up to this position were sent or are had.
    pub relay: u64,
    /// With this frame the listener has all of this, or newer.
    pub claims: VersionVector,
}

/// A part of a full listing of what the speaker holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It begins; an entry of the listener that the vector covers and that will not be listed was deleted.
    Begin(VersionVector),
    /// It is complete.
    End,
    /// The hash of a key, and its stamp; more may follow.
    Items,
}

/// What a frame's body is.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// See there.
    Hello(Box<Hello>),
    /// The speaker hangs up for this reason; whether the listener should wait long before it dials again.
    Refusal(Cow<'a, str>, bool),
    /// Changes, to be applied in one step.
    Changes(Progress, Changes<'a>),
    /// See there.
    Ack(Box<Ack>),
    /// See there; items follow where it says so.
    Listing(Listing, Items<'a>),
    /// A message: for whom, in which channel, what.
    Message(Audience, &'a [u8], &'a [u8]),
    /// A piece of a value whose change follows.
    Part(Part<'a>),
    /// See there.
    Terms(Box<Terms>),
}

/// A hello of another version: nothing but its number is known.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// The frame is not one of this version.
    Garbage(&'static str),
    /// The speaker has another version.
    Version(u16),
}

/// The items of a listing, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Items<'a>(&'a [u8]);

const ITEM_BYTES: usize = 18;

/// Begins a frame; to be ended by [`end`] with what this returns.
pub(super) fn begin(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; HEAD_BYTES]);
    out.len()
}

/// Ends the frame whose body begins there.
pub(super) fn end(out: &mut [u8], body: usize) {
    let length = (out.len() - body) as u32;
    let checksum = crc32fast::hash(&out[body..]);
    out[body - 8..body - 4].copy_from_slice(&length.to_le_bytes());
    out[body - 4..body].copy_from_slice(&checksum.to_le_bytes());
}

impl Hello {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let body = begin(out);
        out.push(HELLO);
        put_u16(out, self.version);
        put_u16(out, self.node);
        put_u16(out, self.to);
        for number in [self.life, self.unix_ms, self.clock, self.since, self.seen] {
            put_u64(out, number);
        }
        put_cursor(out, self.cursor);
        put_stamp(out, self.floor);
        self.vector.encode(out);
        self.collected.encode(out);
        put_nodes(out, &self.linked);
        terms::put_members(out, &self.members);
        end(out, body);
    }
}

impl Ack {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let body = begin(out);
        out.push(ACK);
        put_cursor(out, self.received);
        put_cursor(out, self.durable);
        self.vector.encode(out);
        self.durable_vector.encode(out);
        put_nodes(out, &self.linked);
        let Content { keys, digest, expiring, expiring_digest, next_expiry } = self.content;
        for number in [self.unix_ms, self.position, keys, digest, expiring, expiring_digest, next_expiry] {
            put_u64(out, number);
        }
        out.push(self.diverged.into());
        out.push(self.busy.into());
        put_u64(out, self.listings);
        put_u64(out, self.parted);
        put_u64(out, self.seen);
        put_stamp(out, self.floor);
        end(out, body);
    }
}

/// Writes a refusal.
pub fn encode_refusal(why: &str, slowly: bool, out: &mut Vec<u8>) {
    let body = begin(out);
    out.push(REFUSAL);
    out.push(slowly.into());
    out.extend_from_slice(why.as_bytes());
    end(out, body);
}

impl Progress {
    /// Writes the frame with the changes, encoded by [`Sent::encode`].
    pub fn encode(&self, changes: &[u8], out: &mut Vec<u8>) {
        let body = begin(out);
        out.push(CHANGES);
        put_u64(out, self.direct);
        put_u64(out, self.relay);
        self.claims.encode(out);
        out.extend_from_slice(changes);
        end(out, body);
    }
}

impl Listing {
    /// Writes the frame with the items, encoded by [`Items::encode`].
    pub fn encode(&self, items: &[u8], out: &mut Vec<u8>) {
        let body = begin(out);
        out.push(LISTING);
        match self {
            Listing::Begin(vector) => {
                out.push(0);
                vector.encode(out);
            }
            Listing::Items => out.push(1),
            Listing::End => out.push(2),
        }
        out.extend_from_slice(items);
        end(out, body);
    }
}

impl<'a> Items<'a> {
    /// Writes one item of a listing.
    pub fn encode(hash: u64, stamp: Stamp, out: &mut Vec<u8>) {
        put_u64(out, hash);
        put_u64(out, stamp.clock);
        put_u16(out, stamp.node);
    }

    /// Hashes and stamps.
    pub fn iter(self) -> impl Iterator<Item = (u64, Stamp)> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || Some((reader.u64()?, Stamp { clock: reader.u64()?, node: reader.u16()? })))
    }
}

/// Reads a body.
pub fn decode(body: &[u8]) -> Result<Frame<'_>, Fault> {
    let mut reader = Reader::new(body);
    let kind = reader.u8().ok_or(Fault::Garbage("an empty frame"))?;
    let version = match kind {
        HELLO => reader.u16().ok_or(Fault::Garbage("a hello that is cut"))?,
        _ => VERSION,
    };
    if !(VERSION_MIN..=VERSION).contains(&version) {
        return Err(Fault::Version(version));
    }
    let frame = match kind {
        HELLO => hello(version, &mut reader).map(|hello| Frame::Hello(Box::new(hello))),
        REFUSAL => reader.u8().map(|slowly| Frame::Refusal(reader.rest_as_text().into(), slowly != 0)),
        CHANGES => changes(&mut reader, body),
        ACK => ack(&mut reader).map(|ack| Frame::Ack(Box::new(ack))),
        LISTING => listing(&mut reader, body),
        MESSAGE => messages::decode(Audience::Channel, &mut reader),
        SHARD_MESSAGE => messages::decode(Audience::Shard, &mut reader),
        PART => parts::decode(&mut reader),
        TERMS => terms::decode(&mut reader),
        _ => return Err(Fault::Garbage("a frame of unknown kind")),
    };
    frame.filter(|_| reader.is_empty()).ok_or(Fault::Garbage("a frame that breaks its format"))
}

fn hello(version: u16, reader: &mut Reader<'_>) -> Option<Hello> {
    let (node, to) = (reader.u16()?, reader.u16()?);
    let [life, unix_ms, clock, since, seen] = numbers(reader)?;
    Some(Hello {
        version,
        node,
        to,
        life,
        unix_ms,
        clock,
        since,
        seen,
        cursor: cursor(reader)?,
        floor: stamp(reader)?,
        vector: VersionVector::decode_short(reader)?,
        collected: VersionVector::decode_short(reader)?,
        linked: nodes(reader)?,
        members: terms::members(reader)?,
    })
}

fn ack(reader: &mut Reader<'_>) -> Option<Ack> {
    let (received, durable) = (cursor(reader)?, cursor(reader)?);
    let (vector, durable_vector) = (VersionVector::decode_short(reader)?, VersionVector::decode_short(reader)?);
    let linked = nodes(reader)?;
    let [unix_ms, position, keys, digest, expiring, expiring_digest, next_expiry] = numbers(reader)?;
    let content = Content { keys, digest, expiring, expiring_digest, next_expiry };
    let (diverged, busy) = (reader.u8()? != 0, reader.u8()? != 0);
    let [listings, parted, seen] = numbers(reader)?;
    Some(Ack {
        received,
        durable,
        vector,
        durable_vector,
        linked,
        unix_ms,
        position,
        content,
        diverged,
        busy,
        listings,
        parted,
        seen,
        floor: stamp(reader)?,
    })
}

fn changes<'a>(reader: &mut Reader<'a>, body: &'a [u8]) -> Option<Frame<'a>> {
    let [direct, relay] = numbers(reader)?;
    let progress = Progress { direct, relay, claims: VersionVector::decode_short(reader)? };
    let start = body.len() - reader.left();
    for _ in 0..CHANGES_MAX {
        if !reader.is_empty() {
            Sent::decode(reader)?;
        }
    }
    Some(Frame::Changes(progress, Changes::checked(&body[start..])))
}

fn listing<'a>(reader: &mut Reader<'a>, body: &'a [u8]) -> Option<Frame<'a>> {
    let listing = match reader.u8()? {
        0 => Listing::Begin(VersionVector::decode_short(reader)?),
        1 => Listing::Items,
        2 => Listing::End,
        _ => return None,
    };
    let items = &body[body.len() - reader.left()..];
    *reader = Reader::new(&[]);
    let fits = items.len().is_multiple_of(ITEM_BYTES) && items.len() <= ITEMS_MAX * ITEM_BYTES;
    fits.then_some(Frame::Listing(listing, Items(items)))
}

pub(super) fn put_cursor(out: &mut Vec<u8>, cursor: Cursor) {
    put_u64(out, cursor.life);
    put_u64(out, cursor.direct);
    put_u64(out, cursor.relay);
}

pub(super) fn cursor(reader: &mut Reader<'_>) -> Option<Cursor> {
    Some(Cursor { life: reader.u64()?, direct: reader.u64()?, relay: reader.u64()? })
}

pub(super) fn put_stamp(out: &mut Vec<u8>, stamp: Stamp) {
    put_u64(out, stamp.clock);
    put_u16(out, stamp.node);
}

pub(super) fn stamp(reader: &mut Reader<'_>) -> Option<Stamp> {
    Some(Stamp { clock: reader.u64()?, node: reader.u16()? })
}

fn put_nodes(out: &mut Vec<u8>, nodes: &[NodeId]) {
    put_u16(out, nodes.len() as u16);
    nodes.iter().for_each(|&node| put_u16(out, node));
}

fn nodes(reader: &mut Reader<'_>) -> Option<Vec<NodeId>> {
    let count = reader.u16()?;
    let nodes: Vec<NodeId> = (0..count).map(|_| reader.u16()).collect::<Option<_>>()?;
    nodes.is_sorted_by(|one, next| one < next).then_some(nodes)
}

fn numbers<const COUNT: usize>(reader: &mut Reader<'_>) -> Option<[u64; COUNT]> {
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        *number = reader.u64()?;
    }
    Some(numbers)
}
