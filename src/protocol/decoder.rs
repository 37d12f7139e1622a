//! A client's conversation, from bytes to requests, whatever it speaks.

use memchr::memchr;

use super::json::answer::Envelope;
use super::speech::Progress;
use super::{Decoded, Dialect, Refusal, Reply, Request, Scratch};

/// What beside its bytes decides how they are read.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Whether it is told of messages.
    pub is_listening: bool,
    /// Whether nothing more comes.
    pub has_ended: bool,
    /// Whether it has proven nothing and has to: what it may say is short.
    pub is_stranger: bool,
}

/// What a client has said so far, as far as it decides about what it says next.
#[derive(Debug)]
pub struct Decoder {
    dialect: Dialect,
    /// Whether no valid request has come yet.
    is_first: bool,
    /// Whether bytes are dropped up to the next line end.
    is_skipping: bool,
    progress: Progress,
}

impl Decoder {
    /// A conversation that begins in this dialect.
    pub fn new(dialect: Dialect) -> Decoder {
        Decoder { dialect, is_first: true, is_skipping: false, progress: Progress::default() }
    }

    /// How the client speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// It speaks so from its next request on.
    pub fn speak(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// It speaks as a client of Redis does who has not said otherwise.
    pub fn reset(&mut self) {
        self.dialect = Dialect::Resp2;
    }

    /// It speaks HTTP to the end.
    pub fn speak_http(&mut self) {
        self.dialect = Dialect::Http;
    }

    /// It speaks as a client does whose next request begins so.
    pub fn begin(&mut self, begin: u8) {
        self.dialect = self.dialect.begun_by(begin);
    }

    /// Reads the first request. Bytes that are not used have to come again, with more behind them.
    pub fn decode<'a>(
        &mut self,
        bytes: &'a [u8],
        value_bytes_max: usize,
        client: Client,
        scratch: &'a mut Scratch,
    ) -> Decoded<'a> {
        if self.is_skipping {
            return self.skip(bytes);
        }
        let decoded = self.read(bytes, value_bytes_max, client, scratch);
        let Progress { scanned, needs, .. } = &mut self.progress;
        (*scanned, *needs) = match &decoded {
            Decoded::Incomplete(needs) => (bytes.len(), *needs),
            _ => (0, 0),
        };
        self.is_skipping = matches!(decoded, Decoded::Oversized(_));
        decoded
    }

    /// The first request, if it is all there, lies in the bytes as it is meant, and changes nothing of how the next
    /// bytes are read.
    pub fn decode_plain<'a>(
        &self,
        bytes: &'a [u8],
        value_bytes_max: usize,
        scratch: &'a mut Scratch,
    ) -> Option<(Request<'a>, usize)> {
        if self.is_skipping || self.progress.scanned > 0 {
            return None;
        }
        self.dialect.decode_plain(bytes, self.is_first, value_bytes_max, scratch)
    }

    /// A request was executed.
    pub fn note_valid(&mut self) {
        self.is_first = false;
    }

    /// Whether one was.
    pub fn has_begun(&self) -> bool {
        !self.is_first
    }

    /// Whether all that came before is understood and forgotten, and no request was executed.
    pub fn is_fresh(&self) -> bool {
        self.is_first && !self.is_skipping
    }

    /// So many bytes at least has the request whose beginning has come.
    pub fn needs(&self) -> usize {
        self.progress.needs
    }

    /// Whether these bytes, which begin with what was not used, may hold a whole request.
    pub fn may_be_whole(&self, bytes: &[u8]) -> bool {
        self.dialect.may_be_whole(bytes, &self.progress)
    }

    /// What a client is told that has ended, and whose last bytes are no whole request.
    pub fn unterminated(&self) -> Option<Reply<'static>> {
        self.dialect.tells_of_missing_end().then_some(Reply::Error(Refusal::Unterminated))
    }

    /// Whether the answer to the request that was decoded last is to be wrapped.
    #[inline]
    pub fn has_envelope(&self) -> bool {
        self.progress.envelope.is_some()
    }

    /// What the answer to the request that was decoded last is to be wrapped in.
    pub fn take_envelope(&mut self) -> Option<Box<Envelope>> {
        self.progress.envelope.take()
    }

    /// The number of the database that the request decoded last is about, where it says so itself.
    pub fn asked_database(&self) -> Option<u64> {
        self.progress.envelope.as_ref()?.database
    }

    fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        value_bytes_max: usize,
        client: Client,
        scratch: &'a mut Scratch,
    ) -> Decoded<'a> {
        let Some(&begin) = bytes.first() else {
            // A body may be whole, or an answer under way.
            return if self.dialect.is_http() { Decoded::Http } else { Decoded::Incomplete(1) };
        };
        // Where nothing more comes, what is wrong with it is said.
        if bytes.len() < self.progress.needs && !client.has_ended {
            return Decoded::Incomplete(self.progress.needs);
        }
        let dialect = self.dialect.begun_by(begin);
        if client.is_listening && dialect != self.dialect && !dialect.has_channels() {
            let name = dialect.name();
            return Decoded::Fatal(format!("ERR Protocol error: no {name} while the client listens to channels"));
        }
        self.dialect = dialect;
        self.progress.is_stranger = client.is_stranger;
        dialect.decode(bytes, &mut self.progress, self.is_first, value_bytes_max, scratch)
    }

    fn skip(&mut self, bytes: &[u8]) -> Decoded<'static> {
        match memchr(b'\n', bytes) {
            Some(end) => {
                self.is_skipping = false;
                Decoded::Blank(end + 1)
            }
            None if bytes.is_empty() => Decoded::Incomplete(1),
            None => Decoded::Blank(bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::TEXT_VALUE_BYTES_MAX;

    const ALONE: Client = Client { is_listening: false, has_ended: false, is_stranger: false };

    /// What is said one behind the other, in all dialects, with what is wrong among it.
    const SAID: &[&str] = &[
        "SET a 1\r\n",
        "nonsense\n",
        "*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
        "echo 'a b'\r\n",
        "*0\r\n",
        "{\"op\":\"get\",\"key\":\"a\",\"id\":1}\n",
        "\n",
        "{\"op\":\"nonsense\"}\n",
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n",
        "{\"op\":\"ping\"}\n",
    ];

    /// What is read of the bytes where they come in pieces of this size.
    fn read(bytes: &[u8], piece: usize) -> Vec<String> {
        let (mut decoder, mut scratch, mut inbox) = (Decoder::new(Dialect::Line), Scratch::default(), Vec::new());
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            inbox.extend_from_slice(piece);
            loop {
                let plain = decoder.decode_plain(&inbox, 1 << 20, &mut scratch).map(said);
                let decoded = decoder.decode(&inbox, 1 << 20, ALONE, &mut scratch);
                let (what, used) = match decoded {
                    Decoded::Incomplete(needs) => {
                        assert!(plain.is_none() && needs > inbox.len());
                        break;
                    }
                    Decoded::Request(request, used) => {
                        let request = said((request, used));
                        assert!(plain.is_none_or(|plain| plain == request));
                        (request.0, used)
                    }
                    Decoded::Blank(used) => ("blank".to_owned(), used),
                    Decoded::Malformed(reply, used) => (format!("{reply:?}"), used),
                    Decoded::Failed(why, used) => (why, used),
                    Decoded::Oversized(reply) => (format!("{reply:?}"), inbox.len()),
                    Decoded::Fatal(_) | Decoded::Http => panic!("{decoded:?}"),
                };
                let envelope = decoder.take_envelope();
                assert_eq!(envelope.is_some(), decoder.dialect() == Dialect::Json && what != "blank");
                inbox.drain(..used);
                found.push(format!("{:?} {what}", decoder.dialect()));
            }
        }
        assert!(inbox.is_empty());
        found
    }

    fn said((request, used): (Request<'_>, usize)) -> (String, usize) {
        let args: Vec<_> = request.args.iter().map(String::from_utf8_lossy).collect();
        (format!("{:?} {args:?}", request.command), used)
    }

    #[test]
    fn what_is_read_does_not_depend_on_how_the_network_has_cut_it() {
        let bytes = SAID.concat().into_bytes();
        let whole = read(&bytes, bytes.len());
        assert_eq!(whole.len(), SAID.len());
        for piece in 1..40 {
            assert_eq!(read(&bytes, piece), whole, "in pieces of {piece} bytes");
        }
    }

    #[test]
    fn what_is_too_long_is_dropped_up_to_its_end() {
        let (mut decoder, mut scratch) = (Decoder::new(Dialect::Line), Scratch::default());
        let long = vec![b'x'; 2 * TEXT_VALUE_BYTES_MAX];
        assert!(matches!(decoder.decode(&long, 1 << 20, ALONE, &mut scratch), Decoded::Oversized(_)));
        assert!(!decoder.is_fresh());
        let rest = b"xx\nGET a\n";
        assert!(decoder.decode_plain(rest, 1 << 20, &mut scratch).is_none());
        assert!(
            matches!(decoder.decode(&long, 1 << 20, ALONE, &mut scratch), Decoded::Blank(used) if used == long.len())
        );
        assert!(matches!(decoder.decode(b"", 1 << 20, ALONE, &mut scratch), Decoded::Incomplete(_)));
        assert!(matches!(decoder.decode(rest, 1 << 20, ALONE, &mut scratch), Decoded::Blank(3)));
        assert!(matches!(decoder.decode(&rest[3..], 1 << 20, ALONE, &mut scratch), Decoded::Request(_, 6)));
    }
}
