//! Bytes as text: in JSON as the node's own dialect has them, and for people.

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

/// As people are shown bytes: in quotes, with what cannot be seen escaped.
pub(super) fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            7 => out.extend_from_slice(b"\\a"),
            8 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

/// ... as a text.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    quote(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
