//! What interrupts a script, on its way through Lua: an error that the script may catch, or its end, which it cannot.

use std::fmt;

/// Why a script was ended and nothing of it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It took too long.
    Time,
    /// It took too much memory.
    Memory,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// A text, as `error` would raise it.
    Text(String),
    /// A table with `err`: what a command answered, or is refused with.
    Refusal(Vec<u8>),
    /// The script is ended.
    Ended,
}

/// Why a script came to no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It has raised an error, or a command in it was refused. What it wrote before stays.
    Raised(String),
    /// It was ended.
    Ended(Cause),
}

impl fmt::Display for Raised {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raised::Text(text) => out.write_str(text),
            Raised::Refusal(text) => out.write_str(&String::from_utf8_lossy(text)),
            Raised::Ended => out.write_str("the script is ended"),
        }
    }
}

impl std::error::Error for Raised {}

impl From<Raised> for mlua::Error {
    fn from(raised: Raised) -> mlua::Error {
        mlua::Error::external(raised)
    }
}

impl Cause {
    /// In which words the client is told. Earlier scripts of its transaction may have used the time.
    pub fn words(self, comes_after_others: bool) -> &'static str {
        match self {
            Cause::Time if comes_after_others => {
                "ERR the scripts of this transaction took longer together than --script-time-ms allows: this one was \
                 ended, and nothing of it has happened"
            }
            Cause::Time => {
                "ERR the script took longer than --script-time-ms allows: it was ended, and nothing of it has happened"
            }
            Cause::Memory => {
                "ERR the script took more memory than --script-memory allows: it was ended, and nothing of it has \
                 happened"
            }
        }
    }
}
