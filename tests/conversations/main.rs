//! What a client sees: conversations as text files, the command line, hostile clients, real `nc`.
#[path = "../harness/cluster.rs"]
mod cluster;
#[path = "../harness/mod.rs"]
mod harness;

mod command_line;
mod conversations;
mod coverage;
mod crowds;
mod hostile;
mod netcat;
mod pure;
mod script;
mod signals;
mod system_calls;
mod wire;
