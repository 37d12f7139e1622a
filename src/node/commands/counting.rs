//! `INCREX`: a counter with bounds and a time to live, in one step.
//!
//! As Redis 8.8 has it; of Valkey 9.2 are `NX` and `XX`. What would lead out of the bounds, or past all numbers, is not
//! done, and the answer says that nothing was added; with `SATURATE` it is done as far as the bound. The answer is the
//! number that the key holds after it, and by how much that differs from the one before. So the window of a rate limit is
//! one request: `INCREX calls:7 UBOUND 100 EX 60 ENX` adds one to a key that goes 60 s after it came, and adds 0 to it
//! from the 101st on.

use std::fmt;

use super::expiring::Deadline;
use super::extended::Extended;
use super::fail::{self, Fail, NOT_FLOAT, NOT_INTEGER, SYNTAX, integer};
use super::{Args, Command, Data, Outcome, Reply};
use crate::store::Form;

/// What a key counts in.
trait Number: Copy + PartialOrd + fmt::Display {
    /// What an argument is not that is none of these.
    const KIND: &'static str;
    /// A key's value is none.
    const NOT_HELD: Fail;
    /// The difference of two is none.
    const TOO_FAR: Fail;
    const EVENT: &'static str;
    const FORM: Form;

    fn least() -> Self;
    fn most() -> Self;
    fn of(number: i8) -> Self;
    fn parse(text: &[u8]) -> Option<Self>;
    /// It may lie past all numbers.
    fn plus(self, other: Self) -> Self;
    /// It may lie past all numbers.
    fn minus(self, other: Self) -> Self;
    /// Steps of the turn that it takes to read and write so many digits.
    fn steps(digits: usize) -> usize;
    fn answer(self, cx: &mut Data<'_>);

    fn is_finite(self) -> bool {
        self >= Self::least() && self <= Self::most()
    }
}

/// Those of 64 bits. Sums and differences have room in twice as many.
impl Number for i128 {
    const KIND: &'static str = "an integer or out of range";
    const NOT_HELD: Fail = NOT_INTEGER;
    const TOO_FAR: Fail = Fail::said("ERR applied increment would overflow");
    const EVENT: &'static str = "incrby";
    const FORM: Form = Form::Whole;

    fn least() -> i128 {
        i64::MIN.into()
    }

    fn most() -> i128 {
        i64::MAX.into()
    }

    fn of(number: i8) -> i128 {
        number.into()
    }

    fn parse(text: &[u8]) -> Option<i128> {
        integer(text).ok().map(i128::from)
    }

    fn plus(self, other: i128) -> i128 {
        self + other
    }

    fn minus(self, other: i128) -> i128 {
        self - other
    }

    fn steps(_digits: usize) -> usize {
        0
    }

    fn answer(self, cx: &mut Data<'_>) {
        cx.out.answer(Reply::Int(self as i64));
    }
}

impl Number for Extended {
    const KIND: &'static str = "a valid float";
    const NOT_HELD: Fail = NOT_FLOAT;
    const TOO_FAR: Fail = Fail::said("ERR applied increment would be Infinity");
    const EVENT: &'static str = "incrbyfloat";
    const FORM: Form = Form::Sum;

    fn least() -> Extended {
        Extended::of(0).minus(Extended::largest())
    }

    fn most() -> Extended {
        Extended::largest()
    }

    fn of(number: i8) -> Extended {
        Extended::from(number)
    }

    fn parse(text: &[u8]) -> Option<Extended> {
        Extended::parse(text)
    }

    fn plus(self, other: Extended) -> Extended {
        Extended::plus(self, other)
    }

    fn minus(self, other: Extended) -> Extended {
        Extended::minus(self, other)
    }

    /// Each digit of up to 5,000 is multiplied with all others.
    fn steps(digits: usize) -> usize {
        digits.pow(2) / 64
    }

    fn answer(self, cx: &mut Data<'_>) {
        cx.out.answer(Reply::Double(&self.to_string()));
    }
}

/// What it was asked to do.
#[derive(Default)]
struct Asked<'a> {
    by_int: Option<&'a [u8]>,
    by_float: Option<&'a [u8]>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturates: bool,
    expires: Option<Deadline<'a>>,
    /// `ENX`: a key that expires goes on to do so when it would.
    keeps_expiry: bool,
    persists: bool,
    /// Whether the key has to be there before, or must not be.
    be_there: Option<bool>,
}

impl<'a> Asked<'a> {
    /// Each option once, in any order.
    fn parse(args: Args<'a>) -> Result<Asked<'a>, Fail> {
        let mut asked = Asked::default();
        let mut rest = args.from(2);
        while let Some(option) = rest.next() {
            let is = |word: &str| fail::is(option, word);
            match () {
                () if is("SATURATE") && !asked.saturates => asked.saturates = true,
                () if is("NX") && asked.be_there.is_none() => asked.be_there = Some(false),
                () if is("XX") && asked.be_there.is_none() => asked.be_there = Some(true),
                () if is("ENX") && !asked.keeps_expiry && !asked.persists => asked.keeps_expiry = true,
                () if is("PERSIST") && !asked.persists && !asked.keeps_expiry && asked.expires.is_none() => {
                    asked.persists = true;
                }
                () => {
                    let operand = rest.next().ok_or(SYNTAX)?;
                    let by_nothing = asked.by_int.is_none() && asked.by_float.is_none();
                    match () {
                        () if is("BYINT") && by_nothing => asked.by_int = Some(operand),
                        () if is("BYFLOAT") && by_nothing => asked.by_float = Some(operand),
                        () if is("LBOUND") && asked.lower.is_none() => asked.lower = Some(operand),
                        () if is("UBOUND") && asked.upper.is_none() => asked.upper = Some(operand),
                        () => {
                            let deadline =
                                Deadline::named(option).filter(|_| asked.expires.is_none() && !asked.persists);
                            asked.expires = Some(deadline.ok_or(SYNTAX)?.with(operand));
                        }
                    }
                }
            }
        }
        if asked.keeps_expiry && asked.expires.is_none() {
            return Err(Fail::said("ERR ENX flag requires an expiration"));
        }
        Ok(asked)
    }

    /// How many digits it brings.
    fn digits(&self) -> usize {
        [self.by_float, self.lower, self.upper].into_iter().flatten().map(<[u8]>::len).sum()
    }
}

pub(super) fn incr_ex(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let asked = Asked::parse(args)?;
    match asked.by_float {
        None => count::<i128>(cx, args.at(1), &asked, asked.by_int),
        by => {
            let is_infinite = |by: &[u8]| <Extended as Number>::parse(by).is_some_and(|by| !by.is_finite());
            if by.is_some_and(is_infinite) {
                return Err(Fail::said("ERR BYFLOAT increment cannot be Infinity"));
            }
            count::<Extended>(cx, args.at(1), &asked, by)
        }
    }
}

fn count<N: Number>(cx: &mut Data<'_>, key: &[u8], asked: &Asked<'_>, by: Option<&[u8]>) -> Outcome {
    let read = |name: &str, text: Option<&[u8]>, unless_said: N| match text {
        None => Ok(unless_said),
        Some(text) => N::parse(text).ok_or_else(|| Fail::from(format!("ERR {name} is not {}", N::KIND))),
    };
    let by = read("Increment", by, N::of(1))?;
    let bounds = (read("LBOUND", asked.lower, N::least())?, read("UBOUND", asked.upper, N::most())?);
    if bounds.0 > bounds.1 {
        return Err(Fail::said("ERR LBOUND can't be greater than UBOUND"));
    }
    let asked_expiry = asked.expires.map(|expires| expires.resolve(Command::IncrEx, cx.now)).transpose()?;
    let found = cx.keys.get(key);
    let (is_there, digits) = (found.is_some(), found.map_or(0, <[u8]>::len));
    let before = found.map_or(Ok(N::of(0)), |text| N::parse(text).ok_or(N::NOT_HELD))?;
    if !before.is_finite() {
        return Err(Fail::said("ERR value cannot be Infinity"));
    }
    let sum = if asked.be_there.is_none_or(|be_there| be_there == is_there) {
        add(before, by, bounds, asked.saturates)?
    } else {
        None
    };
    let steps = N::steps(digits + asked.digits());
    let Some(Sum { after, added }) = sum else {
        answer(cx, before, N::of(0));
        return cx.done_after(steps);
    };
    let expiry_before = cx.keys.expiry(key);
    let new_expiry = asked_expiry.filter(|_| !asked.keeps_expiry || expiry_before.is_none());
    if new_expiry.is_some_and(|unix_ms| unix_ms <= cx.now.unix_ms) {
        if cx.remove(key) {
            cx.notify('g', "del", key);
        }
        answer(cx, after, added);
        return cx.done_after(steps);
    }
    let text = after.to_string();
    cx.put(key, text.as_bytes(), new_expiry.or(expiry_before.filter(|_| !asked.persists)))?;
    cx.note_form(key, N::FORM);
    cx.notify('$', N::EVENT, key);
    if new_expiry.is_some() {
        cx.notify('g', "expire", key);
    } else if asked.persists && expiry_before.is_some() {
        cx.notify('g', "persist", key);
    }
    answer(cx, after, added);
    cx.done_after(steps + N::steps(text.len()))
}

fn answer<N: Number>(cx: &mut Data<'_>, number: N, added: N) {
    cx.out.answer(Reply::Array(2));
    number.answer(cx);
    added.answer(cx);
}

struct Sum<N> {
    after: N,
    /// How much it is more than before.
    added: N,
}

/// Adds, within the bounds. `None` where that cannot be.
fn add<N: Number>(before: N, by: N, (lower, upper): (N, N), saturates: bool) -> Result<Option<Sum<N>>, Fail> {
    let sum = before.plus(by);
    // A bound past all numbers bounds nothing, but what is past all numbers is none.
    let after = if sum > N::most() && upper > N::most() {
        N::most()
    } else if sum < N::least() && lower < N::least() {
        N::least()
    } else if sum > upper {
        upper
    } else if sum < lower {
        lower
    } else {
        sum
    };
    if after != sum && !saturates {
        return Ok(None);
    }
    let added = after.minus(before);
    if added.is_finite() { Ok(Some(Sum { after, added })) } else { Err(N::TOO_FAR) }
}
