//! What this program does beside running a node: one thing, and then it ends.

pub mod certs;
mod secret;

use crate::config::Tool;

/// Does it. What it has to say is a text, and so is an error.
pub fn run(tool: &Tool) -> Result<String, String> {
    match tool {
        Tool::Certs(arguments) => certs::make(arguments),
        Tool::Secret => secret::make(),
    }
}
