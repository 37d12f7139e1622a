//! The turns of the loop, and what the longest one was spent on.

use super::row::{Read, Statistic, counter, gauge, histogram, text};
use super::section::Family;
use super::section::Section::{Stats, Ticks};
use crate::metrics::statistic::Kind;
use crate::metrics::statistic::Shown::Plain;
use crate::metrics::ticks::Phase;

pub(super) const STATISTICS: &[Statistic] = &[
    counter("ticks", "Turns of the loop.", |of| of.ticks().durations().count().into()).field(
        Stats,
        "eventloop_cycles",
        Plain,
    ),
    counter("ticks_us", "How long all turns of the loop took.", |of| of.ticks().durations().sum().into())
        .us()
        .for_redis()
        .field(Stats, "eventloop_duration_sum", Plain),
    histogram("tick_duration_us", "How long the turns of the loop took.", |of| of.ticks().durations()),
    gauge("longest_tick_us", "How long the longest turn took.", |of| of.ticks().longest().us().into())
        .named("longest_tick")
        .us()
        .too(Ticks),
    text("longest_tick_phase", "The phase that took most of the longest turn.", |of| {
        of.ticks().longest().longest_phase().name().into()
    })
    .too(Ticks),
    Statistic::of(
        Kind::Gauge,
        "longest_tick_spent_us",
        "How much of the longest turn went to each phase.",
        Read::Each(Family::Phase, |of, member| of.ticks().longest().phase_us(Phase::ALL[member]).into()),
    )
    .line("longest_tick_{}_us")
    .us()
    .too(Ticks),
    gauge("longest_tick_off_cpu_us", "For how much of the longest turn the thread had no processor.", |of| {
        of.ticks().longest().off_cpu_us.into()
    })
    .us()
    .too(Ticks),
    gauge("longest_tick_recent_us", "How long the longest turn of the last minute took.", |of| {
        of.ticks().longest_of_minute_us(of.now().monotonic_us).into()
    })
    .us()
    .too(Ticks),
    Statistic::of(
        Kind::Counter,
        "ticks_spent_us",
        "How much of all turns went to each phase.",
        Read::Each(Family::Phase, |of, member| of.ticks().phase_us(Phase::ALL[member]).into()),
    )
    .line("ticks_{}_us")
    .us()
    .too(Ticks),
    gauge("longest_tick_at_unix_ms", "The wall clock when the longest turn began.", |of| {
        of.ticks().longest().unix_ms.into()
    })
    .named("longest_tick_timestamp")
    .ms()
    .too(Ticks),
    gauge("longest_tick_requests", "Requests executed in the longest turn.", |of| {
        of.ticks().longest().traffic.requests.into()
    })
    .too(Ticks),
    gauge("longest_tick_bytes_in", "Bytes read in the longest turn.", |of| {
        of.ticks().longest().traffic.bytes_in.into()
    })
    .bytes()
    .too(Ticks),
    gauge("longest_tick_bytes_out", "Bytes written in the longest turn.", |of| {
        of.ticks().longest().traffic.bytes_out.into()
    })
    .bytes()
    .too(Ticks),
    gauge("tick_us_p50", "How long half of all turns took at most, to within an eighth.", |of| {
        of.ticks().durations().at_most(500).into()
    })
    .us()
    .too(Ticks),
    gauge("tick_us_p99", "How long 99 of 100 turns took at most, to within an eighth.", |of| {
        of.ticks().durations().at_most(990).into()
    })
    .us()
    .too(Ticks),
    gauge("tick_us_p999", "How long 999 of 1,000 turns took at most, to within an eighth.", |of| {
        of.ticks().durations().at_most(999).into()
    })
    .us()
    .too(Ticks),
    gauge("tick_on_cpu_us_max", "The most that one turn took on a processor.", |of| of.ticks().on_cpu_us_max().into())
        .us()
        .too(Ticks),
    counter("log_lines_dropped", "Log lines that nobody took in time.", |of| of.metrics().log_lines_dropped.into())
        .too(Stats),
];
