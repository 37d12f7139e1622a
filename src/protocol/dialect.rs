//! The dialects there are: the one list.

use super::json::answer::Parts;
use super::speech::{Progress, Speech, Traits};
use super::{Decoded, Refusal, Reply, Request, Scratch, http, json, line, resp};

macro_rules! dialects {
    ($($(#[$about:meta])* $name:ident is $speech:ty;)*) => {
        /// How a client speaks.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum Dialect { $($(#[$about])* $name,)* }

        const ALL: &[Dialect] = &[$(Dialect::$name,)*];

        impl Dialect {
            const fn traits(self) -> &'static Traits {
                match self { $(Dialect::$name => const { &<$speech>::TRAITS },)* }
            }

            /// See [`Speech::decode`].
            pub(super) fn decode<'a>(
                self,
                bytes: &'a [u8],
                progress: &mut Progress,
                is_first: bool,
                value_bytes_max: usize,
                scratch: &'a mut Scratch,
            ) -> Decoded<'a> {
                match self {
                    $(Dialect::$name => {
                        <$speech>::decode(bytes, progress, is_first, value_bytes_max, scratch)
                    })*
                }
            }

            /// See [`Speech::decode_plain`]; nothing of what begins as another dialect does.
            pub(super) fn decode_plain<'a>(
                self,
                bytes: &'a [u8],
                is_first: bool,
                value_bytes_max: usize,
                scratch: &'a mut Scratch,
            ) -> Option<(Request<'a>, usize)> {
                let &begin = bytes.first()?;
                match self {
                    $(Dialect::$name if Dialect::$name.is_left_by(begin) => None,
                    Dialect::$name => <$speech>::decode_plain(bytes, is_first, value_bytes_max, scratch),)*
                }
            }

            /// See [`Speech::may_be_whole`].
            pub(super) fn may_be_whole(self, bytes: &[u8], progress: &Progress) -> bool {
                match self { $(Dialect::$name => <$speech>::may_be_whole(bytes, progress),)* }
            }

            /// Writes something beside the answer to a request.
            pub fn encode(self, reply: Reply<'_>, out: &mut Vec<u8>) {
                match self { $(Dialect::$name => <$speech>::encode(reply, out),)* }
            }

            /// Writes a part of the answer to a request, or puts it to the other parts where the whole is written at
            /// once: when [`Decoder::take_envelope`](super::Decoder::take_envelope) gives what it is wrapped in.
            pub fn answer(self, reply: Reply<'_>, parts: &mut Parts, out: &mut Vec<u8>) {
                match self { $(Dialect::$name => <$speech>::answer(reply, parts, out),)* }
            }

            /// What comes before a value of so many bytes, and what after it; `None`: values are not sent as they lie.
            pub fn value_frame(self, value_bytes: usize) -> Option<(String, &'static str)> {
                match self { $(Dialect::$name => <$speech>::value_frame(value_bytes),)* }
            }

            /// Writes a refusal in the place of an answer that was given already.
            pub fn refuse(self, answer: &[u8], refusal: Refusal, out: &mut Vec<u8>) {
                match self { $(Dialect::$name => <$speech>::refuse(answer, refusal, out),)* }
            }
        }
    };
}

dialects! {
    /// Lines.
    #[default]
    Line is line::Line;
    /// RESP2.
    Resp2 is resp::Resp<2>;
    /// RESP3.
    Resp3 is resp::Resp<3>;
    /// JSON objects.
    Json is json::Json;
    /// HTTP, whose requests are read by who serves them.
    Http is http::Http;
}

impl Dialect {
    /// The dialect that is this version of RESP.
    pub fn resp(version: i64) -> Option<Dialect> {
        ALL.iter().copied().find(|dialect| dialect.traits().resp_version == Some(version))
    }

    /// HTTP, where nothing else is spoken.
    pub fn http() -> Dialect {
        Dialect::Http
    }

    /// The dialect that a client speaks whose next request begins so.
    pub fn begun_by(self, begin: u8) -> Dialect {
        if !self.is_left_by(begin) {
            return self;
        }
        ALL.iter().copied().find(|dialect| dialect.traits().begin == Some(begin)).unwrap_or(self)
    }

    /// Whether a request that begins so is in another dialect.
    const fn is_left_by(self, begin: u8) -> bool {
        if self.traits().is_http {
            return false;
        }
        if let Some(own) = self.traits().begin
            && own == begin
        {
            return false;
        }
        let mut at = 0;
        while at < ALL.len() {
            if let Some(other) = ALL[at].traits().begin
                && other == begin
            {
                return true;
            }
            at += 1;
        }
        false
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        self.traits().name
    }

    /// The version of RESP that the answers are of; what is no RESP counts as the oldest.
    pub fn resp_version(self) -> i64 {
        self.traits().resp_version.unwrap_or(2)
    }

    /// Whether messages of channels can be said in it.
    pub(super) fn has_channels(self) -> bool {
        self.traits().has_channels
    }

    /// Whether messages of channels can be told from answers in it.
    pub fn has_pushes(self) -> bool {
        self.traits().has_pushes
    }

    /// Whether commands of Redis mean in it what they mean there.
    pub fn follows_redis(self) -> bool {
        self.traits().follows_redis
    }

    /// Whether it bounds by itself what a client may say that has not authenticated.
    pub fn bounds_strangers(self) -> bool {
        self.traits().resp_version.is_some() || self.is_http()
    }

    /// Whether it is HTTP.
    pub fn is_http(self) -> bool {
        self.traits().is_http
    }

    /// Whether a newline ends a value, so that a value that has one cannot be said.
    pub fn forbids_newlines(self) -> bool {
        self.traits().forbids_newlines
    }

    /// Whether a client is told that its last request had no end.
    pub(super) fn tells_of_missing_end(self) -> bool {
        self.traits().tells_of_missing_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_of_a_request_says_which_dialect_it_is_in_or_leaves_it() {
        for dialect in [Dialect::Line, Dialect::Resp2, Dialect::Json] {
            assert_eq!(dialect.begun_by(b'*'), Dialect::Resp2);
        }
        assert_eq!(Dialect::Resp3.begun_by(b'*'), Dialect::Resp3);
        for &dialect in ALL {
            let begun = if dialect.is_http() { Dialect::Http } else { Dialect::Json };
            assert_eq!(dialect.begun_by(b'{'), begun, "HTTP is spoken to the end");
            assert_eq!(dialect.begun_by(b'G'), dialect);
        }
    }
}
