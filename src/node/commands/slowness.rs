//! `SLOWLOG` and `LATENCY`: what took long.

use super::context::Data;
use super::fail::{Fail, integer, is, printable, unknown_or_arity};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply, subcommands};
use crate::metrics::durations::Durations;
use crate::metrics::latency::Event;
use crate::metrics::slow_log::Slow;
use crate::metrics::ticks::Phase;
use crate::node::replies::Replies;
use crate::protocol::subcommand::{Latency, SlowLog};

/// Entries that `SLOWLOG GET` answers where it does not say how many.
const ENTRIES: usize = 10;

/// Rows of a graph, and the characters that a row is filled with from below.
const GRAPH_ROWS: usize = 4;
const GRAPH_FILL: [char; 3] = ['_', 'o', '#'];
/// The latest samples, which a graph shows.
const GRAPH_COLUMNS: usize = 80;

pub(super) fn slow_log(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        SlowLog::Get if args.len() > 4 || args.get(3).is_some_and(|word| !is(word, "TICK")) => {
            Err(unknown_or_arity("SLOWLOG", args.at(1)))
        }
        SlowLog::Get => get(cx, args),
        SlowLog::Len => {
            let count = cx.timing.slow_log.entries().len();
            cx.answer(Reply::Int(count as i64))
        }
        SlowLog::Reset => {
            cx.timing.slow_log.clear();
            cx.answer(Reply::Ok)
        }
        SlowLog::Help => help(cx, Command::SlowLog),
    }
}

fn get(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = match args.get(2).map(integer) {
        None => ENTRIES,
        Some(Ok(-1)) => usize::MAX,
        Some(Ok(count @ 0..)) => count as usize,
        Some(_) => return Err(Fail::said("ERR count should be greater than or equal to -1")),
    };
    let Context { data: Data { out, .. }, timing, .. } = cx;
    let entries = timing.slow_log.entries();
    let with_ticks = args.len() == 4;
    out.answer(Reply::Array(count.min(entries.len())));
    for slow in entries.take(count) {
        out.answer(Reply::Array(6 + usize::from(with_ticks)));
        [slow.id, slow.unix_s, slow.us].into_iter().for_each(|number| out.answer(Reply::Int(number as i64)));
        out.answer(Reply::Array(slow.args.len()));
        slow.args.iter().for_each(|arg| out.answer(Reply::Value(arg)));
        out.answer(Reply::Value(slow.client.0.as_bytes()));
        out.answer(Reply::Value(&slow.client.1));
        if with_ticks {
            answer_tick(out, slow);
        }
    }
    DONE
}

/// The tick that a slow request was in: its number, and once it is over how long it took and its phases.
fn answer_tick(out: &mut Replies, slow: &Slow) {
    let mut figures = vec![("tick", slow.tick)];
    if let Some(tick) = &slow.during {
        figures.extend([("tick_us", tick.us()), ("off_cpu_us", tick.off_cpu_us)]);
        figures.extend(Phase::ALL.map(|phase| (phase.name(), tick.phase_us(phase))));
    }
    out.answer(Reply::Map(figures.len()));
    for (name, figure) in figures {
        out.answer(Reply::Value(name.as_bytes()));
        out.answer(Reply::Int(figure as i64));
    }
}

pub(super) fn latency(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Latency::Latest => latest(cx),
        Latency::History => history(cx, args),
        Latency::Graph => graph(cx, args),
        Latency::Reset => {
            let is_chosen =
                |name: &str| args.len() == 2 || args.from(2).any(|event| event.eq_ignore_ascii_case(name.as_bytes()));
            let count = cx.timing.latency.reset(is_chosen);
            cx.answer(Reply::Int(count as i64))
        }
        Latency::Histogram => histogram(cx, args),
        Latency::Doctor => {
            let report = report(cx);
            cx.answer(Reply::Text(&report))
        }
        Latency::Help => help(cx, Command::Latency),
    }
}

fn latest(cx: &mut Context<'_>) -> Outcome {
    let Context { data: Data { out, .. }, timing, .. } = cx;
    let events = timing.latency.events();
    out.answer(Reply::Array(events.len()));
    for (name, event) in events {
        let (unix_s, ms) = event.latest();
        out.answer(Reply::Array(4));
        out.answer(Reply::Value(name.as_bytes()));
        [unix_s, ms, event.longest_ms()].into_iter().for_each(|number| out.answer(Reply::Int(number as i64)));
    }
    DONE
}

fn history(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Context { data: Data { out, .. }, timing, .. } = cx;
    let Some((_, event)) = timing.latency.event(args.at(2)) else { return cx.answer(Reply::Array(0)) };
    out.answer(Reply::Array(event.samples().len()));
    for (unix_s, ms) in event.samples() {
        out.answer(Reply::Array(2));
        out.answer(Reply::Int(unix_s as i64));
        out.answer(Reply::Int(ms as i64));
    }
    DONE
}

/// The commands that were timed, all of them or those that are named.
fn histogram(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Context { data: Data { out, .. }, timing, .. } = cx;
    let named: Vec<Command> = args.from(2).filter_map(Command::named).collect();
    let is_wanted = |command: &Command| args.len() == 2 || named.contains(command);
    let timed: Vec<(Command, &Durations)> = timing.commands().filter(|(command, _)| is_wanted(command)).collect();
    out.answer(Reply::Map(timed.len()));
    for (command, durations) in timed {
        out.answer(Reply::Value(command.describe().name.as_bytes()));
        out.answer(Reply::Map(2));
        out.answer(Reply::Value(b"calls"));
        out.answer(Reply::Int(durations.count() as i64));
        out.answer(Reply::Value(b"histogram_usec"));
        out.answer(Reply::Map(durations.below_powers().count()));
        for (us, count) in durations.below_powers() {
            out.answer(Reply::Int(us as i64));
            out.answer(Reply::Int(count as i64));
        }
    }
    DONE
}

fn graph(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some((name, event)) = cx.timing.latency.event(args.at(2)) else {
        let event = printable(args.at(2));
        return Err(format!("ERR No samples available for event '{event}'").into());
    };
    let drawn = draw(name, event, cx.now.unix_ms / 1000);
    cx.answer(Reply::Text(&drawn))
}

/// A column for each sample, from the shortest to the longest, and below it how long ago that was.
fn draw(name: &str, event: &Event, now_s: u64) -> String {
    let samples: Vec<_> = event.samples().skip(event.samples().len().saturating_sub(GRAPH_COLUMNS)).collect();
    let high = samples.iter().map(|(_, ms)| *ms).max().unwrap_or(0);
    let low = samples.iter().map(|(_, ms)| *ms).min().unwrap_or(0);
    let steps = GRAPH_FILL.len() * GRAPH_ROWS;
    let step = |ms: u64| ((ms - low) as usize * steps / ((high - low) as usize).max(1)).min(steps - 1);
    let longest_ms = event.longest_ms();
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {longest_ms} ms)\n");
    text += &"-".repeat(GRAPH_COLUMNS);
    text.push('\n');
    for base in (0..GRAPH_ROWS).rev().map(|row| row * GRAPH_FILL.len()) {
        text.extend(samples.iter().map(|(_, ms)| match step(*ms).checked_sub(base) {
            None => ' ',
            Some(above) => GRAPH_FILL.get(above).copied().unwrap_or('|'),
        }));
        text.push('\n');
    }
    let ages: Vec<Vec<char>> = samples.iter().map(|(unix_s, _)| age(now_s.saturating_sub(*unix_s))).collect();
    text += &" ".repeat(samples.len());
    text.push('\n');
    for row in 0..ages.iter().map(Vec::len).max().unwrap_or(0) {
        text.extend(ages.iter().map(|age| age.get(row).copied().unwrap_or(' ')));
        text.push('\n');
    }
    text
}

fn age(s: u64) -> Vec<char> {
    let text = match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m", s / 60),
        3_600..86_400 => format!("{}h", s / 3_600),
        _ => format!("{}d", s / 86_400),
    };
    text.chars().collect()
}

fn report(cx: &Context<'_>) -> String {
    let (longest, latency) = (cx.metrics.ticks.longest(), &cx.timing.latency);
    let phase = longest.longest_phase();
    let mut text = format!(
        "The longest turn of the loop took {} us, {} of them for {}.\n",
        longest.us(),
        longest.phase_us(phase),
        phase.name()
    );
    if latency.threshold_ms == 0 {
        text += "Nothing else is watched: CONFIG SET latency-monitor-threshold <milliseconds>.\n";
    }
    for (name, event) in latency.events() {
        let (count, (_, latest_ms), longest_ms) = (event.samples().len(), event.latest(), event.longest_ms());
        let mean_ms = event.samples().map(|(_, ms)| ms).sum::<u64>() / count as u64;
        text += &format!(
            "{name}: {count} samples, {mean_ms} ms on average, {latest_ms} ms lately, {longest_ms} ms at most.\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::latency::Latency;

    #[test]
    fn a_graph_has_a_column_for_each_sample_and_says_how_long_ago_it_was() {
        let mut latency = Latency::default();
        latency.threshold_ms = 1;
        for (unix_s, ms) in [(1, 100), (7_200, 150), (90_000, 200), (90_055, 125)] {
            latency.note("command", unix_s, ms * 1_000);
        }
        let (name, event) = latency.event(b"command").expect("it was noted");
        let text = draw(name, event, 90_060);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 200 ms, low 100 ms (all time high 200 ms)");
        assert_eq!(lines[2..], ["  # ", " _| ", " ||_", "_|||", "    ", "1215", "d3ms", " h  "]);
    }
}
