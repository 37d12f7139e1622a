//! Who may do what: users, what each may run and touch, and how each proves who it is.
//!
//! The words and rules are Redis' (<https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>). A
//! *user* has passwords and *selectors*. A selector says which commands it lets through, which keys they may read and
//! write, and which channels they may use; a request is let through where one selector lets all of it through. *Rules*
//! are how a person writes that: `on >secret ~app:* +@read` lets whoever knows the password read what is below `app:`.
//! A user is changed by rules or not at all: they work on a copy, which takes the user's place once all were
//! understood.
//!
//! What a client may do is asked before each of its requests, so most of the answer is there before: [`Access`] holds
//! who a session is and whether there is anything to be asked at all.
//!
//! - [`password`]: passwords as SHA-256
//! - [`table`]: every command of Redis with its categories
//! - [`permissions`]: which commands; `patterns`: which keys and channels; [`mod@selector`]: both
//! - [`uses`]: the keys and channels that a request uses
//! - [`user`]: passwords and selectors; [`mistake`]: why a rule is none
//! - [`mod@file`]: all users as a text; [`words`]: where a rule ends; [`default_user`]: whom a file lets in by that
//! - [`log`]: what was refused to whom
//! - [`logins`]: who has logged in with a form; `proof`: by what somebody was let in
//! - [`users`]: all of them, and what each session may do ([`access`])
//!
//! Pure: it knows neither where a password comes from nor who waits for an answer.

pub mod access;
pub mod default_user;
pub mod file;
pub mod log;
pub mod logins;
pub mod mistake;
pub mod password;
mod patterns;
pub mod permissions;
mod proof;
pub mod selector;
pub mod table;
pub mod user;
pub mod users;
pub mod uses;
pub mod words;

pub use access::{Access, UserId};
pub use password::Password;
pub use proof::Proof;
pub use selector::Denied;
pub use users::Users;
