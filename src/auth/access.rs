//! What a session may do, as far as that is known before it asks.

/// A user by its number, which is another's only once nobody is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserId(pub(super) usize);

impl UserId {
    /// The user that clients are who have not said another.
    pub const DEFAULT: UserId = UserId(0);
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has to say a password first.
    Stranger,
    /// Each request is to be looked at.
    Limited,
    /// It may do everything.
    Unlimited,
}

/// See the module. Made and kept right by [`Users`](super::Users).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub(super) user: UserId,
    /// Whether the user has been proven, or needed no proof when the session began.
    pub(super) is_proven: bool,
    /// Whether it has to prove who it is also where the default user needs no password.
    pub(super) must_prove: bool,
    pub(super) standing: Standing,
}

impl Access {
    /// Who it is. A stranger is the default user, and may not do anything yet.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Whether it may ask for anything but who it is.
    pub fn is_authenticated(&self) -> bool {
        self.standing != Standing::Stranger
    }

    /// Whether it has to prove who it is also where the default user needs no password.
    pub fn must_prove(&self) -> bool {
        self.must_prove
    }

    /// Whether it may do everything, so that no request has to be looked at.
    #[inline]
    pub fn is_unlimited(&self) -> bool {
        matches!(self.standing, Standing::Unlimited)
    }
}
