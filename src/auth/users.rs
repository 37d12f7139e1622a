//! All users.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{Access, Standing, UserId};
use super::file::Loaded;
use super::mistake::Mistake;
use super::password::Password;
use super::selector::Denied;
use super::table::{RowId, Table};
use super::user::User;
use super::uses::{Channel, Touch, of_one_key};
use crate::protocol::command::COMMANDS;
use crate::protocol::{Args, Command};

/// The user that clients are who have not said another.
pub const DEFAULT: &[u8] = b"default";

/// A user with its name.
struct Named {
    name: Vec<u8>,
    user: User,
}

/// See the module. Invariant: `by_name` has the places in `all` that are not empty; the default user is the first.
pub struct Users {
    table: Table,
    all: Vec<Option<Named>>,
    by_name: BTreeMap<Vec<u8>, UserId>,
    /// For each command with one key where it always is: its row, and what happens to the key.
    of_one_key: Vec<Option<(RowId, Touch)>>,
}

impl Default for Users {
    /// There is the default user, who may do everything without a password.
    fn default() -> Users {
        let table = Table::read();
        let user = User::default_user(&table);
        let of_one_key = COMMANDS.iter().map(|described| {
            let command = Command::named(described.name.as_bytes())?;
            Some((table.of(command), of_one_key(command)?))
        });
        let of_one_key = of_one_key.collect();
        let mut users = Users { table, all: Vec::new(), by_name: BTreeMap::new(), of_one_key };
        users.put(DEFAULT, user);
        users
    }
}

impl Users {
    /// The default user has this password and no other; `None`: needs none.
    pub fn require(&mut self, password: Option<Password>) {
        let rules = match password {
            Some(password) => vec!["resetpass".to_owned(), format!("#{}", password.hex())],
            None => vec!["nopass".to_owned()],
        };
        let mut user = self.get(UserId::DEFAULT).clone();
        for rule in rules {
            user.apply(rule.as_bytes(), &self.table).expect("these are rules");
        }
        self.put(DEFAULT, user);
    }

    /// The user with this name as these rules change it, where there is none a new one. Nothing is changed yet.
    pub fn changed<'r>(
        &self,
        name: &[u8],
        rules: impl IntoIterator<Item = &'r [u8]>,
    ) -> Result<User, (&'r [u8], Mistake)> {
        let mut user = self.named(name).map(|id| self.get(id).clone()).unwrap_or_default();
        for rule in rules {
            user.apply(rule, &self.table).map_err(|why| (rule, why))?;
        }
        Ok(user)
    }

    /// There is this user from here on. What sessions may do is to be [looked at](Users::refresh) again.
    pub fn put(&mut self, name: &[u8], user: User) -> UserId {
        let named = Some(Named { name: name.to_vec(), user });
        let id = match self.by_name.get(name) {
            Some(&id) => id,
            None => {
                let free = self.all.iter().position(Option::is_none);
                UserId(free.unwrap_or(self.all.len()))
            }
        };
        if id.0 == self.all.len() {
            self.all.push(named);
        } else {
            self.all[id.0] = named;
        }
        self.by_name.insert(name.to_vec(), id);
        id
    }

    /// There is no such user any more; nobody may be it. The default user stays.
    pub fn remove(&mut self, name: &[u8]) -> Option<UserId> {
        let id = *self.by_name.get(name).filter(|&&id| id != UserId::DEFAULT)?;
        self.by_name.remove(name);
        self.all[id.0] = None;
        Some(id)
    }

    /// There are these users from here on and no others. The default user, where it is none of them, may do everything,
    /// with this password or with none. What sessions may do is to be [looked at](Users::refresh) again.
    pub fn replace(&mut self, loaded: Loaded, password: Option<Password>) {
        let names: BTreeSet<Vec<u8>> = loaded.iter().map(|(name, _)| name.clone()).collect();
        if !names.contains(DEFAULT) {
            self.put(DEFAULT, User::default_user(&self.table));
            self.require(password);
        }
        // Before others go: no number is another's as long as sessions may have it.
        for (name, user) in loaded {
            self.put(&name, user);
        }
        let gone: Vec<Vec<u8>> = self.by_name.keys().filter(|&name| !names.contains(name)).cloned().collect();
        for name in gone {
            self.remove(&name);
        }
    }

    /// What a session may do that begins. One that `must_prove` who it is may not be a default user without a password.
    pub fn welcome(&self, must_prove: bool) -> Access {
        let is_proven = !must_prove && self.get(UserId::DEFAULT).is_open();
        self.refresh(Access { user: UserId::DEFAULT, is_proven, must_prove, standing: Standing::Stranger })
    }

    /// What a session may do that has said who it is, and its password; `None` where they do not fit, or prove nothing
    /// although it must.
    pub fn authenticate(&self, name: &[u8], password: &[u8], must_prove: bool) -> Option<Access> {
        let Some(id) = self.named(name) else {
            // As long as it takes where there is such a user.
            let _hash = Password::of(password);
            return None;
        };
        let proves_nothing = must_prove && id == UserId::DEFAULT && self.get(id).is_open();
        if proves_nothing || !self.get(id).accepts(password) {
            return None;
        }
        Some(self.access(id, must_prove))
    }

    /// What somebody may do who has said this password earlier; `None` where it would not be let in any more.
    pub fn recognize(&self, name: &[u8], password: &Password, must_prove: bool) -> Option<Access> {
        let id = self.named(name)?;
        let proves_nothing = must_prove && id == UserId::DEFAULT && self.get(id).is_open();
        (!proves_nothing && self.get(id).accepts_hash(password)).then(|| self.access(id, must_prove))
    }

    /// What a session may do whose certificate names this user; `None` where there is none, or it is off. Its password
    /// need not be said, and nobody else comes in by that.
    pub fn vouched_for(&self, name: &[u8], must_prove: bool) -> Option<Access> {
        let id = self.named(name).filter(|&id| self.get(id).is_on() && !name.is_empty())?;
        Some(self.access(id, must_prove))
    }

    /// What a session may do that is this user, as was proven.
    pub fn access(&self, id: UserId, must_prove: bool) -> Access {
        self.refresh(Access { user: id, is_proven: true, must_prove, standing: Standing::Stranger })
    }

    /// What a session may do after users were changed.
    pub fn refresh(&self, access: Access) -> Access {
        let is_stranger = !access.is_proven && (access.must_prove || !self.get(UserId::DEFAULT).is_open());
        let standing = match self.all.get(access.user.0).and_then(Option::as_ref) {
            // Its number may be another's later.
            None => {
                return Access { user: UserId::DEFAULT, is_proven: false, standing: Standing::Stranger, ..access };
            }
            Some(_) if is_stranger => Standing::Stranger,
            Some(named) if named.user.is_unlimited() => Standing::Unlimited,
            Some(_) => Standing::Limited,
        };
        Access { standing, ..access }
    }

    /// Whether the session's user is there.
    pub fn is_somebody(&self, access: Access) -> bool {
        self.all.get(access.user.0).is_some_and(Option::is_some)
    }

    /// Whether every key that begins so may be watched.
    pub fn allows_watch(&self, id: UserId, prefix: &[u8]) -> bool {
        self.get(id).allows_watch(self.table.of(Command::WatchPrefix), prefix)
    }

    /// Whether a request with one key is let through by what stands outside of parentheses: the answer for most, found
    /// in a few steps. Where it is `false`, [`Users::check`] knows.
    #[inline]
    pub fn allows_one_key(&self, id: UserId, command: Command, args: Args<'_>) -> bool {
        let (Some((row, touch)), Some(key)) = (self.of_one_key[command as usize], args.get(1)) else { return false };
        self.all[id.0].as_ref().is_some_and(|named| named.user.allows_one_key(row, key, touch))
    }

    /// Why a request is not let through.
    pub fn check(&self, id: UserId, command: Command, args: Args<'_>) -> Result<(), Denied> {
        let row = self.table.of_request(command, args.get(1));
        self.get(id).check(row, command, args)
    }

    /// Whether a command that stands alone, without a key or a channel, may be run.
    pub fn allows_alone(&self, id: UserId, command: Command) -> bool {
        let name = command.describe().name.as_bytes();
        let span = 0..name.len();
        self.check(id, command, Args::new(name, std::slice::from_ref(&span))).is_ok()
    }

    /// Whether a channel that is listened to may be.
    pub fn allows_channel(&self, id: UserId, name: &[u8], how: Channel) -> bool {
        self.get(id).allows_channel(name, how)
    }

    /// The user with this name.
    pub fn named(&self, name: &[u8]) -> Option<UserId> {
        self.by_name.get(name).copied()
    }

    /// The user with this number, which is there.
    pub fn get(&self, id: UserId) -> &User {
        &self.all[id.0].as_ref().expect("who is gone is nobody").user
    }

    /// The name of the user with this number, which is there.
    pub fn name(&self, id: UserId) -> &[u8] {
        self.all.get(id.0).and_then(Option::as_ref).map_or(b"", |named| &named.name)
    }

    /// All, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &User)> {
        self.by_name.iter().map(|(name, &id)| (&name[..], self.get(id)))
    }

    /// Every command with its categories.
    pub fn table(&self) -> &Table {
        &self.table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_vouched_for_is_a_user_that_is_on_and_whose_password_still_has_to_be_said_by_others() {
        let mut users = Users::default();
        assert_eq!(users.vouched_for(b"alice", false), None, "there is none");
        let rules = |rules: &'static str| rules.split(' ').map(str::as_bytes);
        let alice = users.changed(b"alice", rules("on resetpass ~a:* +get")).expect("these are rules");
        users.put(b"alice", alice);
        let access = users.vouched_for(b"alice", false).expect("she is on");
        assert!(access.is_authenticated() && !access.is_unlimited());
        assert_eq!(users.name(access.user()), b"alice");
        // A certificate is no password, and implies none.
        for password in ["", "alice", "nopass"] {
            assert_eq!(users.authenticate(b"alice", password.as_bytes(), false), None);
        }
        let alice = users.changed(b"alice", rules("off")).expect("these are rules");
        users.put(b"alice", alice);
        assert_eq!(users.vouched_for(b"alice", false), None, "she is off");
    }

    #[test]
    fn who_must_prove_who_it_is_is_no_default_user_without_a_password() {
        let mut users = Users::default();
        assert!(users.welcome(false).is_unlimited());
        let stranger = users.welcome(true);
        assert!(!stranger.is_authenticated() && !users.refresh(stranger).is_authenticated());
        assert_eq!(users.authenticate(DEFAULT, b"anything", true), None);
        users.require(Some(Password::of(b"secret")));
        assert!(users.authenticate(DEFAULT, b"secret", true).is_some_and(|access| access.is_unlimited()));
        // It had not said it while it was needed.
        users.require(None);
        assert!(!users.refresh(stranger).is_authenticated());
    }
}
