//! What is computed from values, against a plain model of it: one bit, one byte, one digit after the other.

use std::collections::BTreeMap;

use kvstoreapp::node::{Node, Options, Origin};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::for_all;
use crate::pure::{NOW, node, options};

#[derive(Clone, Copy, Debug)]
enum Overflow {
    Wrap,
    Sat,
    Fail,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    Get,
    Set(i64),
    IncrBy(i64),
}

/// A field, how many bits it has, whether with a sign, and where it begins, counted in fields or in bits.
#[derive(Clone, Copy, Debug)]
struct Field {
    bits: u32,
    signed: bool,
    at: usize,
    in_fields: bool,
}

/// Where a range ends, and in which unit.
type End = (i64, Option<&'static str>);

#[derive(Clone, Debug)]
enum Asked {
    Set(usize, Vec<u8>),
    Del(usize),
    BitOp(&'static str, usize, Vec<usize>),
    BitField(usize, Vec<(Option<Overflow>, Field, Does)>),
    BitCount(usize, Option<(i64, i64, Option<&'static str>)>),
    BitPos(usize, bool, Option<(i64, Option<End>)>),
    SetRange(usize, usize, Vec<u8>),
    GetRange(usize, i64, i64),
    Lcs(usize, usize),
    /// Two numbers of so many 1,024ths.
    IncrByFloat(usize, i64, i64),
}

type Values = BTreeMap<usize, Vec<u8>>;

fn key() -> impl Strategy<Value = usize> {
    0..4_usize
}

/// Short and of few letters, so that values have something in common; some are empty.
fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![3 => select(&b"ab\0\xff"[..]), 1 => any::<u8>()], 0..9)
}

fn index() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -12..80_i64, 1 => select(&[i64::MIN, i64::MAX, 1 << 40, -1 << 40][..])]
}

fn unit() -> impl Strategy<Value = Option<&'static str>> {
    option::of(select(&["BIT", "BYTE"][..]))
}

fn field_operation() -> impl Strategy<Value = (Option<Overflow>, Field, Does)> {
    let overflow = option::of(select(&[Overflow::Wrap, Overflow::Sat, Overflow::Fail][..]));
    let amount =
        || prop_oneof![4 => -300..300_i64, 1 => -1 << 61..1_i64 << 61, 1 => select(&[-1, 0, 127, i64::MAX][..])];
    let does = prop_oneof![Just(Does::Get), amount().prop_map(Does::Set), amount().prop_map(Does::IncrBy)];
    let field = (1..=64_u32, any::<bool>(), 0..70_usize, any::<bool>()).prop_map(|(bits, signed, at, in_fields)| {
        let (bits, at) = (if signed { bits } else { bits.min(63) }, if in_fields { at / 8 } else { at });
        Field { bits, signed, at, in_fields }
    });
    (overflow, field, does)
}

fn asked() -> impl Strategy<Value = Asked> {
    let operation = select(&["AND", "OR", "XOR", "NOT"][..]);
    prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| Asked::Set(key, value)),
        1 => key().prop_map(Asked::Del),
        3 => (operation, key(), vec(key(), 1..5)).prop_map(|(name, target, mut sources)| {
            sources.truncate(if name == "NOT" { 1 } else { 4 });
            Asked::BitOp(name, target, sources)
        }),
        4 => (key(), vec(field_operation(), 0..4)).prop_map(|(key, all)| Asked::BitField(key, all)),
        1 => (key(), option::of((index(), index(), unit()))).prop_map(|(key, range)| Asked::BitCount(key, range)),
        2 => (key(), any::<bool>(), option::of((index(), option::of((index(), unit())))))
            .prop_map(|(key, bit, range)| Asked::BitPos(key, bit, range)),
        1 => (key(), 0..12_usize, value()).prop_map(|(key, offset, part)| Asked::SetRange(key, offset, part)),
        1 => (key(), index(), index()).prop_map(|(key, start, end)| Asked::GetRange(key, start, end)),
        1 => (key(), key()).prop_map(|(one, other)| Asked::Lcs(one, other)),
        1 => (key(), -1 << 50..1_i64 << 50, -1 << 50..1_i64 << 50).prop_map(|(key, one, by)| Asked::IncrByFloat(key, one, by)),
    ]
}

fn bits_of(value: &[u8]) -> Vec<bool> {
    value.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
}

fn bytes_of(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, &bit)| sum | u8::from(bit) << (7 - at)))
        .collect()
}

fn bulk(value: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

fn number(number: impl Into<i128>) -> Vec<u8> {
    format!(":{}\r\n", number.into()).into_bytes()
}

/// The places from `start` to `end`, each counted from the end where it is negative.
fn places(len: usize, start: i64, end: i64) -> Vec<usize> {
    let from_end = |index: i64| if index < 0 { (i128::from(index) + len as i128).max(0) } else { index.into() };
    (0..len).filter(|&at| (from_end(start)..=from_end(end)).contains(&(at as i128))).collect()
}

/// Both counted from the end, and in the wrong order.
fn is_crossed(start: i64, end: i64) -> bool {
    start < 0 && end < 0 && start > end
}

/// Longest common subsequence of the two, by trying all.
fn lcs_len(one: &[u8], other: &[u8]) -> usize {
    let all = (0..1_u32 << one.len()).filter(|chosen| {
        let mut rest = other.iter();
        (0..one.len()).filter(|at| chosen >> at & 1 == 1).all(|at| rest.any(|byte| *byte == one[at]))
    });
    all.map(u32::count_ones).max().unwrap_or_default() as usize
}

/// A number of so many 1,024ths in decimal digits: it has ten after the point at most.
fn decimal(parts: i128) -> String {
    let digits = parts.unsigned_abs() * 10_000_000_000 / 1_024;
    let text = format!("{}.{:010}", digits / 10_000_000_000, digits % 10_000_000_000);
    let sign = if parts < 0 { "-" } else { "" };
    sign.to_owned() + text.trim_end_matches('0').trim_end_matches('.')
}

impl Field {
    fn text(self) -> [String; 2] {
        let sign = if self.signed { 'i' } else { 'u' };
        [format!("{sign}{}", self.bits), format!("{}{}", if self.in_fields { "#" } else { "" }, self.at)]
    }

    fn begin(self) -> usize {
        if self.in_fields { self.at * self.bits as usize } else { self.at }
    }

    fn least_and_most(self) -> (i128, i128) {
        if self.signed { (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) } else { (0, (1 << self.bits) - 1) }
    }

    fn read(self, bits: &[bool]) -> i128 {
        let bit = |at: usize| bits.get(self.begin() + at).copied().unwrap_or_default();
        let raw = (0..self.bits as usize).fold(0_i128, |sum, at| sum * 2 + i128::from(bit(at)));
        if raw > self.least_and_most().1 { raw - (1 << self.bits) } else { raw }
    }

    fn write(self, bits: &mut [bool], number: i128) {
        for at in 0..self.bits as usize {
            bits[self.begin() + at] = number >> (self.bits as usize - 1 - at) & 1 == 1;
        }
    }

    /// One step at a time over the ends, as far as that is few.
    fn fit(self, number: i128, overflow: Overflow) -> Option<i128> {
        let (least, most) = self.least_and_most();
        match overflow {
            _ if (least..=most).contains(&number) => Some(number),
            Overflow::Fail => None,
            Overflow::Sat => Some(if number < least { least } else { most }),
            Overflow::Wrap => {
                let kept = number.rem_euclid(1 << self.bits);
                Some(if kept > most { kept - (1 << self.bits) } else { kept })
            }
        }
    }
}

/// The words of the request, and its answer; the values are changed as they are to be.
fn model(values: &mut Values, asked: &Asked) -> (Vec<Vec<u8>>, Vec<u8>) {
    let value = |values: &Values, key: usize| values.get(&key).cloned().unwrap_or_default();
    let name = |key: &usize| format!("key{key}");
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut say = |word: &str| words.push(word.as_bytes().to_vec());
    let answer = match asked {
        Asked::Set(key, new) => {
            ["SET", &name(key)].into_iter().for_each(&mut say);
            words.push(new.clone());
            values.insert(*key, new.clone());
            b"+OK\r\n".to_vec()
        }
        Asked::Del(key) => {
            ["DEL", &name(key)].into_iter().for_each(&mut say);
            number(values.remove(key).is_some())
        }
        Asked::BitOp(operation, target, sources) => {
            ["BITOP", operation, &name(target)].into_iter().for_each(&mut say);
            sources.iter().for_each(|key| say(&name(key)));
            let operands: Vec<Vec<bool>> = sources.iter().map(|&key| bits_of(&value(values, key))).collect();
            let len = operands.iter().map(Vec::len).max().unwrap_or_default();
            let bit = |at: usize| {
                let ones = operands.iter().filter(|bits| bits.get(at).copied().unwrap_or_default()).count();
                match *operation {
                    "AND" => ones == operands.len(),
                    "OR" => ones > 0,
                    "XOR" => ones % 2 == 1,
                    _ => ones == 0,
                }
            };
            let combined = bytes_of(&(0..len).map(bit).collect::<Vec<bool>>());
            if len == 0 {
                values.remove(target);
            } else {
                values.insert(*target, combined);
            }
            number((len / 8) as i64)
        }
        Asked::BitField(key, operations) => {
            ["BITFIELD", &name(key)].into_iter().for_each(&mut say);
            let (mut bits, mut kind, mut writes) = (bits_of(&value(values, *key)), Overflow::Wrap, false);
            let mut answer = format!("*{}\r\n", operations.len()).into_bytes();
            for (overflow, field, does) in operations {
                if let Some(overflow) = overflow {
                    kind = *overflow;
                    ["OVERFLOW", &format!("{overflow:?}")].into_iter().for_each(&mut say);
                }
                let [width, at] = field.text();
                let before = field.read(&bits);
                let (words, result, new) = match *does {
                    Does::Get => (vec!["GET".to_owned(), width, at], Some(before), None),
                    Does::Set(amount) => {
                        // Without a sign, what is below zero is a number past all others.
                        let new = if field.signed { i128::from(amount) } else { i128::from(amount as u64) };
                        let fitted = field.fit(new, kind);
                        (vec!["SET".to_owned(), width, at, amount.to_string()], fitted.and(Some(before)), fitted)
                    }
                    Does::IncrBy(amount) => {
                        let fitted = field.fit(before + i128::from(amount), kind);
                        (vec!["INCRBY".to_owned(), width, at, amount.to_string()], fitted, fitted)
                    }
                };
                words.iter().for_each(|word| say(word));
                if !matches!(does, Does::Get) {
                    writes = true;
                    let end = (field.begin() + field.bits as usize).next_multiple_of(8);
                    bits.resize(bits.len().max(end), false);
                }
                if let Some(new) = new {
                    field.write(&mut bits, new);
                }
                answer.extend(result.map_or(b"$-1\r\n".to_vec(), number));
            }
            if writes {
                values.insert(*key, bytes_of(&bits));
            }
            answer
        }
        Asked::BitCount(key, range) => {
            ["BITCOUNT", &name(key)].into_iter().for_each(&mut say);
            let value = value(values, *key);
            let bits = bits_of(&value);
            let counted = match range {
                None => (0..bits.len()).collect(),
                Some((start, end, unit)) => {
                    [start.to_string(), end.to_string()].iter().for_each(|word| say(word));
                    unit.iter().for_each(|unit| say(unit));
                    match unit {
                        _ if is_crossed(*start, *end) => Vec::new(),
                        Some("BIT") => places(bits.len(), *start, *end),
                        _ => places(value.len(), *start, *end).into_iter().flat_map(|at| at * 8..at * 8 + 8).collect(),
                    }
                }
            };
            number(counted.into_iter().filter(|&at| bits[at]).count() as i64)
        }
        Asked::BitPos(key, bit, range) => {
            ["BITPOS", &name(key), if *bit { "1" } else { "0" }].into_iter().for_each(&mut say);
            let (start, end) = (range.map_or(0, |range| range.0), range.and_then(|range| range.1));
            let unit = end.and_then(|end| end.1);
            range.iter().for_each(|(start, _)| say(&start.to_string()));
            end.iter().for_each(|(end, _)| say(&end.to_string()));
            unit.iter().for_each(|unit| say(unit));
            let present = values.contains_key(key);
            let value = value(values, *key);
            let bits = bits_of(&value);
            let last = end.map_or(-1, |end| end.0);
            let looked_at: Vec<usize> = match unit {
                Some("BIT") => places(bits.len(), start, last),
                _ => places(value.len(), start, last).into_iter().flat_map(|at| at * 8..at * 8 + 8).collect(),
            };
            number(match looked_at.iter().find(|&&at| bits[at] == *bit) {
                Some(&at) => at as i64,
                None if !present && !*bit => 0,
                // Where no end is given, the value goes on with zeros.
                None if !*bit && end.is_none() && !looked_at.is_empty() => bits.len() as i64,
                None => -1,
            })
        }
        Asked::SetRange(key, offset, part) => {
            ["SETRANGE", &name(key), &offset.to_string()].into_iter().for_each(&mut say);
            words.push(part.clone());
            let mut new = value(values, *key);
            for (at, byte) in part.iter().enumerate() {
                new.resize(new.len().max(offset + at + 1), 0);
                new[offset + at] = *byte;
            }
            let len = new.len() as i64;
            if !part.is_empty() {
                values.insert(*key, new);
            }
            number(len)
        }
        Asked::GetRange(key, start, end) => {
            ["GETRANGE", &name(key), &start.to_string(), &end.to_string()].into_iter().for_each(&mut say);
            let value = value(values, *key);
            let places = if is_crossed(*start, *end) { Vec::new() } else { places(value.len(), *start, *end) };
            bulk(&places.into_iter().map(|at| value[at]).collect::<Vec<u8>>())
        }
        Asked::Lcs(one, other) => {
            ["LCS", &name(one), &name(other), "LEN"].into_iter().for_each(&mut say);
            // All of a longer one would be too many to try.
            let [one, other] = [one, other].map(|key| value(values, *key));
            let (one, other) = if one.len() <= other.len() { (one, other) } else { (other, one) };
            if one.len() > 16 { Vec::new() } else { number(lcs_len(&one, &other) as i64) }
        }
        Asked::IncrByFloat(key, one, by) => {
            values.insert(*key, decimal(i128::from(*one) + i128::from(*by)).into_bytes());
            ["INCRBYFLOAT", &name(key), &decimal((*by).into())].into_iter().for_each(&mut say);
            bulk(&values[key])
        }
    };
    (words, answer)
}

fn ask(node: &mut Node, words: &[Vec<u8>]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| request.extend(bulk(word)));
    node.receive(0, &request, NOW);
    let answer = node.sendable(0).to_vec();
    node.sent(0, answer.len());
    let mut ids = Vec::new();
    node.take_touched(&mut ids);
    answer
}

#[test]
fn what_is_computed_from_values_is_what_a_plain_model_computes() {
    for_all(6_000, vec(asked(), 1..14), |requests| {
        let (mut node, mut values) = (node(Options { value_bytes_max: 1 << 16, ..options() }), Values::new());
        node.open(0, Origin::Loopback, NOW).expect("one client is not too many");
        for asked in requests {
            if let Asked::IncrByFloat(key, one, _) = &asked {
                ask(
                    &mut node,
                    &[b"SET".to_vec(), format!("key{key}").into_bytes(), decimal((*one).into()).into_bytes()],
                );
            }
            let (words, expected) = model(&mut values, &asked);
            let answer = ask(&mut node, &words);
            if !expected.is_empty() {
                assert_eq!(answer.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{asked:?}");
            }
            for key in 0..4 {
                let expected = values.get(&key).map_or(b"$-1\r\n".to_vec(), |value| bulk(value));
                let answer = ask(&mut node, &[b"GET".to_vec(), format!("key{key}").into_bytes()]);
                assert_eq!(
                    answer.escape_ascii().to_string(),
                    expected.escape_ascii().to_string(),
                    "key{key} after {asked:?}"
                );
            }
        }
    });
}
