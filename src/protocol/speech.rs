//! What each dialect says of itself: how it is read and written, and in what it differs from the others.

use memchr::memchr;

use super::json::answer::{Envelope, Parts};
use super::{Decoded, Refusal, Reply, Request, Scratch};

/// In what a dialect differs from others, as far as anybody beside it has to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// What it is called.
    pub(super) name: &'static str,
    /// The byte that its requests begin with, and no request of another dialect does: a client that sends it speaks
    /// this one from there on.
    pub(super) begin: Option<u8>,
    /// The version of RESP that it is.
    pub(super) resp_version: Option<i64>,
    /// Whether messages of channels can be said in it.
    pub(super) has_channels: bool,
    /// Whether they can be told from answers.
    pub(super) has_pushes: bool,
    /// Whether commands of Redis mean in it what they mean there.
    pub(super) follows_redis: bool,
    /// Whether a newline ends a value.
    pub(super) forbids_newlines: bool,
    /// Whether a client is told that its last request had no end.
    pub(super) tells_of_missing_end: bool,
    /// Whether it is HTTP, whose requests are read by who serves them: nothing else follows it on a connection.
    pub(super) is_http: bool,
}

/// What is known of the request that a client's bytes begin with, while its end has not come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes at the beginning that were looked through.
    pub(super) scanned: usize,
    /// So many bytes at least it has.
    pub(super) needs: usize,
    /// Whether the client has proven nothing and has to.
    pub(super) is_stranger: bool,
    /// What is known to be right, where it is RESP.
    pub(super) known: Known,
    /// What its answer is wrapped in, where it is JSON and whole.
    pub(super) envelope: Option<Box<Envelope>>,
}

/// What of an array is known to be right, so that it is not read again with every piece.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// So many words are there.
    pub(super) words: i64,
    /// Up to here.
    pub(super) end: usize,
}

/// A dialect.
pub(super) trait Speech {
    const TRAITS: Traits;

    /// Reads the first request. `is_first` says that nothing valid has come on this connection yet.
    fn decode<'a>(
        bytes: &'a [u8],
        progress: &mut Progress,
        is_first: bool,
        value_bytes_max: usize,
        scratch: &'a mut Scratch,
    ) -> Decoded<'a>;

    /// The first request, if it is all there, lies in the bytes as it is meant, and reading it leaves nothing behind.
    fn decode_plain<'a>(
        _bytes: &'a [u8],
        _is_first: bool,
        _value_bytes_max: usize,
        _scratch: &'a mut Scratch,
    ) -> Option<(Request<'a>, usize)> {
        None
    }

    /// Whether these bytes may hold a whole request.
    fn may_be_whole(bytes: &[u8], progress: &Progress) -> bool {
        memchr(b'\n', bytes.get(progress.scanned..).unwrap_or(bytes)).is_some()
    }

    /// Writes something beside the answer to a request.
    fn encode(reply: Reply<'_>, out: &mut Vec<u8>);

    /// Writes a part of the answer to a request, or puts it to the other parts where the whole is written at once.
    fn answer(reply: Reply<'_>, _parts: &mut Parts, out: &mut Vec<u8>) {
        Self::encode(reply, out);
    }

    /// What comes before a value of so many bytes, and what after it; `None`: values are not sent as they lie.
    fn value_frame(value_bytes: usize) -> Option<(String, &'static str)>;

    /// Writes a refusal in the place of an answer that was given already.
    fn refuse(_answer: &[u8], refusal: Refusal, out: &mut Vec<u8>) {
        Self::encode(Reply::Error(refusal), out);
    }
}
