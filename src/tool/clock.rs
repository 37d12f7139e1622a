//! The wall clock, for tools.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
pub(super) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
