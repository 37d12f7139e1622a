//! Bytes to requests and replies to bytes; one file a dialect.
//!
//! - [`decoder`]: the one way from a client's bytes to requests
//! - [`dialect`]: the list of dialects; `speech`: what each says of itself
//! - [`request`]: what was asked for; [`args`]: with what; [`reply`]: what is answered; [`words`]: in Redis' words
//! - [`command`], [`subcommand`]: the commands there are; [`catalog`]: what clients ask about them
//! - [`mod@line`]: lines for `nc`
//! - [`resp`]: what Redis clients speak
//! - [`json`]: an object a line
//! - [`quoting`]: words between spaces or in quotes; [`hex`]: bytes as hexadecimal digits
//! - [`glob`]: patterns that keys and channels are compared with
//! - [`http`]: what is no dialect here is told so
//!
//! Pure: a dialect borrows the bytes it reads and writes straight into the bytes that are sent. It does not know what
//! a request does.

pub mod args;
pub mod catalog;
pub mod command;
pub mod decoder;
pub mod dialect;
pub mod glob;
pub mod hex;
pub mod http;
pub mod json;
pub mod line;
pub mod quoting;
pub mod reply;
pub mod request;
pub mod resp;
mod speech;
pub mod subcommand;
pub mod words;

pub use args::{Args, Scratch};
pub use command::Command;
pub use decoder::{Client, Decoder};
pub use dialect::Dialect;
pub use reply::{Refusal, Reply, TEXT_VALUE_BYTES_MAX};
pub use request::{Decoded, Request};
