//! What a node says of itself to other nodes and to people, and what several of them come to.
//!
//! - `report`: one node's word of itself and of its links, as it travels
//! - `known`: what is known of one node; `cluster`: of all: what `STATUS` and `GET /v1/status` answer
//! - `verdict`: that in a sentence, with what to do about the worst of it; `problems`: what can be wrong, by severity;
//!   `problem`: one of them
//! - `words`: numbers as people read them
//!
//! Nodes of different versions read each other: what a reader does not know it skips, and what a writer does not say is
//! nothing, or none. Pure: it knows no node, no link and no clock.

mod cluster;
mod known;
mod problem;
mod problems;
mod report;
mod verdict;
mod words;

pub use cluster::ClusterStatus;
pub use known::Known;
pub use problem::{Level, Problem};
pub use report::{NodeStatus, PeerRow};
pub use verdict::{Verdict, verdict};
pub use words::{count, time};
