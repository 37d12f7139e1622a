//! What this program does beside running a node: one thing, and then it ends.

mod backup;
pub mod certs;
mod check;
#[allow(dead_code, reason = "the tools behind `check` use all of it")]
mod client;
mod failure;
mod restore;
mod secret;

pub use failure::Failure;

use crate::config::Tool;

/// Does it. What it has to say is a text.
pub fn run(tool: &Tool) -> Result<String, Failure> {
    match tool {
        Tool::Backup(arguments) => backup::run(arguments),
        Tool::Certs(arguments) => Ok(certs::make(arguments)?),
        Tool::Check(arguments) => check::run(arguments),
        Tool::Restore(arguments) => restore::run(arguments),
        Tool::Secret => Ok(secret::make()?),
    }
}
