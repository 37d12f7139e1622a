//! Patterns as Redis has them: `*`, `?`, `[abc]`, `[^a-c]`, `\` before a character that means itself.

/// Whether the whole text matches. Without recursion: in the worst case O(pattern x text).
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    // Where to go on when a later part does not match: after the last `*`, one character further.
    let mut again = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            again = Some((at, here));
            continue;
        }
        match (text.get(here), one(&pattern[at.min(pattern.len())..])) {
            (Some(&byte), Some((matcher, len))) if matcher.accepts(byte) => (at, here) = (at + len, here + 1),
            (None, None) => return true,
            (_, _) => match again {
                Some((after, from)) if from < text.len() => {
                    again = Some((after, from + 1));
                    (at, here) = (after, from + 1);
                }
                Some(_) | None => return false,
            },
        }
    }
}

/// What one character of the text is compared with.
enum Matcher<'a> {
    Any,
    Byte(u8),
    /// The characters and ranges between the brackets, and whether any other one is meant.
    Class(&'a [u8], bool),
}

impl Matcher<'_> {
    fn accepts(&self, byte: u8) -> bool {
        match *self {
            Matcher::Any => true,
            Matcher::Byte(other) => byte == other,
            Matcher::Class(class, negated) => in_class(class, byte) != negated,
        }
    }
}

/// The first of the pattern, and how long it is there.
fn one(pattern: &[u8]) -> Option<(Matcher<'_>, usize)> {
    match pattern {
        [] => None,
        [b'?', ..] => Some((Matcher::Any, 1)),
        [b'\\', byte, ..] => Some((Matcher::Byte(*byte), 2)),
        [b'[', rest @ ..] => {
            let negated = rest.first() == Some(&b'^');
            let start = usize::from(negated);
            let mut end = start;
            while end < rest.len() && rest[end] != b']' {
                end += if rest[end] == b'\\' && end + 1 < rest.len() { 2 } else { 1 };
            }
            let class = &rest[start..end.min(rest.len())];
            Some((Matcher::Class(class, negated), 1 + (end + 1).min(rest.len())))
        }
        [byte, ..] => Some((Matcher::Byte(*byte), 1)),
    }
}

fn in_class(class: &[u8], byte: u8) -> bool {
    let mut rest = class;
    loop {
        rest = match rest {
            [] => return false,
            [b'\\', other, after @ ..] => {
                if *other == byte {
                    return true;
                }
                after
            }
            [one, b'-', other, after @ ..] => {
                if (*one.min(other)..=*one.max(other)).contains(&byte) {
                    return true;
                }
                after
            }
            [other, after @ ..] => {
                if *other == byte {
                    return true;
                }
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h*llo", "heeeell", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("a*", "a", true),
            ("", "", true),
            ("", "a", false),
            ("[\\]]", "]", true),
            ("a[bc", "ab", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "a*".repeat(50) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(5_000).as_bytes()));
    }
}
