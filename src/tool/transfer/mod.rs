//! `kvstoreapp export` and `import`: keys, values and expiries as lines of JSON.
//!
//! ```json
//! {"key":"user:1","value":"Ada","expires_at_ms":1767225600000}
//! {"key":"/w==","key_encoding":"base64","value":"AAE=","encoding":"base64"}
//! ```
//!
//! Each line is a key; bytes that are no UTF-8 are base64, as the node's own JSON has them. An expiry is a time, not a
//! rest of one, so that it means the same whenever the file is read. A file has the keys of one database. Memory holds a few hundred keys and the longest
//! value, however many there are.

mod export;
mod import;
mod row;
mod selecting;

pub(super) use export::run as export;
pub(super) use import::run as import;
