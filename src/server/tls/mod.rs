//! TLS (RFC 8446, RFC 5246), as rustls speaks it: nobody outside this module names that library.

mod transport;

pub(in crate::server) use transport::TlsTransport;
