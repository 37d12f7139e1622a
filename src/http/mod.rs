//! HTTP/1.1 (RFC 9110, RFC 9112) as bytes: what a request says, whether it may be listened to, and how it is answered.
//!
//! - [`head`]: a request's head, read once it is there; [`target`]: what it names
//! - [`body`]: what follows a head, taken as it comes
//! - [`guard`]: whether a request is a web page's that has no business here
//! - [`credentials`]: who it says it is
//! - [`conditions`]: `ETag`, and the requests that depend on one
//! - [`calls`]: commands that a body has, and what is said of each
//! - [`answer`]: what is sent back; [`json`]: what it says
//!
//! A request is read in the order in which it can be refused: nothing of a body is taken before its head was read, let
//! through by the guards, and said who asks. An error is a status and a sentence.
//!
//! Pure: it does not know sockets, keys, users or the time.

pub mod answer;
pub mod body;
pub mod calls;
pub mod conditions;
pub mod credentials;
pub mod guard;
pub mod head;
pub mod json;
pub mod target;

use std::borrow::Cow;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The status that says so.
    pub status: u16,
    /// Why, in a sentence.
    pub why: Cow<'static, str>,
}

impl Wrong {
    /// With this status, for this reason.
    pub const fn new(status: u16, why: &'static str) -> Wrong {
        Wrong { status, why: Cow::Borrowed(why) }
    }

    /// The same for a reason that was made.
    pub fn said(status: u16, why: String) -> Wrong {
        Wrong { status, why: Cow::Owned(why) }
    }
}
