//! Words in a line of text, and bytes in quotes: as Redis reads its inline requests and configuration files, and as it
//! shows them (`sdssplitargs`, `sdscatrepr`).

use super::Scratch;

/// Adds a line's words to the arguments: between spaces; `"..."` with the escapes of C and `\xHH`, `'...'` with `\'`
/// alone. `None` where a quote does not end, or something follows its end at once.
pub fn split(line: &[u8], scratch: &mut Scratch) -> Option<()> {
    let mut rest = line;
    loop {
        let blank = rest.iter().take_while(|byte| is_space(**byte)).count();
        rest = &rest[blank..];
        if rest.is_empty() {
            return Some(());
        }
        let start = scratch.text.len();
        loop {
            match rest {
                [] => break,
                [byte, ..] if is_space(*byte) => break,
                [quote @ (b'"' | b'\''), after @ ..] => {
                    rest = unquote(*quote, after, &mut scratch.text)?;
                    if rest.first().is_some_and(|byte| !is_space(*byte)) {
                        return None;
                    }
                    break;
                }
                [byte, after @ ..] => {
                    scratch.text.push(*byte);
                    rest = after;
                }
            }
        }
        scratch.spans.push(start..scratch.text.len());
    }
}

/// Bytes in double quotes, with what cannot be seen escaped: [`split`] reads them back.
pub fn quoted(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            7 => out.push_str("\\a"),
            8 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("\\x{other:02x}")),
        }
    }
    out.push('"');
    out
}

/// Takes what is in quotes; what follows the closing one.
fn unquote<'a>(quote: u8, text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut rest = text;
    loop {
        rest = match (quote, rest) {
            (_, []) => return None,
            (_, [byte, after @ ..]) if *byte == quote => return Some(after),
            (b'"', [b'\\', b'x', high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high)? << 4 | hex(*low)?);
                after
            }
            (b'"', [b'\\', escaped, after @ ..]) => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                after
            }
            (b'\'', [b'\\', b'\'', after @ ..]) => {
                out.push(b'\'');
                after
            }
            (_, [byte, after @ ..]) => {
                out.push(*byte);
                after
            }
        };
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut scratch = Scratch::default();
        split(line, &mut scratch).map(|()| scratch.args().iter().map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn words_are_split_as_redis_does() {
        for (line, expected) in [
            (&b""[..], Some(&[][..])),
            (b"  GET  a ", Some(&[&b"GET"[..], b"a"])),
            (br#"SET "a\x00b" 'it'"#, Some(&[b"SET", b"a\0b", b"it"])),
            (br#"SET 'it\'s' "\n\r\t\b\a\"\\\q\xzz""#, Some(&[b"SET", b"it's", b"\n\r\t\x08\x07\"\\qxzz"])),
            (br#"SET a """#, Some(&[b"SET", b"a", b""])),
            (b"SET a''", Some(&[b"SET", b"a"])),
            (br#"GET "a"#, None),
            (br#"GET "a\"#, None),
            (br#"GET "a"b"#, None),
            (b"GET 'a'b", None),
            (b"GET 'a", None),
        ] {
            let expected = expected.map(|words| words.iter().map(|word| word.to_vec()).collect());
            assert_eq!(words(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(words(quoted(&all).as_bytes()), Some(vec![all]));
    }
}
