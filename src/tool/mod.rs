//! What this program does beside running a node: one thing, and then it ends.

pub mod certs;
mod check;
#[allow(dead_code, reason = "the tools behind `check` use all of it")]
mod client;
mod failure;
mod secret;

pub use failure::Failure;

use crate::config::Tool;

/// Does it. What it has to say is a text.
pub fn run(tool: &Tool) -> Result<String, Failure> {
    match tool {
        Tool::Certs(arguments) => Ok(certs::make(arguments)?),
        Tool::Check(arguments) => check::run(arguments),
        Tool::Secret => Ok(secret::make()?),
    }
}
