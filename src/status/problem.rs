//! Something that is wrong, and how bad that is.

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing has to be done.
    #[default]
    Ok,
    /// It serves, and something should be looked at.
    Warn,
    /// Data or service is in danger.
    Bad,
}

/// Something that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// What it is, in a sentence.
    pub text: String,
    /// What to do about it.
    pub advice: String,
}
