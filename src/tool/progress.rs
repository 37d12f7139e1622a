//! A bar with rate and time left, on a terminal alone.

use indicatif::{ProgressBar, ProgressStyle};

/// With a known end, of keys or of bytes; without one, as a count of keys.
const KEYS: &str = "{bar:30} {human_pos} of {human_len} keys, {per_sec}, {eta} left";
const BYTES: &str = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
const COUNT: &str = "{spinner} {human_pos} keys, {per_sec}";

/// Of so many keys; `None`: nobody knows.
pub(super) fn of_keys(count: Option<u64>) -> ProgressBar {
    match count {
        Some(count) => styled(ProgressBar::new(count), KEYS),
        None => styled(ProgressBar::no_length(), COUNT),
    }
}

/// Of so many bytes.
pub(super) fn of_bytes(count: u64) -> ProgressBar {
    styled(ProgressBar::new(count), BYTES)
}

/// What is no terminal shows nothing of it.
fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
