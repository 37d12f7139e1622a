//! From the command line to a running server, and the only exit code.

use std::io::Write;
use std::process::ExitCode;

use kvstoreapp::allocator::Allocator;
use kvstoreapp::config::{Config, Order, Stop, password};
use kvstoreapp::server::{process, signals, starting};
use kvstoreapp::tool;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    if let Err(mistake) = password::leave_environment() {
        return complain(&mistake, 2);
    }
    ALLOCATOR.start(|| signal_hook::low_level::exit(1));
    let may_run = signals::hold().map_err(|error| format!("cannot hold signals: {error}"));
    if let Err(mistake) = may_run.and_then(|()| process::check_memory_limits()) {
        return complain(&mistake, 1);
    }
    match Config::load(std::env::args_os().skip(1)) {
        Ok(Order::Use(tool)) => match tool::run(&tool) {
            Ok(said) => {
                if !said.is_empty() {
                    say(&said);
                }
                ExitCode::SUCCESS
            }
            // An answer that was shown has said why.
            Err(failure) if failure.why.is_empty() => ExitCode::from(failure.code),
            Err(failure) => complain(&failure.why, failure.code),
        },
        Ok(Order::Serve(config)) if config.check_only => match starting::check(&config) {
            Ok(()) => {
                say(&config.summary());
                ExitCode::SUCCESS
            }
            Err(mistake) => complain(&mistake, 2),
        },
        Ok(Order::Serve(config)) => match starting::run(*config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(mistake) => complain(&mistake, 1),
        },
        Err(Stop::Answer(answer)) => {
            say(answer.trim_end());
            ExitCode::SUCCESS
        }
        Err(Stop::Mistake(mistake)) => complain(&mistake, 2),
    }
}

/// To whoever asked; it does not matter whether they read all of it.
fn say(answer: &str) {
    let _ = writeln!(std::io::stdout(), "{answer}");
}

/// One line, whatever the mistake quotes.
fn complain(mistake: &str, code: u8) -> ExitCode {
    let visible = |char: char| if char.is_control() { char.escape_default().collect() } else { char.to_string() };
    let _ = writeln!(std::io::stderr(), "kvstoreapp: {}", mistake.chars().map(visible).collect::<String>());
    ExitCode::from(code)
}
