//! The ACL file: a line for each user, as `ACL LIST` shows it, in the form of Redis'.
//!
//! It is taken whole or not at all: who reads half of the rules lets in whom they were to keep out. So every line that
//! is wrong is named, and nothing is changed.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::mistake::Mistake;
use super::table::Table;
use super::user::User;
use super::words::{is_user_name, joined};

/// All users of a file, by their names.
pub type Loaded = Vec<(Vec<u8>, User)>;

/// What the end of every list of mistakes says.
pub const UNCHANGED: &str = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/// Reads the text of the file that is called so. What is wrong is one text, in Redis' words.
pub fn parse(name: &str, text: &[u8]) -> Result<Loaded, String> {
    let table = Table::read();
    let (mut loaded, mut known, mut wrong) = (Loaded::new(), BTreeSet::new(), String::new());
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let place = format!("{name}:{}", number + 1);
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let [b"user", user, rules @ ..] = &words[..] else {
            wrong += &format!("{place} should start with user keyword followed by the username. ");
            continue;
        };
        if !is_user_name(user) {
            let user = String::from_utf8_lossy(user);
            wrong += &format!("{place}: username '{user}' contains invalid characters. ");
            continue;
        }
        if !known.insert(*user) {
            let user = String::from_utf8_lossy(user);
            wrong += &format!("WARNING: Duplicate user '{user}' found on line {}. ", number + 1);
            continue;
        }
        match read_user(rules, &table, &place) {
            Ok(found) => loaded.push((user.to_vec(), found)),
            Err(why) => wrong += &why,
        }
    }
    if wrong.is_empty() { Ok(loaded) } else { Err(wrong + UNCHANGED) }
}

/// The text that leads to these users.
pub fn render<'u>(users: impl Iterator<Item = (&'u [u8], &'u User)>) -> Vec<u8> {
    let line = |(name, user): (&[u8], &User)| [b"user ", name, b" ", &user.rules()[..], b"\n"].concat();
    users.flat_map(line).collect()
}

/// A user as its rules have it, or everything that is wrong with them. No rule is quoted that may hold a password.
fn read_user(rules: &[&[u8]], table: &Table, place: &str) -> Result<User, String> {
    let Ok(rules) = joined(rules) else {
        return Err(format!("{place}: Unmatched parenthesis in selector definition. "));
    };
    let (mut user, mut wrong, mut has_other) = (User::default(), String::new(), false);
    for rule in &rules {
        let rule = rule.trim_ascii();
        match user.apply(rule, table) {
            Ok(()) => (),
            Err(why @ Mistake::Unknown) => {
                let rule = String::from_utf8_lossy(rule);
                write!(wrong, "{place}: Error in applying operation '{rule}': {why}. ").expect("memory takes all");
            }
            Err(why) if !has_other => {
                write!(wrong, "{place}: {why}. ").expect("memory takes all");
                has_other = true;
            }
            Err(_) => (),
        }
    }
    if wrong.is_empty() { Ok(user) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_every_line_that_is_wrong_is_named() {
        let read = |text: &str| parse("users.acl", text.as_bytes());
        let loaded =
            read("user default on nopass ~* &* +@all\r\n\n  user ann on >x ~a* +hget (~b* +get)\n").expect("right");
        let shown: Vec<String> = loaded
            .iter()
            .map(|(name, user)| String::from_utf8([&name[..], b" ", &user.rules()].concat()).unwrap())
            .collect();
        let hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        assert_eq!(
            shown,
            [
                "default on nopass sanitize-payload ~* &* +@all".to_owned(),
                format!("ann on sanitize-payload #{hash} ~a* resetchannels -@all +hget (~b* resetchannels -@all +get)"),
            ]
        );
        for (text, why) in [
            ("ann on", "users.acl:1 should start with user keyword followed by the username. "),
            (
                "# ann\nuser",
                "users.acl:1 should start with user keyword followed by the username. users.acl:2 should start with user keyword followed by the username. ",
            ),
            ("\nuser ann on\nuser ann off", "WARNING: Duplicate user 'ann' found on line 3. "),
            (
                "user ann +nosuch >pw",
                "users.acl:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. ",
            ),
            (
                "user ann #pw ~*  ~a",
                "users.acl:1: The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters. ",
            ),
            ("user ann (+get", "users.acl:1: Unmatched parenthesis in selector definition. "),
        ] {
            assert_eq!(read(text).expect_err(text), format!("{why}{UNCHANGED}"));
        }
    }
}
