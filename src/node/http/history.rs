//! `/v1/history`: how the node was, a column for each figure.

use std::io::Write;

use super::asked::{Asked, Handled, Refused};
use super::conversation::{Long, Slice, Step, Telling};
use crate::http::Wrong;
use crate::http::answer::{Answer, JSON};
use crate::http::target::number;
use crate::metrics::history::History;
use crate::metrics::history::point::Point;
use crate::node::commands::context::Context;

/// Bytes of a slice after which it is ended: a number costs some 30 ns.
const NUMBERS_BYTES: usize = 4 << 10;

impl Step {
    fn ms(self) -> u64 {
        match self {
            Step::Second => 1_000,
            Step::Ten => 10_000,
        }
    }

    fn numbers(self, history: &History) -> std::ops::Range<u64> {
        match self {
            Step::Second => history.seconds().numbers(),
            Step::Ten => history.tens().numbers(),
        }
    }

    fn unix_ms(self, history: &History) -> u64 {
        match self {
            Step::Second => history.seconds().unix_ms(),
            Step::Ten => history.tens().unix_ms(),
        }
    }

    fn point(self, history: &History, number: u64) -> Option<&Point> {
        match self {
            Step::Second => history.seconds().get(number),
            Step::Ten => history.tens().get(number),
        }
    }
}

/// Points a second apart, or ten with `step=10`; with `after` those that are newer than that time.
pub(super) fn show(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [step, after] = asked.target.parameters(["step", "after"])?;
    let step = match step.as_deref().map(number).transpose()? {
        None | Some(1) => Step::Second,
        Some(10) => Step::Ten,
        Some(_) => return Err(Wrong::new(400, "a step is 1 or 10 seconds").into()),
    };
    let history = &cx.metrics.history;
    let mut numbers = step.numbers(history);
    if let Some(after) = after.as_deref().map(number).transpose()? {
        // Both clocks are not quite as fast: the nearest point is meant.
        let newer = (step.unix_ms(history).saturating_sub(after) + step.ms() / 2) / step.ms();
        numbers.start = numbers.start.max(numbers.end.saturating_sub(newer));
    }
    let columns = history.columns().map(|(column, peer)| {
        let name = column.name();
        (column, peer.map_or_else(|| name.to_owned(), |id| format!("{name}{id}")))
    });
    let (columns, at) = (columns.collect(), (0, numbers.start));
    Ok(Handled::Long(Answer::ok(JSON), Long::History(Box::new(Telling { step, numbers, columns, at }))))
}

/// `{"step_ms":...,"unix_ms":...,"columns":{...}}`, as far as a slice goes. Points that come meanwhile are not told.
pub(super) fn go_on(cx: &Context<'_>, telling: &mut Telling, out: &mut Vec<u8>) -> Slice {
    let Telling { step, numbers, columns, at: (place, next) } = telling;
    let history = &cx.metrics.history;
    let put = |text: std::fmt::Arguments<'_>, out: &mut Vec<u8>| out.write_fmt(text).expect("memory takes all");
    if (*place, *next) == (0, numbers.start) {
        let since_last_ms = (step.numbers(history).end - numbers.end) * step.ms();
        let unix_ms = step.unix_ms(history) - since_last_ms;
        put(format_args!("{{\"step_ms\":{},\"unix_ms\":{unix_ms},\"columns\":{{", step.ms()), out);
    }
    while let Some((column, name)) = columns.get(*place) {
        if *next == numbers.start {
            let comma = if *place == 0 { "" } else { "," };
            put(format_args!("{comma}\"{name}\":["), out);
        }
        while *next < numbers.end {
            let comma = if *next == numbers.start { "" } else { "," };
            match step.point(history, *next).and_then(|point| point.figure(*column)) {
                Some(figure) => put(format_args!("{comma}{figure}"), out),
                None => put(format_args!("{comma}null"), out),
            }
            *next += 1;
            if out.len() >= NUMBERS_BYTES {
                return Slice::More;
            }
        }
        out.push(b']');
        (*place, *next) = (*place + 1, numbers.start);
    }
    out.extend_from_slice(b"}}\n");
    Slice::Last
}
