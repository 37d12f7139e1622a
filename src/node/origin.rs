//! Where a connection comes from, as far as that decides what its client may do.

/// See the module. Whoever has the sockets says so when it opens the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A loopback address: a process of this machine.
    Loopback,
    /// The unix socket: a process of this machine that may open the file.
    Local,
    /// Any other address: anybody who can reach it.
    Far,
}

impl Origin {
    /// Whether it comes from another machine, or as if from one.
    pub fn is_far(self) -> bool {
        match self {
            Origin::Loopback | Origin::Local => false,
            Origin::Far => true,
        }
    }
}
