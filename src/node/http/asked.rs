//! A request that was let in, and what may become of it.

use std::borrow::Cow;
use std::cell::Cell;

use super::batch::Batch;
use super::conversation::Long;
use crate::http::Wrong;
use crate::http::answer::{Answer, Manner, refusal};
use crate::http::head::Head;
use crate::http::target::{Target, number};
use crate::node::commands::context::Context;
use crate::node::commands::fail::Fail;
use crate::node::waits::Waits;
use crate::protocol::Reply;
use crate::protocol::http::status_of;

/// See the module.
pub(super) struct Asked<'a> {
    pub(super) head: &'a Head<'a>,
    pub(super) target: Target<'a>,
    /// What the path has behind the route's own, decoded.
    pub(super) rest: Cow<'a, [u8]>,
    /// How it is answered.
    pub(super) manner: Manner<'a>,
    /// How far it is, where it is several commands. What is left here is there when it is handed in again.
    pub(super) batch: Cell<Option<Box<Batch>>>,
}

/// What a route has done.
pub(super) enum Handled {
    /// The answer is written.
    Answered,
    /// The answer is written, and is the last one.
    Parted,
    /// The answer is written, and took all that the turn has.
    Exhausted,
    /// Nothing: the request is to be handed in again once this is over.
    Waits(Waits),
    /// The answer begins like this and takes several turns.
    Long(Answer, Long),
    /// The answer has begun, and goes on for as long as the connection is there.
    Streams,
}

/// Why a request is refused, and what is said beside it.
pub(super) struct Refused {
    pub(super) wrong: Wrong,
    pub(super) header: Option<(&'static str, Cow<'static, str>)>,
    /// Whether it is the last answer.
    pub(super) closes: bool,
}

/// The request is about the database of this number: 0 where it names none.
pub(super) fn select(cx: &mut Context<'_>, text: Option<&[u8]>) -> Result<(), Refused> {
    let number = text.map(number).transpose()?.unwrap_or(0);
    let Some(database) = cx.settings.options.database(number) else {
        let last = cx.settings.options.databases - 1;
        return Err(Wrong::said(400, format!("db is a number from 0 to {last}")).into());
    };
    cx.select(database);
    Ok(())
}

impl Asked<'_> {
    /// Writes the answer.
    pub(super) fn answer(&self, cx: &mut Context<'_>, answer: &Answer, body: &[u8]) {
        answer.write(self.manner, body, cx.out.bytes());
    }

    /// Writes an answer without a body.
    pub(super) fn answer_empty(&self, cx: &mut Context<'_>, answer: &Answer) {
        answer.write_empty(self.manner, cx.out.bytes());
    }
}

impl Refused {
    /// With a header.
    pub(super) fn with(wrong: Wrong, name: &'static str, value: impl Into<Cow<'static, str>>) -> Refused {
        Refused { header: Some((name, value.into())), ..wrong.into() }
    }

    /// Writes the answer.
    pub(super) fn write(&self, manner: Manner<'_>, out: &mut Vec<u8>) {
        let (mut answer, body) = refusal(&self.wrong);
        if let Some((name, value)) = &self.header {
            answer = answer.with(name, value);
        }
        answer.write(manner, &body, out);
    }
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Refused {
        Refused { wrong, header: None, closes: false }
    }
}

impl From<Fail> for Refused {
    /// A command's refusal, with the status that comes nearest to it.
    fn from(fail: Fail) -> Refused {
        let status = match (fail.reply(), fail.code()) {
            (Reply::Error(refusal), _) => status_of(refusal),
            (_, "NOPERM") => 403,
            (_, "NOAUTH" | "WRONGPASS") => 401,
            (_, "OOM") => 507,
            _ => 400,
        };
        let why = match &fail {
            Fail::Refused(refusal) => refusal.to_string(),
            // Behind its code.
            Fail::Said(why) => why.split_once(' ').map_or(&**why, |(_, why)| why).to_owned(),
        };
        Wrong::said(status, why).into()
    }
}
