//! A line as words: bare, "quoted with \x00 and \n", or 'as they are', as `redis-cli` takes them.

/// The words; `None` where a quote does not end, or something follows one at once.
pub(super) fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while let Some(&first) = rest.first() {
        let mut word = Vec::new();
        let mut at = 0;
        while let Some(&byte) = rest.get(at) {
            match byte {
                b'"' | b'\'' => {
                    at = quoted(rest, at, &mut word)?;
                    // What is quoted ends its word.
                    if rest.get(at).is_some_and(|byte| !byte.is_ascii_whitespace()) {
                        return None;
                    }
                }
                byte if byte.is_ascii_whitespace() => break,
                byte => {
                    word.push(byte);
                    at += 1;
                }
            }
        }
        debug_assert!(at > 0, "{first}");
        words.push(word);
        rest = rest[at..].trim_ascii_start();
    }
    Some(words)
}

/// Takes what is in the quotes that begin there, and returns where they have ended.
fn quoted(text: &[u8], from: usize, word: &mut Vec<u8>) -> Option<usize> {
    let quote = text[from];
    let mut at = from + 1;
    loop {
        match (quote, &text[at.min(text.len())..]) {
            (_, []) => return None,
            (quote, [byte, ..]) if *byte == quote => return Some(at + 1),
            (b'"', [b'\\', b'x', high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| (byte as char).to_digit(16).map_or(0, |digit| digit as u8);
                word.push(digit(*high) << 4 | digit(*low));
                at += 4;
            }
            (b'"', [b'\\', escaped, ..]) => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                at += 2;
            }
            (b'\'', [b'\\', b'\'', ..]) => {
                word.push(b'\'');
                at += 2;
            }
            (_, [byte, ..]) => {
                word.push(*byte);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::text::quote;

    #[test]
    fn words_are_split_as_redis_cli_does() {
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
            assert_eq!(split(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        let mut quoted = Vec::new();
        quote(&all, &mut quoted);
        assert_eq!(split(&quoted), Some(vec![all]));
    }
}
