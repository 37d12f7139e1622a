//! The node as Redis clients see it: the same requests as a Redis server, and the clients themselves.

#[path = "../harness/mod.rs"]
mod harness;

mod differential;
mod generator;
mod reply;
