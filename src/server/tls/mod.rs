//! TLS (RFC 8446, RFC 5246), as rustls speaks it: nobody outside this module names that library.
//!
//! - `transport`: a conversation's bytes in records, and back
//! - `handshakes`: how two sides come to that, on a thread of its own
//! - `files`: certificates and keys; `peers`: those of links between nodes; `failures`: handshakes that failed

mod failures;
pub(in crate::server) mod files;
pub(in crate::server) mod handshakes;
pub(in crate::server) mod peers;
mod transport;

pub(in crate::server) use transport::{Handshake, TlsTransport};
