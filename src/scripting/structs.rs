//! `struct`: numbers and texts as C lays them out, as `lstruct.c` does it that Redis has.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::{Arguments, add};
use super::budget::Budget;
use super::numbers::truncated;

/// Longest number.
const INTEGER_BYTES_MAX: usize = 32;
/// Longest format: nobody looks while it is gone through.
const FORMAT_BYTES_MAX: usize = 4 << 10;

/// What is found under `struct`.
pub(super) fn library(lua: &Lua, budget: &Rc<Budget>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let of = budget.clone();
    add(lua, &table, "pack", move |args| pack(&of, args))?;
    add(lua, &table, "unpack", unpack)?;
    add(lua, &table, "size", size)?;
    Ok(table)
}

/// A format that is gone through.
struct Format<'a> {
    rest: &'a [u8],
    is_big: bool,
    align: usize,
}

/// One item of it, and how many bytes it has.
#[derive(Clone, Copy)]
enum Item {
    Signed(usize),
    Unsigned(usize),
    Float,
    Double,
    Padding,
    /// With a zero byte behind.
    Text,
    /// So many characters; 0: as many as were read last, or as there are.
    Characters(usize),
}

impl Item {
    fn bytes(self) -> usize {
        match self {
            Item::Signed(bytes) | Item::Unsigned(bytes) | Item::Characters(bytes) => bytes,
            Item::Float => 4,
            Item::Double => 8,
            Item::Padding => 1,
            Item::Text => 0,
        }
    }

    /// How many zero bytes come before it at this place.
    fn gap(self, at: usize, align: usize) -> usize {
        let size = self.bytes();
        let is_aligned = !matches!(self, Item::Characters(_) | Item::Text | Item::Padding) && size > 1;
        let align = size.min(align);
        if is_aligned && align > 1 { (align - (at & (align - 1))) & (align - 1) } else { 0 }
    }
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8], args: &Arguments<'_>) -> mlua::Result<Format<'a>> {
        if text.len() > FORMAT_BYTES_MAX {
            return Err(args.error(&format!("format too long: at most {FORMAT_BYTES_MAX} bytes")));
        }
        Ok(Format { rest: text, is_big: cfg!(target_endian = "big"), align: 1 })
    }

    fn number(&mut self, default: usize, args: &Arguments<'_>) -> mlua::Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let text = String::from_utf8_lossy(&self.rest[..digits]).into_owned();
        self.rest = &self.rest[digits..];
        text.parse::<i32>().map(|number| number as usize).map_err(|_| args.error("integral size overflow"))
    }

    fn integer(&mut self, default: usize, args: &Arguments<'_>) -> mlua::Result<usize> {
        let bytes = self.number(default, args)?;
        if bytes > INTEGER_BYTES_MAX {
            let why = format!("integral size {bytes} is larger than limit of {INTEGER_BYTES_MAX}");
            return Err(args.error(&why));
        }
        Ok(bytes)
    }

    fn next(&mut self, args: &Arguments<'_>) -> mlua::Result<Option<Item>> {
        loop {
            let Some((&first, rest)) = self.rest.split_first() else { return Ok(None) };
            self.rest = rest;
            let item = match first {
                b'b' => Item::Signed(1),
                b'B' => Item::Unsigned(1),
                b'h' => Item::Signed(2),
                b'H' => Item::Unsigned(2),
                b'l' => Item::Signed(8),
                b'L' | b'T' => Item::Unsigned(8),
                b'i' => Item::Signed(self.integer(4, args)?),
                b'I' => Item::Unsigned(self.integer(4, args)?),
                b'f' => Item::Float,
                b'd' => Item::Double,
                b'x' => Item::Padding,
                b's' => Item::Text,
                b'c' => Item::Characters(self.number(1, args)?),
                b' ' => continue,
                b'>' => {
                    self.is_big = true;
                    continue;
                }
                b'<' => {
                    self.is_big = false;
                    continue;
                }
                b'!' => {
                    let align = self.number(8, args)?;
                    if !align.is_power_of_two() {
                        return Err(args.error(&format!("alignment {align} is not a power of 2")));
                    }
                    self.align = align;
                    continue;
                }
                other => {
                    return Err(args.bad(1, &format!("invalid format option '{}'", char::from(other))));
                }
            };
            return Ok(Some(item));
        }
    }

    fn push(&self, little: &[u8], into: &mut Vec<u8>) {
        if self.is_big { into.extend(little.iter().rev()) } else { into.extend_from_slice(little) }
    }
}

fn pack(budget: &Budget, args: &Arguments<'_>) -> mlua::Result<Value> {
    let text = args.text(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text, args)?;
    let (mut out, mut next) = (Vec::new(), 2);
    while let Some(item) = format.next(args)? {
        out.resize(out.len() + item.gap(out.len(), format.align), 0);
        match item {
            Item::Padding => {
                out.push(0);
                continue;
            }
            Item::Signed(bytes) | Item::Unsigned(bytes) => {
                let number = number(args, next)?;
                let number = if number < 0.0 { truncated(number) as u64 } else { number as u64 };
                // As in C, where it is shifted out, a longer one ends with zeros.
                let mut little = [0; INTEGER_BYTES_MAX];
                little[..8].copy_from_slice(&number.to_le_bytes());
                format.push(&little[..bytes], &mut out);
            }
            Item::Float => format.push(&(number(args, next)? as f32).to_le_bytes(), &mut out),
            Item::Double => format.push(&number(args, next)?.to_le_bytes(), &mut out),
            Item::Text => {
                let given = args.text(next)?;
                let given = given.as_bytes();
                budget.charge(given.len())?;
                budget.allow_bytes(out.len() + given.len())?;
                out.extend_from_slice(&given);
                out.push(0);
            }
            Item::Characters(count) => {
                let given = args.text(next)?;
                let given = given.as_bytes();
                let count = if count == 0 { given.len() } else { count };
                if given.len() < count {
                    return Err(args.bad(next + 1, "string too short"));
                }
                budget.charge(count)?;
                budget.allow_bytes(out.len() + count)?;
                out.extend_from_slice(&given[..count]);
            }
        }
        next += 1;
    }
    Ok(Value::String(args.lua.create_string(out)?))
}

/// The number to be packed; behind the last argument lies nil.
fn number(args: &Arguments<'_>, at: usize) -> mlua::Result<f64> {
    if at == args.len() + 1 { Err(args.bad(at, "number expected, got nil")) } else { args.number(at) }
}

fn unpack(args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    let (text, data) = (args.text(1)?, args.text(2)?);
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let start = args.integer_or(3, 1)? - 1;
    let mut at = usize::try_from(start).map_err(|_| args.bad(3, "offset must be 1 or greater"))?;
    let mut format = Format::new(&text, args)?;
    let mut values: Vec<Value> = Vec::new();
    let short = || args.bad(2, "data string too short");
    while let Some(item) = format.next(args)? {
        at += item.gap(at, format.align);
        let mut bytes = item.bytes();
        if let Item::Characters(0) = item {
            let Some(Value::Number(count)) = values.pop() else {
                return Err(args.error("format 'c0' needs a previous size"));
            };
            bytes = truncated(count).max(0) as usize;
        }
        let end = at.checked_add(bytes).filter(|&end| end <= data.len()).ok_or_else(short)?;
        let part = &data[at..end];
        let ordered = |part: &[u8]| {
            let mut little = part.to_vec();
            if format.is_big {
                little.reverse();
            }
            little.resize(little.len().max(8), 0);
            u64::from_le_bytes(*little.first_chunk().unwrap_or(&[0; 8]))
        };
        match item {
            Item::Padding => (),
            Item::Unsigned(_) => values.push(Value::Number(ordered(part) as f64)),
            Item::Signed(bytes) => {
                let unused = 64 - 8 * bytes.clamp(1, 8) as u32;
                values.push(Value::Number((((ordered(part) << unused) as i64) >> unused) as f64));
            }
            Item::Float => values.push(Value::Number(f32::from_bits(ordered(part) as u32).into())),
            Item::Double => values.push(Value::Number(f64::from_bits(ordered(part)))),
            Item::Characters(_) => values.push(Value::String(args.lua.create_string(part)?)),
            Item::Text => {
                let zero = memchr::memchr(0, &data[at..]);
                let len = zero.ok_or_else(|| args.error("unfinished string in data"))?;
                values.push(Value::String(args.lua.create_string(&data[at..at + len])?));
                bytes = len + 1;
            }
        }
        at += bytes;
    }
    values.push(Value::Integer(at as i64 + 1));
    Ok(values.into_iter().collect())
}

fn size(args: &Arguments<'_>) -> mlua::Result<Value> {
    let text = args.text(1)?;
    let text = text.as_bytes();
    let (mut format, mut at) = (Format::new(&text, args)?, 0);
    while let Some(item) = format.next(args)? {
        at += item.gap(at, format.align);
        match item {
            Item::Text => return Err(args.bad(1, "option 's' has no fixed size")),
            Item::Characters(0) => return Err(args.bad(1, "option 'c0' has no fixed size")),
            other => at += other.bytes(),
        }
    }
    Ok(Value::Integer(at as i64))
}
