//! kvbench: how many requests a key-value server answers in a second, how long each takes, and what that costs it.
//!
//! - [`options`]: what is asked for
//! - [`work`]: which requests, as bytes
//! - [`replies`]: where a reply ends
//! - [`stream`]: a connection's bytes, in plain text or in TLS
//! - [`load`]: connections, and when each request is sent and answered; [`alarm`] wakes it when one is due
//! - [`report`]: numbers for people and for machines, and a picture
//! - [`null`]: a server that parses and answers, and stores nothing

mod alarm;
mod load;
mod null;
mod options;
mod replies;
mod report;
mod stream;
mod work;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let options = options::Options::parse();
    let outcome = match options.null_server {
        Some(port) => null::serve(port, options.busy_poll),
        None => load::run(&options).and_then(|measured| report::print(&options, &measured)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("kvbench: {why}");
            ExitCode::FAILURE
        }
    }
}
