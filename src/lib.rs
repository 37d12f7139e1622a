//! kvstoreapp: a distributed in-memory key-value server for people who want microseconds, not a platform.
//!
//! The way of the data, downward only:
//!
//! ```text
//! socket -> session.inbox -> decoder.decode -> Request<'_>      borrows the inbox
//!        -> commands::execute(request, store) -> Reply<'_>      borrows the store
//!        -> dialect.encode(reply, outbox)                       straight into the outbox
//! -- then, once per tick --
//! links        -> what each peer lacks, a bounded part of it, into its outbox
//! snapshot     -> a bounded slice of the change list -> the writer thread, if it is ready for more
//! outboxes     -> one write per touched socket
//! ```
//!
//! The modules below stand in the order of imports: each uses only those above it. The first seven are pure: no
//! sockets, no clock, no disk, no threads, no randomness but what is passed in.

pub mod fault_injection;

pub mod store;

pub mod protocol;

pub mod replication;

pub mod metrics;

pub mod replica;

pub mod node;

pub mod config;

pub mod logging;

pub mod allocator;

pub mod snapshot;

pub mod server;
