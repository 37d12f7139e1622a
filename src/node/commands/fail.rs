//! Why a request was not executed, in Redis' words, and how arguments are read that may be wrong.

use std::borrow::Cow;

use crate::metrics::errors::code_of;
use crate::protocol::glob::Unusable;
use crate::protocol::{Args, Command, Refusal, Reply, resp, words};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::node) enum Fail {
    /// A code, a space, and why.
    Said(Cow<'static, str>),
    Refused(Refusal),
}

pub(super) const SYNTAX: Fail = Fail::said("ERR syntax error");
pub(super) const NOT_INTEGER: Fail = Fail::said("ERR value is not an integer or out of range");
pub(super) const NOT_FLOAT: Fail = Fail::said("ERR value is not a valid float");
pub(super) const OVERFLOW: Fail = Fail::said("ERR increment or decrement would overflow");
pub(super) const NO_SUCH_KEY: Fail = Fail::said("ERR no such key");
pub(super) const TOO_LONG: Fail = Fail::said("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

impl Fail {
    pub(in crate::node) const fn said(why: &'static str) -> Fail {
        Fail::Said(Cow::Borrowed(why))
    }

    /// As it is said of the transaction that it ends.
    pub(super) fn that_aborts(self) -> Fail {
        match self {
            Fail::Said(why) => {
                let why = why.strip_prefix("ERR ").unwrap_or(&why);
                format!("EXECABORT Transaction discarded because of: {why}").into()
            }
            Fail::Refused(Refusal::OutOfMemory) => {
                let (code, why) = (Refusal::OutOfMemory.code(), words::OUT_OF_MEMORY);
                format!("EXECABORT Transaction discarded because of: {code} {why}").into()
            }
            Fail::Refused(refusal) => Fail::Refused(refusal),
        }
    }

    /// The code that Redis clients know it by.
    pub(in crate::node) fn code(&self) -> &str {
        match self {
            Fail::Said(why) => code_of(why),
            Fail::Refused(refusal) => refusal.code(),
        }
    }

    /// The answer.
    pub(in crate::node) fn reply(&self) -> Reply<'_> {
        match self {
            Fail::Said(why) => Reply::Fail(why),
            Fail::Refused(refusal) => Reply::Error(*refusal),
        }
    }
}

impl From<String> for Fail {
    /// Words of the client's may be in it, and an error is one line.
    fn from(why: String) -> Fail {
        Fail::Said(why.replace(['\r', '\n'], " ").into())
    }
}

impl From<Unusable> for Fail {
    fn from(_: Unusable) -> Fail {
        Fail::said("ERR pattern too complex")
    }
}

impl From<Refusal> for Fail {
    fn from(refusal: Refusal) -> Fail {
        Fail::Refused(refusal)
    }
}

/// A number.
pub(super) fn integer(text: &[u8]) -> Result<i64, Fail> {
    resp::integer(text).ok_or(NOT_INTEGER)
}

/// Whether an argument is this word, in any case.
pub(super) fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// Nobody knows the command.
pub(super) fn unknown(args: Args<'_>) -> Fail {
    let name = printable(&args[0][..args[0].len().min(128)]);
    let mut why = format!("ERR unknown command '{name}', with args beginning with: ");
    let mut shown = 0;
    for arg in args.from(1) {
        if shown >= 128 {
            break;
        }
        let part = &arg[..arg.len().min(128 - shown)];
        why += &format!("'{}' ", printable(part));
        shown += part.len() + 3;
    }
    why.into()
}

pub(super) fn wrong_arity(command: Command) -> Fail {
    format!("ERR wrong number of arguments for '{}' command", command.describe().name).into()
}

/// A subcommand (`client|id`) has another number of arguments.
pub(super) fn wrong_arity_of(command: &str, part: &[u8]) -> Fail {
    let part = printable(part).to_lowercase();
    format!("ERR wrong number of arguments for '{command}|{part}' command").into()
}

/// A command has no such subcommand.
pub(super) fn unknown_subcommand(command: &str, part: &[u8]) -> Fail {
    format!("ERR unknown subcommand '{}'. Try {} HELP.", printable(part), command.to_uppercase()).into()
}

/// A command has no such subcommand, or not with so many arguments.
pub(super) fn unknown_or_arity(command: &str, part: &[u8]) -> Fail {
    let part = printable(part);
    format!("ERR unknown subcommand or wrong number of arguments for '{part}'. Try {command} HELP.").into()
}

/// An error is one line, and Redis shows an argument up to a zero byte.
pub(super) fn printable(text: &[u8]) -> String {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).replace(['\r', '\n'], " ")
}
