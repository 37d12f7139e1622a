//! Log lines leave through a bounded queue to a thread of its own, so that a terminal, pipe or disk that stops taking
//! them never stops the loop. Lines that find the queue full are counted, and the count is logged later.
//!
//! Of the lines that are events the last are kept in memory, whatever is printed: [`Kept`] shows them to the node.

pub mod levels;
mod line;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::kv::Value;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::metrics::events::{Event, Events};
use crate::node::LogBook;
use levels::Levels;
pub use line::Format;
use line::{Line, Printer, is_event};

/// Lines that may wait. Some 100 KiB.
const QUEUE_LINES: usize = 1_024;
/// How long the end of the program waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_secs(1);
const THREAD_NAME: &str = "log";

static DROPPED: AtomicU64 = AtomicU64::new(0);
static EVENTS: Mutex<Events> = Mutex::new(Events::new());
static LEVELS: OnceLock<Levels> = OnceLock::new();

enum Message {
    Line(Box<Line>),
    Flush(SyncSender<()>),
}

struct QueueLogger {
    levels: &'static Levels,
    queue: SyncSender<Message>,
}

/// Starts the thread and makes it the destination of all log lines.
pub fn start(levels: Levels, format: Format) -> std::io::Result<LogQueue> {
    let (queue, lines) = sync_channel(QUEUE_LINES);
    // `println!` panics where nobody reads the pipe any more. That ends the log, but must not end the server, and
    // the hook is the one place where a panic that aborts can be held.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| match thread::current().name() {
        Some(THREAD_NAME) => loop {
            thread::park();
        },
        Some(_) | None => hook(panic),
    }));
    thread::Builder::new().name(THREAD_NAME.into()).spawn(move || print(lines, format))?;
    let levels = LEVELS.get_or_init(|| levels);
    log::set_boxed_logger(Box::new(QueueLogger { levels, queue: queue.clone() })).expect("the logger is set once");
    limit(levels);
    Ok(LogQueue(queue))
}

/// Lines that found the queue full, since the start.
pub fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

/// Lines are made where somebody may want them: events are kept, printed or not.
fn limit(levels: &Levels) {
    log::set_max_level(levels.most().max(LevelFilter::Info));
}

fn events() -> MutexGuard<'static, Events> {
    EVENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The events that are kept, and what is printed, for the node.
#[derive(Debug)]
pub struct Kept;

impl LogBook for Kept {
    fn after(&self, number: u64, most: usize) -> Vec<Event> {
        events().after(number, most).cloned().collect()
    }

    fn set_level(&self, level: LevelFilter) {
        if let Some(levels) = LEVELS.get() {
            levels.set(level);
            limit(levels);
        }
    }
}

/// The way to the log's end.
pub struct LogQueue(SyncSender<Message>);

impl LogQueue {
    /// Waits until all lines are printed, but not for long.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.0.try_send(Message::Flush(done)).is_ok() {
            // An error is a log that does not move; the exit does not wait for it.
            let _ = wait.recv_timeout(FLUSH_MAX);
        }
    }
}

impl Log for QueueLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.levels.of(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        let (is_printed, is_event) = (self.enabled(record.metadata()), is_event(record));
        if !is_printed && !is_event {
            return;
        }
        let line = Line::of(record, unix_ms());
        line.event().into_iter().for_each(|event| events().push(event));
        if !is_printed {
            return;
        }
        match self.queue.try_send(Message::Line(Box::new(line))) {
            Ok(()) => (),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => drop(DROPPED.fetch_add(1, Relaxed)),
        }
    }

    fn flush(&self) {}
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn print(lines: Receiver<Message>, format: Format) {
    let printer = Printer::new(format);
    let mut dropped_said = 0;
    for message in lines {
        match message {
            // Nobody reads the log any more.
            Message::Line(line) if printer.print(&line).is_err() => return,
            Message::Line(_) => (),
            Message::Flush(done) => drop(done.send(())),
        }
        let dropped = dropped();
        if dropped > dropped_said {
            let count = dropped - dropped_said;
            let text = format!("{count} log lines were dropped: the log's reader is too slow");
            let fields = [("event", Value::from("log_dropped")), ("lines", Value::from(count))];
            let line = Line::of(
                &Record::builder()
                    .level(Level::Warn)
                    .target(module_path!())
                    .args(format_args!("{text}"))
                    .key_values(&fields)
                    .build(),
                unix_ms(),
            );
            if printer.print(&line).is_err() {
                return;
            }
            line.event().into_iter().for_each(|event| events().push(event));
            dropped_said = dropped;
        }
    }
}
