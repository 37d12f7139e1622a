//! HTTP on the port: real clients, pure nodes, and web pages that try what they must not.

#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../encryption/certificates.rs"]
mod certificates;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/pure.rs"]
mod pure;
#[path = "../harness/scrape.rs"]
mod scrape;

mod answers;
mod batches;
mod calls;
mod checking;
mod clients;
mod dashboard;
mod description;
mod doors;
mod framing;
mod guards;
mod health;
mod history;
mod hostile;
mod listing;
mod login;
mod me;
mod metrics;
mod page;
mod status;
mod tools;
mod values;
mod waiting;
mod watching;
