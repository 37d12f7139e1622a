//! What an ACL file makes of the default user. Who connects is that one, so that a file can open a node: by what its line
//! says, and by having none.

use super::file::Loaded;
use super::password::Password;
use super::user::User;
use super::users::DEFAULT;

/// A password that is given beside the file, and that the file does not ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled {
    /// Whether no password is asked for.
    pub is_open: bool,
    /// A sentence.
    pub why: String,
}

/// Whether there is no line for it: then it may do everything, and needs no password but one that is given beside.
pub fn is_missing(loaded: &Loaded) -> bool {
    line(loaded).is_none()
}

/// What that means for the file that is called so, and what to do: the beginning of a sentence and its end.
pub fn missing(name: &str) -> [String; 2] {
    [
        format!(
            "{name} has no line for the user default, and without one that user needs no password and may do everything"
        ),
        "add one: 'user default off', or 'user default on nopass ~* &* +@all' where that is wanted".to_owned(),
    ]
}

/// Whether the file that is called so overrules the password: it has a line for the default user, who is not let in by
/// that password, or by any.
pub fn overrules(name: &str, loaded: &Loaded, password: &Password) -> Option<Overruled> {
    let user = line(loaded)?;
    let is_asked_for = user.passwords().iter().any(|known| known.is(password));
    let how = match (user.is_on(), user.is_open()) {
        (false, _) => "is off there",
        (true, true) => "needs no password there (nopass)",
        (true, false) if is_asked_for => return None,
        (true, false) => "has another password there",
    };
    let why = format!(
        "{name}: the user default {how}, and a password is given for it (--password-file, KVSTOREAPP_PASSWORD or CONFIG \
         SET requirepass): leave out the password, or the line of that user"
    );
    Some(Overruled { is_open: user.is_open(), why })
}

fn line(loaded: &Loaded) -> Option<&User> {
    loaded.iter().find(|(name, _)| name == DEFAULT).map(|(_, user)| user)
}
