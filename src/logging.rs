//! Log lines leave through a bounded queue to a thread of its own, so that a terminal, pipe or disk that stops taking
//! them never stops the loop. Lines that find the queue full are counted, and the count is logged later.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

/// Lines that may wait. Some 100 KiB.
const QUEUE_LINES: usize = 1_024;
/// How long the end of the program waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_secs(1);
const THREAD_NAME: &str = "log";

static DROPPED: AtomicU64 = AtomicU64::new(0);

enum Message {
    Line { level: Level, target: String, text: String },
    Flush(SyncSender<()>),
}

struct QueueLogger {
    level: LevelFilter,
    queue: SyncSender<Message>,
}

/// Starts the thread and makes it the destination of all log lines.
pub fn start(level: LevelFilter) -> std::io::Result<LogQueue> {
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
    thread::Builder::new().name(THREAD_NAME.into()).spawn(move || print(lines, level))?;
    log::set_boxed_logger(Box::new(QueueLogger { level, queue: queue.clone() })).expect("the logger is set once");
    log::set_max_level(level);
    Ok(LogQueue(queue))
}

/// Lines that found the queue full, since the start.
pub fn dropped() -> u64 {
    DROPPED.load(Relaxed)
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
        metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (level, target, text) = (record.level(), record.target().to_owned(), record.args().to_string());
        match self.queue.try_send(Message::Line { level, target, text }) {
            Ok(()) => (),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => drop(DROPPED.fetch_add(1, Relaxed)),
        }
    }

    fn flush(&self) {}
}

fn print(lines: Receiver<Message>, level: LevelFilter) {
    let printer = SimpleLogger::new().with_level(level).with_utc_timestamps();
    let line = |level, target: &str, text: &str| {
        printer.log(&Record::builder().level(level).target(target).args(format_args!("{text}")).build());
    };
    let mut dropped_said = 0;
    for message in lines {
        match message {
            Message::Line { level, target, text } => line(level, &target, &text),
            Message::Flush(done) => drop(done.send(())),
        }
        let dropped = dropped();
        if dropped > dropped_said {
            let text = format!("{} log lines were dropped: the log's reader is too slow", dropped - dropped_said);
            line(Level::Warn, module_path!(), &text);
            dropped_said = dropped;
        }
    }
}
