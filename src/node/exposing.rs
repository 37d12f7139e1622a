//! What the node tells machines that collect figures.

use super::exposition::{self, Cursor, Form, Page};
use super::statistics::Sources;
use super::{Node, Now};

impl Node {
    /// Writes a page of figures from the cursor on, some `bytes_max` bytes of it. Returns where it goes on; `None`: that
    /// was all.
    pub fn expose(
        &self,
        page: Page,
        form: Form,
        cursor: Cursor,
        bytes_max: usize,
        now: Now,
        out: &mut Vec<u8>,
    ) -> Option<Cursor> {
        let Node { keys, channels, sessions, metrics, timing, settings, scripts, .. } = self;
        let sources = Sources::of(keys, channels, sessions, (metrics, timing), settings, scripts, now);
        exposition::write(page, form, &sources, cursor, bytes_max, out)
    }
}
