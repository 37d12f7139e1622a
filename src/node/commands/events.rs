//! `EVENTS`: the last log lines that have a code, for whoever has no access to the log.

use super::fail::{SYNTAX, integer, is};
use super::{Args, Context, DONE, Outcome, Reply};

/// Events that are answered where nobody says how many.
const EVENTS: u64 = 20;

/// `EVENTS [COUNT n] [AFTER number]`: the earliest first; of more than `n` the latest.
pub(super) fn events(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut most, mut after) = (EVENTS, 0);
    for at in (1..args.len()).step_by(2) {
        let number = args.get(at + 1).ok_or(SYNTAX).and_then(integer)?;
        let number = u64::try_from(number).map_err(|_| SYNTAX)?;
        if is(args.at(at), "COUNT") {
            most = number;
        } else if is(args.at(at), "AFTER") {
            after = number;
        } else {
            return Err(SYNTAX);
        }
    }
    let events = cx.settings.log.after(after, usize::try_from(most).unwrap_or(usize::MAX));
    let out = &mut cx.out;
    out.answer(Reply::Array(events.len()));
    for event in events {
        out.answer(Reply::Map(6));
        out.answer(Reply::Value(b"number"));
        out.answer(Reply::Int(event.number as i64));
        out.answer(Reply::Value(b"unix_ms"));
        out.answer(Reply::Int(event.unix_ms as i64));
        for (name, text) in [("level", event.level), ("event", &event.code), ("message", &event.text)] {
            out.answer(Reply::Value(name.as_bytes()));
            out.answer(Reply::Value(text.as_bytes()));
        }
        out.answer(Reply::Value(b"fields"));
        out.answer(Reply::Map(event.fields.len()));
        for (name, value) in &event.fields {
            out.answer(Reply::Value(name.as_bytes()));
            out.answer(Reply::Value(value.as_bytes()));
        }
    }
    DONE
}
