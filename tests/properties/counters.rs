//! Counters with bounds (`INCREX`) against a plain model of 128 bits; several keys that are set as one, at every limit
//! on memory.

use kvstoreapp::node::{Node, Options, Origin};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::for_all;
use crate::pure::{NOW, node, options, say};

#[derive(Clone, Debug)]
struct Asked {
    by: Option<i64>,
    lower: Option<i64>,
    upper: Option<i64>,
    saturates: bool,
    be_there: Option<bool>,
    expiry: Option<Expiry>,
}

#[derive(Clone, Copy, Debug)]
enum Expiry {
    After(u32),
    AfterIfNone(u32),
    Past,
    Never,
}

/// What a key holds, and in how many seconds it goes.
type Held = Option<(i128, Option<u32>)>;

/// Few numbers near each other, those at the ends, and any.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -20..20_i64,
        1 => (0..20_i64).prop_map(|less| i64::MAX - less),
        1 => (0..20_i64).prop_map(|more| i64::MIN + more),
        1 => any::<i64>()
    ]
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        3 => (1..1_000_u32).prop_map(Expiry::After),
        3 => (1..1_000_u32).prop_map(Expiry::AfterIfNone),
        1 => Just(Expiry::Past),
        2 => Just(Expiry::Never)
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let be_there = prop_oneof![6 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let parts = (
        option::of(number()),
        option::of(number()),
        option::of(number()),
        any::<bool>(),
        be_there,
        option::of(expiry()),
    );
    parts.prop_map(|(by, lower, upper, saturates, be_there, expiry)| {
        // Mostly the lower one is.
        let (lower, upper) = match (lower, upper) {
            (Some(one), Some(other)) if one % 5 != 0 => (Some(one.min(other)), Some(one.max(other))),
            bounds => bounds,
        };
        Asked { by, lower, upper, saturates, be_there, expiry }
    })
}

impl Asked {
    fn words(&self) -> String {
        let mut words = "INCREX key".to_owned();
        let said = [("BYINT", self.by), ("LBOUND", self.lower), ("UBOUND", self.upper)];
        for (name, number) in said.into_iter().filter_map(|(name, number)| Some((name, number?))) {
            words += &format!(" {name} {number}");
        }
        words += if self.saturates { " SATURATE" } else { "" };
        words += self.be_there.map_or("", |be_there| if be_there { " XX" } else { " NX" });
        words += &match self.expiry {
            None => String::new(),
            Some(Expiry::After(seconds)) => format!(" EX {seconds}"),
            Some(Expiry::AfterIfNone(seconds)) => format!(" ENX EX {seconds}"),
            Some(Expiry::Past) => " PXAT 1".to_owned(),
            Some(Expiry::Never) => " PERSIST".to_owned(),
        };
        words
    }

    /// The answer, and what the key holds after it.
    fn model(&self, held: Held) -> (String, Held) {
        let (lower, upper) = (self.lower.unwrap_or(i64::MIN), self.upper.unwrap_or(i64::MAX));
        if lower > upper {
            return ("-ERR LBOUND can't be greater than UBOUND\r\n".to_owned(), held);
        }
        let before = held.map_or(0, |(number, _)| number);
        let sum = before + i128::from(self.by.unwrap_or(1));
        let capped = sum.clamp(lower.into(), upper.into());
        let is_wanted = self.be_there.is_none_or(|be_there| be_there == held.is_some());
        if !is_wanted || (capped != sum && !self.saturates) {
            return (format!("*2\r\n:{before}\r\n:0\r\n"), held);
        }
        if i64::try_from(capped - before).is_err() {
            return ("-ERR applied increment would overflow\r\n".to_owned(), held);
        }
        let ttl = held.and_then(|(_, ttl)| ttl);
        let after = match self.expiry {
            None => Some((capped, ttl)),
            Some(Expiry::After(seconds)) => Some((capped, Some(seconds))),
            Some(Expiry::AfterIfNone(seconds)) => Some((capped, ttl.or(Some(seconds)))),
            Some(Expiry::Past) => None,
            Some(Expiry::Never) => Some((capped, None)),
        };
        (format!("*2\r\n:{capped}\r\n:{}\r\n", capped - before), after)
    }
}

fn ask(node: &mut Node, words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let text = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect::<String>();
    let answer = say(node, 0, format!("*{}\r\n{text}", words.len()).as_bytes());
    String::from_utf8(answer).expect("answers are text")
}

#[test]
fn a_counter_is_what_a_model_of_more_bits_says() {
    for_all(3_000, vec(asked(), 1..12), |requests| {
        let mut node = node(options());
        node.open(0, Origin::Loopback, NOW).expect("one client is not too many");
        let mut held = None;
        for asked in requests {
            let (expected, after) = asked.model(held);
            assert_eq!(ask(&mut node, &asked.words()), expected, "{} of {held:?}", asked.words());
            held = after;
            let ttl = held.map_or(-2, |(_, ttl)| ttl.map_or(-1, i64::from));
            assert_eq!(ask(&mut node, "TTL key"), format!(":{ttl}\r\n"), "{}", asked.words());
            let number = held.map(|(number, _)| number.to_string());
            let number = number.map_or("$-1\r\n".to_owned(), |text| format!("${}\r\n{text}\r\n", text.len()));
            assert_eq!(ask(&mut node, "GET key"), number, "{}", asked.words());
        }
    });
}

#[test]
fn several_keys_are_set_or_none_of_them_whatever_the_limit_on_memory() {
    let mut refused = 0;
    for limit in 1..1_500 {
        let mut node = node(Options { ..options() });
        node.open(0, Origin::Loopback, NOW).expect("one client is not too many");
        // One that is there without an expiry grows by one.
        assert_eq!(ask(&mut node, "SET one value"), "+OK\r\n");
        assert_eq!(ask(&mut node, &format!("CONFIG SET maxmemory {limit}")), "+OK\r\n");
        match ask(&mut node, "MSETEX 3 one value two other three last EX 100").as_str() {
            ":1\r\n" => assert_eq!(ask(&mut node, "EXISTS one two three"), ":3\r\n", "{limit}"),
            refusal => {
                assert!(refusal.starts_with("-OOM "), "{refusal}");
                refused += 1;
                assert_eq!(ask(&mut node, "EXISTS one two three"), ":1\r\n", "{limit}");
                assert_eq!(ask(&mut node, "TTL one"), ":-1\r\n", "{limit}");
            }
        }
    }
    assert!((200..1_400).contains(&refused), "{refused} were refused");
}
