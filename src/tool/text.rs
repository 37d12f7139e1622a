//! Bytes as text in JSON, as the node's own dialect has them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

/// How a text stands for bytes that are no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// RFC 4648, with `=` at the end.
    Base64,
}

/// A text for these bytes, and how it stands for them; `None`: as it is.
pub(super) fn text(bytes: &[u8]) -> (Cow<'_, str>, Option<Encoding>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => (Cow::Owned(BASE64.encode(bytes)), Some(Encoding::Base64)),
    }
}

/// The bytes that a text stands for; `None` where it is not what it is said to be.
pub(super) fn bytes(text: &str, encoding: Option<Encoding>) -> Option<Cow<'_, [u8]>> {
    match encoding {
        None => Some(Cow::Borrowed(text.as_bytes())),
        Some(Encoding::Base64) => BASE64.decode(text).ok().map(Cow::Owned),
    }
}
