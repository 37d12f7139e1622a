//! The fuzzer of the line decoder: mutated lines in, properties that hold for all bytes checked.
//!
//! It knows no grammar: it asks whether the decoder is consistent with itself. What the right answer is, the
//! conversations and the malformed lines say.

use kvstoreapp::protocol::{Decoded, Dialect, Reply, Scratch, line};

use crate::pure;
use crate::random::Random;
use crate::talk;

/// What a line is made from before it is spoiled.
const CORPUS: &[&[u8]] = &[
    b"SET a b\n",
    b"set color dark  blue \t\n",
    b"SET a b\r\n",
    b"SET a \n",
    b"SET \xFF\x00\x80 \xC3\x28\n",
    b"GET a\n",
    b"GeT color\r\n",
    b"GET a b\n",
    b"DELETE a\n",
    b"delete\n",
    b"PING\n",
    b"HELP\n",
    b"\n",
    b"\r\n",
    b" \n",
    b"QUIT\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a b\n",
    b"HOST: a\n",
    b"\0\0\0\0",
    b"GETS a\nGET\ta\n GET a\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nx\r\ny\n\r\n",
    b"*2\r\n$3\r\nget\r\n$1\r\na\r\nGET a\r\nSET \"a\\x00 b\" 'c d'\r\n",
    b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*1\r\n$4\r\nEXEC\r\n",
    b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n",
    b"*5\r\n$8\r\nBITFIELD\r\n$1\r\nb\r\n$3\r\nSET\r\n$2\r\nu8\r\n$1\r\n0\r\n",
    b"*-1\r\n*0\r\n*1\r\n$0\r\n\r\n*1\r\n:1\r\n",
    b"{\"get\":\"a\"}\n",
    b"{\"op\":\"set\",\"key\":\"a\",\"value\":\"1\",\"ttl_ms\":5000,\"id\":7}\n{\"op\":\"get\",\"key\":\"a\",\"id\":[1]}\n",
    b"{\"op\":\"mget\",\"keys\":[\"a\",\"b\"]}\n{\"op\":\"scan\"}\n{\"op\":\"watch\",\"prefix\":\"\"}\n",
];
/// Bytes that mean something to a decoder of lines.
const MEANINGFUL: &[u8] = b" \n\r\t\0:SsGgDd\xFF\x80*$\"'{}\\19-";
const VALUE_BYTES_MAX: [usize; 3] = [1, 40, 1_000];

/// Checks inputs made from the seed, numbered from 0, for as long as `go_on` says so. Returns how many.
pub fn fuzz(seed: u64, mut go_on: impl FnMut(u64) -> bool) -> u64 {
    let mut random = Random::new(seed);
    let mut kept: Vec<Vec<u8>> = CORPUS.iter().map(|line| line.to_vec()).collect();
    let mut count = 0;
    while go_on(count) {
        let input = mutate(&kept, &mut random);
        let value_bytes_max = random.choose(&VALUE_BYTES_MAX);
        check_decode(&input, value_bytes_max, &mut random);
        check_pieces(&input, value_bytes_max, &mut random);
        // Mutations pile up on some of the inputs; the short ones, so that the run stays fast.
        if random.once_in(8) && input.len() < 200 {
            let place = random.below(500);
            match kept.get_mut(CORPUS.len() + place) {
                Some(old) => *old = input,
                None => kept.push(input),
            }
        }
        count += 1;
    }
    count
}

/// What holds for any bytes, in whatever state a session is.
pub fn check_decode(bytes: &[u8], value_bytes_max: usize, random: &mut Random) {
    let first = random.once_in(2);
    let newline = bytes.iter().position(|&byte| byte == b'\n');
    let (mut scratch, mut other) = (Scratch::default(), Scratch::default());
    let decoded = line::decode(bytes, 0, first, value_bytes_max, &mut scratch);
    let context = || format!("first {first}, values up to {value_bytes_max}, {decoded:?} of {}", shown(bytes));
    match decoded {
        Decoded::Request(_, used) | Decoded::Malformed(_, used) => {
            assert_eq!(Some(used), newline.map(|at| at + 1), "it takes exactly the first line: {}", context());
        }
        Decoded::Http => assert!(first && newline.is_some(), "only a first line is HTTP: {}", context()),
        Decoded::Blank(_) | Decoded::Failed(..) | Decoded::Fatal(_) => panic!("not in this dialect: {}", context()),
        Decoded::Incomplete(_) | Decoded::Oversized(_) => {
            assert_eq!(newline, None, "a line that ends is complete: {}", context());
            let is_long = bytes.len() > line::line_bytes_max(value_bytes_max);
            assert_eq!(matches!(decoded, Decoded::Oversized(_)), is_long, "the limit on lines holds: {}", context());
        }
    }
    if let Decoded::Malformed(reply, _) | Decoded::Oversized(reply) = &decoded {
        assert!(!matches!(reply, Reply::Ok | Reply::Value(_) | Reply::Simple(_) | Reply::Text(_)), "{}", context());
        let mut answer = b"before".to_vec();
        Dialect::Line.encode(*reply, &mut answer);
        let answer = answer.strip_prefix(b"before").expect("what was there stays");
        assert_eq!(answer.iter().position(|&byte| byte == b'\n'), Some(answer.len() - 1), "{}", context());
    }
    let scanned = random.below(newline.unwrap_or(bytes.len()) + 1);
    let again = line::decode(bytes, scanned, first, value_bytes_max, &mut other);
    assert_eq!(
        format!("{again:?}"),
        format!("{decoded:?}"),
        "bytes known to hold no line end change nothing: {scanned} of them, {}",
        context()
    );
}

/// What a node answers does not depend on how the network cuts the bytes.
pub fn check_pieces(bytes: &[u8], value_bytes_max: usize, random: &mut Random) {
    let whole = pure::play(value_bytes_max, [bytes]);
    assert!(whole.is_empty() || whole.ends_with(b"\n"), "the last answer ends: {}", shown(&whole));
    let pieces = talk::pieces(bytes, random);
    let in_pieces = pure::play(value_bytes_max, pieces.iter().copied());
    if !says_info(bytes) {
        let lengths: Vec<usize> = pieces.iter().map(|piece| piece.len()).take(20).collect();
        let (whole_shown, pieces_shown) = (shown(&whole), shown(&in_pieces));
        assert!(
            whole == in_pieces,
            "answers depend on how the bytes are cut, values up to {value_bytes_max}: {} is answered\n\
             {whole_shown} as a whole and\n{pieces_shown} in pieces of {lengths:?} and so on",
            shown(bytes)
        );
    }
}

/// `INFO` counts buffers, which differ with the pieces.
fn says_info(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|word| word.eq_ignore_ascii_case(b"INFO"))
}

fn mutate(kept: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = kept[random.below(kept.len())].clone();
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.choose(MEANINGFUL),
            2 => bytes.insert(at, random.choose(MEANINGFUL)),
            3 => drop(bytes.splice(at..at, random.bytes(3))),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + random.below(8)).min(bytes.len()))),
            6 => {
                let other = &kept[random.below(kept.len())];
                bytes.splice(at..at, other[random.below(other.len() + 1)..].iter().copied());
            }
            _ => bytes.extend_from_slice(random.choose(CORPUS)),
        }
    }
    if random.once_in(100) {
        let (at, byte) = (random.below(bytes.len() + 1), random.choose(b"x x\r\xFF"));
        // Around the limits of key and line, and far past them.
        let count = random.choose(&[65_530, 65_535, 65_536, 65_550, 66_560, 140_000]) + random.below(40);
        bytes.splice(at..at, std::iter::repeat_n(byte, count));
    }
    bytes
}

/// Long inputs by their ends.
fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= 400 {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    let (begin, end) = (&bytes[..150], &bytes[bytes.len() - 150..]);
    format!("\"{}\" ... \"{}\" ({} bytes)", begin.escape_ascii(), end.escape_ascii(), bytes.len())
}
