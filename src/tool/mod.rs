//! What this program does beside running a node: one thing, and then it ends.

mod backup;
pub mod certs;
mod check;
mod cli;
mod client;
mod clock;
mod failure;
mod interrupt;
mod made;
mod pages;
mod placing;
mod progress;
mod restore;
mod secret;
mod status;
mod table;
mod text;
mod transfer;
mod watch;

pub use failure::Failure;

use crate::config::Tool;

/// Does it. What it has to say is a text, empty where all is said.
pub fn run(tool: &Tool) -> Result<String, Failure> {
    let silent = |()| String::new();
    match tool {
        Tool::Backup(arguments) => backup::run(arguments),
        Tool::Certs(arguments) => Ok(certs::make(arguments)?),
        Tool::Check(arguments) => check::run(arguments),
        Tool::Cli(arguments) => cli::run(arguments).map(silent),
        Tool::Completions(arguments) => Ok(pages::completions(arguments.shell)),
        Tool::Export(arguments) => transfer::export(arguments).map(silent),
        Tool::Import(arguments) => transfer::import(arguments).map(silent),
        Tool::Man(arguments) => match &arguments.out {
            Some(directory) => Ok(pages::write_all(directory)?),
            None => pages::man(arguments.tool.as_deref()).map_err(Failure::unknown),
        },
        Tool::Restore(arguments) => restore::run(arguments),
        Tool::Secret(arguments) => Ok(secret::make(arguments)?),
        Tool::Status(arguments) => status::run(arguments),
        Tool::Watch(arguments) => watch::run(arguments).map(silent),
    }
}
