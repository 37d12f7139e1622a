//! One user: whether it may come in, its passwords, and what it may do.

use super::mistake::Mistake;
use super::password::Password;
use super::selector::{Denied, Selector};
use super::table::{RowId, Table};
use super::uses::{Channel, Touch};
use crate::protocol::{Args, Command};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct User {
    is_on: bool,
    /// Any password is right.
    needs_no_password: bool,
    /// Whether what `RESTORE` brings is not looked at: this server does not run it.
    skips_payload_check: bool,
    passwords: Vec<Password>,
    /// What stands outside of parentheses.
    root: Selector,
    others: Vec<Selector>,
}

impl User {
    /// The one that clients are who have not said another: may do everything, without a password.
    pub(super) fn default_user(table: &Table) -> User {
        let mut user = User::default();
        for rule in ["+@all", "~*", "&*", "on", "nopass"] {
            user.apply(rule.as_bytes(), table).expect("these are rules");
        }
        user
    }

    /// Follows one rule.
    pub fn apply(&mut self, rule: &[u8], table: &Table) -> Result<(), Mistake> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule {
            [] => (),
            _ if is("on") => self.is_on = true,
            _ if is("off") => self.is_on = false,
            _ if is("skip-sanitize-payload") => self.skips_payload_check = true,
            _ if is("sanitize-payload") => self.skips_payload_check = false,
            _ if is("nopass") => self.reset_passwords(true),
            _ if is("resetpass") => self.reset_passwords(false),
            _ if is("clearselectors") => self.others.clear(),
            _ if is("reset") => *self = User::default(),
            [b'>', password @ ..] => self.add_password(Password::of(password)),
            [b'#', hash @ ..] => self.add_password(Password::from_hex(hash).ok_or(Mistake::BadHash)?),
            [b'<', password @ ..] => self.remove_password(Password::of(password))?,
            [b'!', hash @ ..] => self.remove_password(Password::from_hex(hash).ok_or(Mistake::BadHash)?)?,
            [b'(', rules @ .., b')'] => self.others.push(Selector::parse(rules, table)?),
            _ => self.root.apply(rule, table)?,
        }
        Ok(())
    }

    /// Whether who says this password may come in. Takes the same time whichever password is right.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if !self.is_on || self.needs_no_password {
            return self.is_on;
        }
        let given = Password::of(password);
        self.passwords.iter().fold(false, |found, known| found | known.is(&given))
    }

    /// The same of a password that was said earlier.
    pub(super) fn accepts_hash(&self, given: &Password) -> bool {
        self.is_on
            && (self.needs_no_password || self.passwords.iter().fold(false, |found, known| found | known.is(given)))
    }

    /// Whether it may come in at all.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether one need not say any password to be this user.
    pub fn is_open(&self) -> bool {
        self.is_on && self.needs_no_password
    }

    /// Whether it may do everything.
    pub(super) fn is_unlimited(&self) -> bool {
        self.root.is_all() || self.others.iter().any(Selector::is_all)
    }

    /// Whether a command of this row may touch this key so, by what stands outside of parentheses.
    #[inline]
    pub(super) fn allows_one_key(&self, row: RowId, key: &[u8], touch: Touch) -> bool {
        self.root.allows_one_key(row, key, touch)
    }

    /// Why the request is not let through: what the selectors came to that let most of it through.
    pub(super) fn check(&self, row: RowId, command: Command, args: Args<'_>) -> Result<(), Denied> {
        let Err(mut denied) = self.root.check(row, command, args) else { return Ok(()) };
        for other in &self.others {
            match other.check(row, command, args) {
                Ok(()) => return Ok(()),
                Err(why) => denied = denied.max(why),
            }
        }
        Err(denied)
    }

    /// Whether a channel that is listened to may be.
    pub(super) fn allows_channel(&self, name: &[u8], how: Channel) -> bool {
        self.selectors().any(|selector| selector.allows_channel(name, how))
    }

    /// Whether every key that begins so may be watched.
    pub(super) fn allows_watch(&self, row: RowId, prefix: &[u8]) -> bool {
        self.selectors().any(|selector| selector.allows_watch(row, prefix))
    }

    /// What Redis calls its flags.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.is_on, "on"),
            (!self.is_on, "off"),
            (self.needs_no_password, "nopass"),
            (self.skips_payload_check, "skip-sanitize-payload"),
            (!self.skips_payload_check, "sanitize-payload"),
        ];
        all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, flag)| flag)
    }

    /// Its passwords.
    pub fn passwords(&self) -> &[Password] {
        &self.passwords
    }

    /// What stands outside of parentheses.
    pub fn root(&self) -> &Selector {
        &self.root
    }

    /// What stands in parentheses.
    pub fn others(&self) -> &[Selector] {
        &self.others
    }

    /// All its rules, which lead to the same.
    pub fn rules(&self) -> Vec<u8> {
        let mut rules: Vec<Vec<u8>> = self.flags().map(|flag| flag.as_bytes().to_vec()).collect();
        rules.extend(self.passwords.iter().map(|password| format!("#{}", password.hex()).into_bytes()));
        rules.push(self.root.rules());
        rules.extend(self.others.iter().map(|other| [b"(", &other.rules()[..], b")"].concat()));
        rules.join(&b' ')
    }

    fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.others)
    }

    fn reset_passwords(&mut self, needs_none: bool) {
        self.needs_no_password = needs_none;
        self.passwords.clear();
    }

    fn add_password(&mut self, password: Password) {
        if !self.passwords.iter().any(|known| known.is(&password)) {
            self.passwords.push(password);
        }
        self.needs_no_password = false;
    }

    fn remove_password(&mut self, password: Password) -> Result<(), Mistake> {
        let at = self.passwords.iter().position(|known| known.is(&password)).ok_or(Mistake::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }
}
