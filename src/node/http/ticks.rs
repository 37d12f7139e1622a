//! `/v1/ticks`: the longest turns of the loop in the last hour, and what each was spent on.

use std::io::Write;

use super::asked::{Asked, Handled, Refused};
use crate::http::answer::{Answer, JSON};
use crate::metrics::ticks::{Phase, Tick};
use crate::node::commands::context::Context;

/// `{"ticks":[...]}`, the longest first. They are few.
pub(super) fn show(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [] = asked.target.parameters([])?;
    let ticks = cx.metrics.ticks.longest_of_hour().list(cx.now.monotonic_us);
    let mut body = b"{\"ticks\":[".to_vec();
    for (place, tick) in ticks.iter().enumerate() {
        body.extend_from_slice(if place == 0 { b"" } else { b"," });
        put(tick, &mut body).expect("memory takes all");
    }
    body.extend_from_slice(b"]}\n");
    asked.answer(cx, &Answer::ok(JSON), &body);
    Ok(Handled::Answered)
}

fn put(tick: &Tick, out: &mut Vec<u8>) -> std::io::Result<()> {
    let Tick { number, unix_ms, off_cpu_us, traffic, .. } = tick;
    write!(out, "{{\"number\":{number},\"unix_ms\":{unix_ms},\"us\":{},\"off_cpu_us\":{off_cpu_us}", tick.us())?;
    out.extend_from_slice(b",\"phases_us\":{");
    for (place, phase) in Phase::ALL.into_iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(out, "{comma}\"{}\":{}", phase.name(), tick.phase_us(phase))?;
    }
    let (requests, bytes_in, bytes_out) = (traffic.requests, traffic.bytes_in, traffic.bytes_out);
    write!(out, "}},\"requests\":{requests},\"bytes_in\":{bytes_in},\"bytes_out\":{bytes_out}}}")
}
