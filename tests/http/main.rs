//! HTTP on the port: real clients, pure nodes, and web pages that try what they must not.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/pure.rs"]
mod pure;

mod answers;
mod doors;
mod framing;
mod guards;
mod health;
mod listing;
mod values;
