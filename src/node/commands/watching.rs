//! Changes of keys as they happen, for clients that speak JSON.

use std::rc::Rc;

use super::context::Events;
use super::fail::Fail;
use super::{Args, Context, Outcome, Reply};

/// From a position on, or from here: the answer says where that is.
pub(super) fn watch(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let tail = cx.keys.store().last_position();
    let told = match args.get(2) {
        None => tail,
        Some(text) => {
            let position = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            position.filter(|&position| position <= tail).ok_or(Fail::said(
                "ERR no such position on this node: positions are a node's own, and end with the one that it answers",
            ))?
        }
    };
    let prefix: Rc<[u8]> = args.at(1).into();
    cx.client.watch = Some(Rc::clone(&prefix));
    let Events { sessions, id, .. } = &mut cx.data.events;
    sessions.watch(*id, cx.data.keys.store().selected(), prefix, told);
    cx.answer(Reply::Value(told.to_string().as_bytes()))
}

pub(super) fn unwatch(cx: &mut Context<'_>) -> Outcome {
    cx.client.watch = None;
    let Events { sessions, id, .. } = &mut cx.events;
    sessions.unwatch(*id);
    cx.answer(Reply::Ok)
}
