//! Clusters of real processes on the loopback interface: killed, stopped, wiped, misconfigured, signalled, overloaded.
//!
//! Every wait ends as soon as what it waits for is there, and no test asks how long that took; `--nocapture` shows
//! counts.
#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../fuzz/random.rs"]
mod random;

mod crashes;
mod load;
mod membership;
mod mismatches;
mod nodes;
mod overload;
mod pauses;
mod relay;
mod requests;
mod restores;
mod secrets;
mod sharing;
mod starts;
