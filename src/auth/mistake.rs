//! Why a rule cannot be followed, in Redis' words.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// It is no rule.
    Syntax,
    /// It names a command or category that there is not.
    Unknown,
    /// A key pattern is added to all keys.
    AllKeys,
    /// A channel pattern is added to all channels.
    AllChannels,
    /// A password is taken away that the user does not have.
    NoSuchPassword,
    /// A hash is not written as one.
    BadHash,
    /// A first argument of a subcommand is allowed.
    FirstArgOfPart,
    /// To compare texts with the pattern could take long.
    TooComplex,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Mistake::Syntax => "Syntax error",
            Mistake::Unknown => "Unknown command or category name in ACL",
            Mistake::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Mistake::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            Mistake::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            Mistake::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            Mistake::FirstArgOfPart => "Allowing first-arg of a subcommand is not supported",
            Mistake::TooComplex => "The pattern is too complex",
        })
    }
}
