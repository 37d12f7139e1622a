//! Rules of users: what a user is shown as leads to the same user, for all that can be asked of it.

use kvstoreapp::auth::{UserId, Users};
use kvstoreapp::protocol::{Command, Scratch};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::for_all;

/// Rules that have something to do with one another.
const RULES: &[&str] = &[
    "on",
    "off",
    "nopass",
    "resetpass",
    ">one",
    "<one",
    ">two",
    "allkeys",
    "resetkeys",
    "~a*",
    "~b",
    "%R~a*",
    "%W~a*",
    "%RW~c?",
    "%R~[ab]",
    "~",
    "&news",
    "&n*",
    "allchannels",
    "resetchannels",
    "+get",
    "-get",
    "+set",
    "-set",
    "+@read",
    "-@read",
    "+@write",
    "+@all",
    "-@all",
    "+client",
    "-client",
    "+client|list",
    "-client|list",
    "+client|id",
    "+@dangerous",
    "-@dangerous",
    "+@admin",
    "-@slow",
    "+select|0",
    "+select|1",
    "-select",
    "+debug|object",
    "-debug",
    "-@string",
    "+@fast",
    "+hget",
    "-@hash",
    "reset",
    "clearselectors",
    "(+get ~b)",
    "(+@read -get %R~a* &n*)",
    "(-@all)",
    "(+client|id allchannels +select|0)",
    "skip-sanitize-payload",
    "sanitize-payload",
    "nonsense",
    "(",
    "+nosuch",
    "~* ",
];

/// What is asked of each user.
const REQUESTS: &[&str] = &[
    "GET a",
    "GET b",
    "GET ca",
    "SET a 1",
    "SET b 1 GET",
    "MGET a b",
    "COPY a b",
    "COPY b a",
    "STRLEN a",
    "DEL ca",
    "CLIENT LIST",
    "CLIENT ID",
    "CLIENT INFO",
    "SELECT 0",
    "SELECT 1",
    "SELECT 2",
    "DEBUG OBJECT a",
    "DEBUG SLEEP 0",
    "PUBLISH news x",
    "PUBLISH nothing x",
    "SUBSCRIBE news day",
    "PSUBSCRIBE n*",
    "FLUSHALL",
    "PING",
    "CONFIG GET x",
    "WATCH a",
    "WATCH-PREFIX a",
    "KEYS *",
    "EXPIRE a 1",
    "INFO",
    "ACL WHOAMI",
];

fn is_allowed(users: &Users, id: UserId, request: &str) -> bool {
    let mut scratch = Scratch::default();
    request.split(' ').for_each(|word| scratch.push(word.as_bytes()));
    let args = scratch.args();
    let command = Command::named(args.at(0)).expect("there is such a command");
    users.check(id, command, args).is_ok()
}

/// The user with this name, changed by rules of which those that are wrong are left out.
fn change<'r>(users: &mut Users, name: &[u8], rules: impl IntoIterator<Item = &'r [u8]>) -> UserId {
    for rule in rules {
        if let Ok(user) = users.changed(name, [rule]) {
            users.put(name, user);
        }
    }
    let user = users.changed(name, []).expect("no rule is wrong");
    users.put(name, user)
}

/// A user's rules, as whole ones.
fn rules_of(users: &Users, id: UserId) -> Vec<Vec<u8>> {
    let text = users.get(id).rules();
    let words: Vec<&[u8]> = text.split(|&byte| byte == b' ').collect();
    kvstoreapp::auth::words::joined(&words).expect("what is shown is closed")
}

fn check(given: &[&[u8]]) {
    let mut users = Users::default();
    let ann = change(&mut users, b"ann", given.iter().copied());
    let shown = rules_of(&users, ann);
    let bob = users.changed(b"bob", shown.iter().map(Vec::as_slice)).expect("what is shown is right");
    let bob = users.put(b"bob", bob);
    assert_eq!(rules_of(&users, bob), shown);
    for request in REQUESTS {
        assert_eq!(is_allowed(&users, ann, request), is_allowed(&users, bob, request), "{request}");
    }
    for password in ["one", "two", "three"] {
        let accepts = |id| users.get(id).accepts(password.as_bytes());
        assert_eq!(accepts(ann), accepts(bob), "{password}");
    }
    let access = |name: &[u8]| users.access(users.named(name).expect("it is there"), false);
    assert_eq!(access(b"ann").is_unlimited(), access(b"bob").is_unlimited());
    // Who may do everything is asked nothing.
    let may_all = REQUESTS.iter().all(|request| is_allowed(&users, ann, request));
    assert!(may_all || !access(b"ann").is_unlimited());
}

#[test]
fn a_user_with_the_rules_that_are_shown_is_the_same_user() {
    let rule = (0..RULES.len()).prop_map(|at| RULES[at].as_bytes());
    for_all(500, vec(rule, 0..16), |rules| check(&rules));
}

#[test]
fn no_rule_breaks_the_parser_and_one_that_is_wrong_changes_nothing() {
    let bytes =
        prop_oneof![Just(b'~'), Just(b'%'), Just(b'+'), Just(b'|'), Just(b'('), Just(b')'), Just(b'@'), any::<u8>()];
    for_all(2_000, vec(bytes, 0..24), |rule| check(&[b"+get", &rule, b"~a"]));
}
