//! What is done where stores differ, or where a disk has lost what was written to it.
//!
//! - `comparison`: digests show that two stores differ
//! - `purge`: a full listing shows what was deleted long ago
//! - `rollback`: a peer proves that the data file was wiped or put back

pub(in crate::replication) mod comparison;
pub(in crate::replication) mod purge;
pub(in crate::replication) mod rollback;
