//! TLS as clients see it: real nodes, real certificates, and clients that do everything wrong.

#[path = "../harness/mod.rs"]
mod harness;

mod certificates;
mod crowds;
mod doors;
mod hellos;
mod renewals;
mod talk;
mod tools;
