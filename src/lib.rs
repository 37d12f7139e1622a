//! kvstoreapp: a distributed in-memory key-value server for people who want microseconds, not a platform.
//!
//! The way of the data, downward only:
//!
//! ```text
//! socket -> inbox -> decoder.decode -> Request<'_>              borrows the inbox
//!        -> commands::run(context, request) -> Reply<'_>        borrows the store
//!        -> dialect.answer(reply, outbox)                       straight into the outbox
//! -- then, once per tick --
//! links        -> what each peer lacks, a bounded part of it, into its outbox
//! snapshot     -> a bounded slice of the change list -> the writer thread, if it is ready for more
//! outboxes     -> one write per touched socket
//! ```
//!
//! The modules below stand in the order of imports: each uses only those above it. The first ten are pure: no
//! sockets, no clock, no disk, no threads, no randomness but what is passed in.
//!
//! - [`fault_injection`]: mistakes made on purpose, to show that the tests see them
//! - [`store`]: what every key is: entries, stamps, the change list
//! - [`protocol`]: bytes of clients to requests, and replies to bytes, in each dialect
//! - [`auth`]: users, what each may do, and how each proves who it is
//! - [`replication`]: what nodes tell each other, and how they end with the same data
//! - [`metrics`]: what is counted and timed
//! - [`http`]: HTTP as bytes: heads, bodies, guards against web pages, answers
//! - [`status`]: what a node says of itself, and what several of them come to
//! - [`scripting`]: scripts in Lua, run in a state that they can neither leave nor change
//! - [`replica`]: one copy of the data as one value: its start, its changes, its ticks
//! - [`node`]: replicas and the people who talk to them: sessions, commands, waiting, `INFO`
//! - [`files`]: files that people put there for a node, read whole or not at all
//! - [`secrets`]: the cluster's secrets: the file they lie in, and what is proven with them
//! - [`config`]: the file and the flags, understood and checked
//! - [`logging`]: log lines on their way to a thread that writes them
//! - [`allocator`]: the process's memory, and when it goes back to the system
//! - [`snapshot`]: the data file and the threads that write and merge it
//! - [`server`]: sockets, signals and the loop
//! - [`tool`]: what the program does beside running a node

pub mod fault_injection;

pub mod store;

pub mod protocol;

pub mod auth;

pub mod replication;

pub mod metrics;

pub mod http;

pub mod status;

pub mod scripting;

pub mod replica;

pub mod node;

pub mod files;

pub mod secrets;

pub mod logging;

pub mod config;

pub mod allocator;

pub mod snapshot;

pub mod server;

pub mod tool;
