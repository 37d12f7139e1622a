//! By what somebody was let in whose request goes on for a while. Whoever serves it asks again once users were changed
//! or logins have ended.

use super::logins::{Hash, Logins};
use super::password::Password;
use super::users::Users;

/// See the module.
pub enum Proof {
    /// Nobody asked for any.
    None,
    /// A certificate that names this user.
    Certificate(Vec<u8>),
    /// A user and its password.
    Said(Vec<u8>, Password),
    /// An earlier login.
    Login(Hash),
}

impl Proof {
    /// Whether it would let somebody in.
    pub fn holds(&self, users: &Users, logins: &Logins, must_prove: bool) -> bool {
        match self {
            Proof::None => users.welcome(must_prove).is_authenticated(),
            Proof::Certificate(user) => users.vouched_for(user, must_prove).is_some(),
            Proof::Said(user, password) => users.recognize(user, password, must_prove).is_some(),
            Proof::Login(login) => logins.access(login, users, must_prove).is_some(),
        }
    }
}
