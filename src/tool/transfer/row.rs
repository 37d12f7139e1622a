//! A key in a file: a line of JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::tool::text::Encoding;

/// A line of a file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row<'a> {
    #[serde(borrow)]
    pub(super) key: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key_encoding: Option<Encoding>,
    #[serde(borrow)]
    pub(super) value: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<Encoding>,
    /// Unix time; none: it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at_ms: Option<i64>,
}
