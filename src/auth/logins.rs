//! Who has logged in with a form, and stays so for a while: tokens that a browser brings again.
//!
//! A login is as good as the password that it was made with: where the user goes, is turned off or has another password,
//! it is over. Nothing of it is kept anywhere but here, so that it ends with the process. Of a token the hash is kept.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use super::access::Access;
use super::password::Password;
use super::users::Users;
use crate::protocol::hex;

/// Logins at once; for one more the oldest goes. Somebody who has a password cannot fill memory with them.
pub const LOGINS_MAX: usize = 1_024;
/// Logins of one user at once; for one more that user's oldest goes. Who has a password cannot end those of others.
pub const LOGINS_PER_USER_MAX: usize = 16;
/// How long a login holds: a day's work.
pub const LOGIN_S: u64 = 12 * 3600;
/// Random bytes of a token: nobody tries out as many.
pub const TOKEN_BYTES: usize = 32;

/// By which a login is known.
pub type Hash = [u8; 32];

struct Login {
    user: Vec<u8>,
    /// What was said.
    password: Password,
    /// In monotonic microseconds.
    until_us: u64,
}

/// See the module. Invariant: `oldest_first` has the hashes of `by_hash`, in the order in which they end.
#[derive(Default)]
pub struct Logins {
    by_hash: BTreeMap<Hash, Login>,
    oldest_first: VecDeque<Hash>,
    /// Whether some have ended since that was asked.
    have_ended: bool,
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

impl Logins {
    /// The user has said this password, which is right. Returns the token, made of bytes that nobody can foresee.
    pub fn begin(&mut self, user: &[u8], password: &[u8], chance: [u8; TOKEN_BYTES], now_us: u64) -> String {
        self.end_old(now_us);
        let is_own = |hash: &&Hash| self.by_hash.get(*hash).is_some_and(|login| login.user == user);
        let mut own = self.oldest_first.iter().filter(is_own);
        let oldest = match (own.clone().count() >= LOGINS_PER_USER_MAX, self.oldest_first.len() >= LOGINS_MAX) {
            (true, _) => own.next().copied(),
            (false, true) => self.oldest_first.front().copied(),
            (false, false) => None,
        };
        if let Some(oldest) = oldest {
            self.remove(&oldest);
        }
        let token = hex::written(&chance);
        let login =
            Login { user: user.to_vec(), password: Password::of(password), until_us: now_us + LOGIN_S * 1_000_000 };
        self.by_hash.insert(hash(&token), login);
        self.oldest_first.push_back(hash(&token));
        token
    }

    /// What who brings this token may do, and by which login; `None` where it is nobody's.
    pub fn find(&mut self, token: &str, users: &Users, must_prove: bool, now_us: u64) -> Option<(Access, Hash)> {
        self.end_old(now_us);
        // Found by its hash: how long that takes says nothing of any token.
        let hash = hash(token);
        self.access(&hash, users, must_prove).map(|access| (access, hash))
    }

    /// What who was let in by this login may do; `None` where it is over.
    pub fn access(&self, login: &Hash, users: &Users, must_prove: bool) -> Option<Access> {
        let login = self.by_hash.get(login)?;
        users.recognize(&login.user, &login.password, must_prove)
    }

    /// Whoever brings this token has logged out.
    pub fn end(&mut self, token: &str) {
        self.remove(&hash(token));
    }

    /// Ends those whose time is over. Returns whether any have ended since the last call, by whatever.
    pub fn take_ended(&mut self, now_us: u64) -> bool {
        self.end_old(now_us);
        std::mem::take(&mut self.have_ended)
    }

    /// When the time of the first one is over, in monotonic microseconds.
    pub fn deadline_us(&self) -> u64 {
        let oldest = self.oldest_first.front().and_then(|oldest| self.by_hash.get(oldest));
        if self.have_ended { 0 } else { oldest.map_or(u64::MAX, |login| login.until_us) }
    }

    /// Users were changed: logins end that would not be let in any more, and do not come back with their users.
    pub fn keep_valid(&mut self, users: &Users) {
        if self.by_hash.is_empty() {
            return;
        }
        self.by_hash.retain(|_, login| users.recognize(&login.user, &login.password, false).is_some());
        let by_hash = &self.by_hash;
        self.oldest_first.retain(|hash| by_hash.contains_key(hash));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether nobody has.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    fn end_old(&mut self, now_us: u64) {
        while let Some(oldest) = self.oldest_first.front()
            && self.by_hash.get(oldest).is_none_or(|login| login.until_us <= now_us)
        {
            self.by_hash.remove(oldest);
            self.oldest_first.pop_front();
            self.have_ended = true;
        }
    }

    fn remove(&mut self, login: &Hash) {
        if self.by_hash.remove(login).is_some() {
            self.oldest_first.retain(|other| other != login);
            self.have_ended = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END_US: u64 = LOGIN_S * 1_000_000;

    fn users(rules: &'static str) -> Users {
        let mut users = Users::default();
        let alice = users.changed(b"alice", rules.split(' ').map(str::as_bytes)).expect("these are rules");
        users.put(b"alice", alice);
        users
    }

    fn chance(number: u32) -> [u8; TOKEN_BYTES] {
        let mut chance = [0; TOKEN_BYTES];
        chance[..4].copy_from_slice(&number.to_le_bytes());
        chance
    }

    #[test]
    fn a_login_holds_for_its_time_and_until_it_is_ended() {
        let (users, mut logins) = (users("on >pass +get"), Logins::default());
        let (one, two) = (logins.begin(b"alice", b"pass", chance(1), 0), logins.begin(b"alice", b"pass", chance(2), 5));
        assert_eq!(one.len(), 2 * TOKEN_BYTES);
        assert!(logins.find(&one, &users, false, END_US - 1).is_some_and(|(access, _)| access.is_authenticated()));
        assert!(logins.find(&one, &users, false, END_US).is_none());
        assert!(logins.find(&two, &users, false, END_US).is_some());
        assert!(logins.find(&one.to_uppercase(), &users, false, 0).is_none());
        logins.end(&two);
        assert!(logins.find(&two, &users, false, END_US).is_none());
        assert!(logins.is_empty());
    }

    #[test]
    fn a_login_ends_with_the_password_and_with_the_user_and_does_not_come_back() {
        for after in ["on >pass +get >other <pass", "off >pass", "reset"] {
            let mut logins = Logins::default();
            let token = logins.begin(b"alice", b"pass", chance(1), 0);
            let changed = users(after);
            assert!(logins.find(&token, &changed, false, 1).is_none(), "{after}");
            logins.keep_valid(&changed);
            assert!(logins.find(&token, &users("on >pass +get"), false, 2).is_none(), "{after}");
        }
        let mut logins = Logins::default();
        let token = logins.begin(b"alice", b"pass", chance(1), 0);
        let changed = users("on >pass >other +set");
        logins.keep_valid(&changed);
        assert!(logins.find(&token, &changed, false, 1).is_some(), "its password is still one");
    }

    #[test]
    fn of_too_many_logins_the_oldest_goes() {
        let mut logins = Logins::default();
        let named = |number: usize| format!("user{}", number / LOGINS_PER_USER_MAX).into_bytes();
        let begin = |number| logins.begin(&named(number), b"pass", chance(number as u32), 0);
        let tokens: Vec<String> = (0..LOGINS_MAX + 3).map(begin).collect();
        assert_eq!(logins.len(), LOGINS_MAX);
        let holds = |number: usize| logins.by_hash.contains_key(&hash(&tokens[number]));
        assert_eq!([0, 1, 2, 3, LOGINS_MAX + 2].map(holds), [false, false, false, true, true]);
    }

    #[test]
    fn of_too_many_logins_of_a_user_that_users_oldest_goes_and_it_is_told() {
        let (users, mut logins) = (users("on >pass"), Logins::default());
        let other = logins.begin(b"default", b"", chance(0), 0);
        let count = LOGINS_PER_USER_MAX as u32;
        let tokens: Vec<String> =
            (1..=count).map(|number| logins.begin(b"alice", b"pass", chance(number), 0)).collect();
        assert!(!logins.take_ended(1) && logins.deadline_us() == END_US);
        logins.begin(b"alice", b"pass", chance(count + 1), 0);
        assert_eq!((logins.len(), logins.deadline_us()), (LOGINS_PER_USER_MAX + 1, 0));
        assert!(logins.take_ended(1) && !logins.take_ended(1));
        let mut holds = |token: &str| logins.find(token, &users, false, 1).is_some();
        assert_eq!([&other, &tokens[0], &tokens[1]].map(|token| holds(token)), [true, false, true]);
        assert!(logins.take_ended(END_US) && logins.is_empty(), "by their time, too");
    }
}
