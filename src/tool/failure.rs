//! Why a tool could not do what it was asked for.

/// See the module.
#[derive(Debug)]
pub struct Failure {
    /// The program's exit code.
    pub code: u8,
    /// A sentence.
    pub why: String,
}

impl From<String> for Failure {
    fn from(why: String) -> Failure {
        Failure { code: 1, why }
    }
}
