//! `LCS`: the longest common subsequence of two values.

use super::fail::{Fail, SYNTAX, integer, is};
use super::{Args, Data, Outcome, Reply};

/// Most steps: what one request may take while others wait.
const STEPS_MAX: usize = 1 << 20;

/// A part that both have: from and to in the one, from and to in the other.
type Match = ((usize, usize), (usize, usize));

pub(super) fn lcs(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    cx.miss_absent(args.from(1).take(2));
    let (mut only_len, mut indices, mut with_len, mut len_min) = (false, false, false, 0);
    let mut rest = args.from(3);
    while let Some(option) = rest.next() {
        match option {
            _ if is(option, "LEN") => only_len = true,
            _ if is(option, "IDX") => indices = true,
            _ if is(option, "WITHMATCHLEN") => with_len = true,
            _ if is(option, "MINMATCHLEN") => len_min = integer(rest.next().ok_or(SYNTAX)?)?.max(0) as usize,
            _ => return Err(SYNTAX),
        }
    }
    if only_len && indices {
        return Err(Fail::said("ERR If you want both the length and indexes, please just use IDX."));
    }
    let one = cx.keys.get(args.at(1)).unwrap_or_default();
    let other = cx.keys.get(args.at(2)).unwrap_or_default();
    if (one.len() + 1).saturating_mul(other.len() + 1) > STEPS_MAX {
        return Err(Fail::said("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"));
    }
    let steps = one.len() * other.len();
    let (common, matches) = compare(one, other);
    if only_len {
        cx.out.answer(Reply::Int(common.len() as i64));
        return cx.done_after(steps);
    }
    if !indices {
        cx.out.answer(Reply::Value(&common));
        return cx.done_after(steps);
    }
    let out = &mut *cx.out;
    let long: Vec<Match> = matches.into_iter().filter(|(part, _)| part.1 - part.0 + 1 >= len_min.max(1)).collect();
    out.answer(Reply::Map(2));
    out.answer(Reply::Value(b"matches"));
    out.answer(Reply::Array(long.len()));
    for (part, other) in long {
        out.answer(Reply::Array(if with_len { 3 } else { 2 }));
        for (from, to) in [part, other] {
            out.answer(Reply::Array(2));
            out.answer(Reply::Int(from as i64));
            out.answer(Reply::Int(to as i64));
        }
        if with_len {
            out.answer(Reply::Int((part.1 - part.0 + 1) as i64));
        }
    }
    out.answer(Reply::Value(b"len"));
    out.answer(Reply::Int(common.len() as i64));
    cx.done_after(steps)
}

/// The subsequence, and the parts it consists of, the last one first. O(both lengths multiplied).
fn compare(one: &[u8], other: &[u8]) -> (Vec<u8>, Vec<Match>) {
    let width = other.len() + 1;
    let mut lengths = vec![0_u32; (one.len() + 1) * width];
    for (row, byte) in one.iter().enumerate() {
        for (column, candidate) in other.iter().enumerate() {
            lengths[(row + 1) * width + column + 1] = if byte == candidate {
                lengths[row * width + column] + 1
            } else {
                lengths[row * width + column + 1].max(lengths[(row + 1) * width + column])
            };
        }
    }
    let (mut row, mut column) = (one.len(), other.len());
    let (mut common, mut matches): (Vec<u8>, Vec<Match>) = (Vec::new(), Vec::new());
    while row > 0 && column > 0 {
        if one[row - 1] == other[column - 1] {
            (row, column) = (row - 1, column - 1);
            common.push(one[row]);
            match matches.last_mut() {
                Some((part, opposite)) if part.0 == row + 1 && opposite.0 == column + 1 => {
                    (part.0, opposite.0) = (row, column);
                }
                Some(_) | None => matches.push(((row, row), (column, column))),
            }
        } else if lengths[(row - 1) * width + column] > lengths[row * width + column - 1] {
            row -= 1;
        } else {
            column -= 1;
        }
    }
    common.reverse();
    (common, matches)
}
