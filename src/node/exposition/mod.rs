//! The answer to `GET /metrics`: what the table of [`statistics`](super::statistics) has, for machines that collect
//! figures.
//!
//! A page is written in slices, so that no tick grows with the number of peers or commands. A slice ends after a figure
//! or after all figures of a histogram, and the [`Cursor`] says where the next one goes on. What changes between two
//! slices is told as it is then; a figure is never told twice, and one that appears behind the cursor is told the next
//! time.
//!
//! - [`form`]: text of Prometheus, or OpenMetrics; `text`: how figures are written in them
//! - `page`: which there are; `cursor`: how far one is; `members`: what is left of a family
//! - `own`: the figures of this program; `redis`, `redis_names`: the same under the names of redis_exporter
//!
//! It does not know HTTP.

mod cursor;
pub mod form;
mod members;
mod own;
mod page;
mod redis;
mod redis_names;
mod text;

pub use cursor::Cursor;
pub use form::Form;
pub use page::Page;

use super::statistics::Sources;
use text::Text;

/// Writes the page from the cursor on, some `bytes_max` bytes of it. Returns where it goes on; `None`: that was all.
pub fn write(
    page: Page,
    form: Form,
    sources: &Sources<'_>,
    cursor: Cursor,
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Option<Cursor> {
    let end = out.len().saturating_add(bytes_max);
    let mut text = Text { form, out };
    let next = match page {
        Page::Own => own::write(&mut text, sources, cursor, end),
        Page::Redis => redis::write(&mut text, sources, cursor, end),
    };
    if next.is_none() {
        text.end();
    }
    next
}
