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

/// Clients of one address, of whom nobody knows whether they are one.
///
/// Who has one IPv6 address has all of its /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crowd {
    /// By the unix socket, or from an address that nobody has told.
    Unnamed,
    /// From this address.
    V4([u8; 4]),
    /// From this network.
    V6([u8; 8]),
}

/// All that decides what a client may do before it has said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// How near.
    pub origin: Origin,
    /// With whom.
    pub crowd: Crowd,
}

impl From<Origin> for Source {
    fn from(origin: Origin) -> Source {
        Source { origin, crowd: Crowd::Unnamed }
    }
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
