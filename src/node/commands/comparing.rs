//! Compare-and-set: what is done to a key only as long as its value is what the client believes it to be.
//!
//! `IFEQ`, `IFNE` (as `SET` of Valkey 8.1 and Redis 8.4 has them) name the value itself, `IFDEQ`, `IFDNE` its digest: 64
//! bits of XXH3, in 16 hexadecimal digits. Comparing and writing are one step on the node that runs the request. Other
//! nodes are not asked.

use xxhash_rust::xxh3::xxh3_64;

use super::fail::{Fail, is, wrong_arity};
use super::{Args, Command, Data, Outcome, Reply, keys};
use crate::node::steps::COPIED_PER_STEP;

/// Digits of a digest.
const DIGEST_DIGITS: usize = 16;

const NOT_DIGEST: Fail = Fail::said("ERR must be exactly 16 hexadecimal characters");

/// What has to be so of a key's value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison<'a> {
    subject: Subject,
    /// Whether it is to be the operand, or anything else.
    is_equal: bool,
    operand: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum Subject {
    Value,
    Digest,
}

impl<'a> Comparison<'a> {
    /// The one that an option asks for.
    pub(super) fn named(option: &[u8], operand: &'a [u8]) -> Option<Comparison<'a>> {
        let kinds = [
            ("IFEQ", Subject::Value, true),
            ("IFNE", Subject::Value, false),
            ("IFDEQ", Subject::Digest, true),
            ("IFDNE", Subject::Digest, false),
        ];
        let found = kinds.into_iter().find(|(word, ..)| is(option, word));
        found.map(|(_, subject, is_equal)| Comparison { subject, is_equal, operand })
    }

    /// Whether it is so. A key without a value is equal to nothing. As with Redis a digest is looked at where there is a
    /// value that it is compared with; what no value can have is refused there.
    pub(super) fn holds(&self, value: Option<&[u8]>) -> Result<bool, Fail> {
        let Some(value) = value else { return Ok(!self.is_equal) };
        let is_same = match self.subject {
            Subject::Value => value == self.operand,
            Subject::Digest => xxh3_64(value) == read_digest(self.operand)?,
        };
        Ok(is_same == self.is_equal)
    }

    /// Steps of the turn that it takes.
    pub(super) fn steps(&self, value: Option<&[u8]>) -> usize {
        let bytes = value.map_or(0, <[u8]>::len);
        match self.subject {
            Subject::Value if bytes != self.operand.len() => 0,
            Subject::Value | Subject::Digest => bytes / COPIED_PER_STEP,
        }
    }
}

fn read_digest(text: &[u8]) -> Result<u64, Fail> {
    let is_digest = text.len() == DIGEST_DIGITS && text.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(text).ok().filter(|_| is_digest).ok_or(NOT_DIGEST)?;
    u64::from_str_radix(digits, 16).map_err(|_| NOT_DIGEST)
}

pub(super) fn del_ex(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => keys::del(cx, args),
        4 => {
            let comparison = Comparison::named(args.at(2), args.at(3))
                .ok_or(Fail::said("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"))?;
            delete_if(cx, args.at(1), comparison)
        }
        _ => Err(wrong_arity(Command::DelEx)),
    }
}

pub(super) fn del_if_eq(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    delete_if(cx, args.at(1), Comparison { subject: Subject::Value, is_equal: true, operand: args.at(2) })
}

/// Deletes the key where it has a value of which this is so.
fn delete_if(cx: &mut Data<'_>, key: &[u8], comparison: Comparison<'_>) -> Outcome {
    let value = cx.keys.get(key);
    let steps = comparison.steps(value);
    let is_done = value.is_some() && comparison.holds(value)?;
    if is_done {
        cx.remove(key);
        cx.notify('g', "del", key);
    }
    cx.out.answer(match is_done {
        _ if cx.out.dialect().follows_redis() => Reply::Int(is_done.into()),
        true => Reply::Ok,
        false => Reply::Simple("NOT DELETED"),
    });
    cx.done_after(steps)
}

pub(super) fn digest(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let Some(value) = cx.look_up(args.at(1)) else {
        cx.miss_absent(args.from(1));
        return cx.answer(Reply::Nil);
    };
    let (digest, bytes) = (format!("{:0DIGEST_DIGITS$x}", xxh3_64(value)), value.len());
    cx.out.answer(Reply::Value(digest.as_bytes()));
    cx.done_after_copying(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the hash's authors and of Redis' documentation, one of them with zeros in front.
    #[test]
    fn digests_are_those_of_redis() {
        let long = "v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd";
        for (value, expected) in
            [("", "2d06800538d394c2"), ("Hello world", "b6acb9d84a38ff74"), (long, "00006c38adf31777")]
        {
            assert_eq!(format!("{:016x}", xxh3_64(value.as_bytes())), expected, "{value}");
        }
    }

    #[test]
    fn nothing_but_sixteen_hexadecimal_digits_is_a_digest() {
        assert_eq!(read_digest(b"00006C38adf31777").ok(), Some(0x6c38_adf3_1777));
        for text in
            ["", "6c38adf31777", "000006c38adf31777", "00006c38adf3177g", "+0006c38adf31777", "0x006c38adf31777"]
        {
            assert_eq!(read_digest(text.as_bytes()), Err(NOT_DIGEST), "{text}");
        }
    }
}
