//! Clients that flood, stall, crowd in or leave; terminals that stop; signals; and a real `nc` with real records.
//!
//! What is checked are counts: answers, bytes held, ticks, system calls, log lines. Nothing here depends on how fast
//! the machine is.

mod crowd;
mod ending;
mod fairness;
#[path = "../harness/mod.rs"]
mod harness;
mod log;
mod netcat;
mod system_calls;
