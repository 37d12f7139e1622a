//! Why a tool could not do what it was asked for, and what its exit code says of that.

/// It is not so, or it was begun and failed.
pub const FAILED: u8 = 1;
/// The command line is wrong, or nobody could be asked.
pub const UNKNOWN: u8 = 2;

/// See the module.
#[derive(Debug)]
pub struct Failure {
    /// The program's exit code.
    pub code: u8,
    /// A sentence.
    pub why: String,
}

impl Failure {
    /// Nothing was done: the command line is wrong, or nobody could be asked.
    pub fn unknown(why: impl Into<String>) -> Failure {
        Failure { code: UNKNOWN, why: why.into() }
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Failure {
        Failure { code: FAILED, why }
    }
}
