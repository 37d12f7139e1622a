//! `SLOWLOG`: the requests that took longest, the latest first, as Redis keeps them
//! (<https://redis.io/docs/latest/commands/slowlog-get/>).

use std::collections::VecDeque;

use super::ticks::Tick;

/// Arguments of a request that are kept, and bytes of each; what is left out is counted.
const ARGS_MAX: usize = 32;
const ARG_BYTES_MAX: usize = 128;

/// A request that was slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Its number among all that were ever slow.
    pub id: u64,
    /// The wall clock then.
    pub unix_s: u64,
    /// How long it took.
    pub us: u64,
    /// The request, shortened.
    pub args: Vec<Vec<u8>>,
    /// The client's address and name.
    pub client: (String, Vec<u8>),
    /// The number of the tick in which it ended, ...
    pub tick: u64,
    /// ... and that tick, once it is over.
    pub during: Option<Tick>,
}

/// Invariant: ids fall from front to back.
#[derive(Debug)]
pub struct SlowLog {
    /// From how many microseconds on a request is slow; negative: none is.
    pub threshold_us: i64,
    /// Requests that are kept.
    pub entries_max: usize,
    entries: VecDeque<Slow>,
    next_id: u64,
}

impl Default for SlowLog {
    fn default() -> SlowLog {
        SlowLog { threshold_us: 10_000, entries_max: 128, entries: VecDeque::new(), next_id: 0 }
    }
}

impl SlowLog {
    /// Keeps a request that took so long, and drops the oldest beyond what is kept.
    pub fn push(&mut self, us: u64, unix_s: u64, args: &[&[u8]], client: (&str, &[u8]), tick: u64) {
        let client = (client.0.to_owned(), client.1.to_vec());
        let (id, args) = (self.next_id, shortened(args));
        self.entries.push_front(Slow { id, unix_s, us, args, client, tick, during: None });
        self.next_id += 1;
        self.entries.truncate(self.entries_max);
    }

    /// A tick is over: the requests that were slow in it get to know it.
    pub fn end_tick(&mut self, tick: &Tick) {
        for slow in self.entries.iter_mut().take_while(|slow| slow.tick == tick.number) {
            slow.during = Some(*tick);
        }
    }

    /// Forgets all. Numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Whether that is slow.
    pub fn is_slow(&self, us: u64) -> bool {
        u64::try_from(self.threshold_us).is_ok_and(|threshold_us| us >= threshold_us)
    }

    /// The latest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Slow> {
        self.entries.iter()
    }
}

fn shortened(args: &[&[u8]]) -> Vec<Vec<u8>> {
    // The last place says how many there would have been.
    let kept = if args.len() > ARGS_MAX { ARGS_MAX - 1 } else { args.len() };
    let mut short: Vec<Vec<u8>> = args[..kept].iter().map(|arg| shortened_arg(arg)).collect();
    if kept < args.len() {
        short.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    short
}

fn shortened_arg(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= ARG_BYTES_MAX {
        return arg.to_vec();
    }
    let more = format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX);
    [&arg[..ARG_BYTES_MAX], more.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_come_first_and_the_oldest_go() {
        let mut log = SlowLog { entries_max: 2, ..SlowLog::default() };
        for us in [30, 10, 20] {
            log.push(us, 7, &[b"GET", b"a"], ("127.0.0.1:9", b"me"), 1);
        }
        let seen: Vec<_> = log.entries().map(|slow| (slow.id, slow.us)).collect();
        assert_eq!(seen, [(2, 20), (1, 10)]);
        log.clear();
        log.push(5, 8, &[b"PING"], ("", b""), 2);
        assert_eq!(log.entries().map(|slow| slow.id).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn what_was_slow_in_a_tick_knows_it_once_the_tick_is_over() {
        let mut log = SlowLog::default();
        [1, 2, 2].into_iter().for_each(|tick| log.push(9, 7, &[b"PING"], ("", b""), tick));
        let tick = Tick { number: 2, ..Tick::default() };
        log.end_tick(&tick);
        let known: Vec<_> = log.entries().map(|slow| slow.during.map(|tick| tick.number)).collect();
        assert_eq!(known, [Some(2), Some(2), None]);
    }

    #[test]
    fn a_negative_threshold_means_never_and_zero_always() {
        let is_slow = |threshold_us, us| SlowLog { threshold_us, ..SlowLog::default() }.is_slow(us);
        assert_eq!([is_slow(-1, u64::MAX), is_slow(0, 0), is_slow(10, 9), is_slow(10, 10)], [false, true, false, true]);
    }

    #[test]
    fn a_long_request_is_kept_in_short() {
        let long = [b'x'; 130];
        let mut args: Vec<&[u8]> = vec![b"MSET", &long];
        assert_eq!(shortened(&args)[1], [&[b'x'; 128][..], b"... (2 more bytes)"].concat());
        args.resize(32, b"y");
        assert_eq!(shortened(&args).len(), 32);
        args.push(b"z");
        assert_eq!(shortened(&args).len(), 32);
        assert_eq!(shortened(&args)[31], b"... (2 more arguments)");
    }
}
