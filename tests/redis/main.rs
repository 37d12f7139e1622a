//! The node as Redis clients see it: the same requests as a Redis server, and the clients themselves.

#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../cluster/nodes.rs"]
mod nodes;
#[path = "../cluster/sharing.rs"]
mod sharing;

mod catalog;
mod clients;
mod crate_client;
mod differential;
mod generator;
mod json;
mod large;
mod others;
mod patterns;
mod reply;
mod scripting;
mod statistics;
mod strangers;
mod sums;
mod users;
