//! The binary as a tool: what it says, what it prints, and its exit codes, beside real nodes.

#[path = "../harness/mod.rs"]
mod harness;

#[allow(dead_code, reason = "the tests of TLS use all of it")]
#[path = "../encryption/certificates.rs"]
mod certificates;

mod backups;
mod pages;
mod reaching;
mod restores;
mod status;
mod talking;
mod terminal;
mod transfers;
mod using;
mod watching;
