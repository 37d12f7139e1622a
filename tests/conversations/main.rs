//! What a client sees: conversations as text files, the command line, hostile clients, real `nc`.
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../encryption/certificates.rs"]
mod certificates;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/pure.rs"]
mod pure;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../encryption/talk.rs"]
mod talk;

mod access;
mod authentication;
mod backups;
mod command_line;
mod conversations;
mod coverage;
mod crowds;
mod environment;
mod events;
mod hostile;
mod limits;
mod machine;
mod netcat;
mod patterns;
mod place;
mod protected_mode;
mod refusals;
#[path = "../redis/reply.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod reply;
mod script;
mod secrets;
mod settings;
mod signals;
mod slowness;
mod statistics;
mod strangers;
mod supervision;
mod system_calls;
mod two_clients;
mod unix_socket;
mod users_file;
mod wire;
