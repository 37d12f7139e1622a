//! Conversations cut into pieces.

use crate::random::Random;

/// Cuts the bytes at random; some pieces are empty, some a single byte.
pub fn pieces<'a>(bytes: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let longest = random.choose(&[1, 7, 100, 5_000, 40_000]);
    let longest = longest.max(bytes.len() / 2_000);
    let (mut rest, mut pieces) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (piece, others) = rest.split_at(random.below(longest + 1).min(rest.len()));
        pieces.push(piece);
        rest = others;
    }
    pieces
}
