//! What a request names: a path, and parameters behind it.
//!
//! A path is bytes and no file's: `..` is a name as any other. What stands behind a percent sign is two hexadecimal
//! digits, or the target is refused.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Wrong;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The server that is meant, where the target says so itself (RFC 9112, 3.2.2).
    pub authority: Option<&'a str>,
    /// Begins with a slash; as it was written.
    pub path: &'a str,
    /// What follows the question mark; as it was written.
    query: &'a str,
}

/// Takes a target apart.
pub fn parse(text: &str) -> Result<Target<'_>, Wrong> {
    let wrong = Wrong::new(400, "a target is a path such as /v1/keys, or an http address with one");
    let (authority, rest) = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        _ => (None, text),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = if path.is_empty() && authority.is_some() { "/" } else { path };
    if !(path.starts_with('/') || path == "*")
        || rest.contains('#')
        || !rest.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(wrong);
    }
    Ok(Target { authority, path, query })
}

impl<'a> Target<'a> {
    /// The parameters, which have these names and are there once at most; in the order of the names.
    pub fn parameters<const COUNT: usize>(
        &self,
        names: [&str; COUNT],
    ) -> Result<[Option<Cow<'a, [u8]>>; COUNT], Wrong> {
        form(self.query, names)
    }
}

/// The fields of a form, which have these names and are there once at most; in the order of the names.
pub fn form<'a, const COUNT: usize>(
    text: &'a str,
    names: [&str; COUNT],
) -> Result<[Option<Cow<'a, [u8]>>; COUNT], Wrong> {
    let mut found = [const { None }; COUNT];
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let Some(place) = names.iter().position(|known| *known == name) else {
            let known = if COUNT == 0 { "none".to_owned() } else { names.join(", ") };
            return Err(Wrong::said(400, format!("there is no such parameter here; there are: {known}")));
        };
        if found[place].replace(decode_field(value)?).is_some() {
            return Err(Wrong::said(400, format!("the parameter {name} is there twice")));
        }
    }
    Ok(found)
}

/// The bytes that a part of a path stands for.
pub fn decode(text: &str) -> Result<Cow<'_, [u8]>, Wrong> {
    let mut rest = text.split('%');
    rest.next();
    let is_escaped = |part: &str| part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !rest.all(is_escaped) {
        return Err(Wrong::new(400, "behind a percent sign come two hexadecimal digits"));
    }
    Ok(percent_decode_str(text).into())
}

/// The same of a parameter, where a plus is a space.
fn decode_field(text: &str) -> Result<Cow<'_, [u8]>, Wrong> {
    if !text.contains('+') {
        return decode(text);
    }
    decode(&text.replace('+', " ")).map(|bytes| Cow::Owned(bytes.into_owned()))
}

/// A switch that is there or not: `nx`, `nx=1`, `nx=true`; `nx=0` and `nx=false` are as if it were not.
pub fn switch(value: Option<&[u8]>) -> Result<bool, Wrong> {
    match value {
        Some(b"" | b"1" | b"true") => Ok(true),
        None | Some(b"0" | b"false") => Ok(false),
        Some(_) => Err(Wrong::new(400, "a switch is there, or not, or 1, 0, true or false")),
    }
}

/// A whole number.
pub fn number(value: &[u8]) -> Result<u64, Wrong> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number);
    text.and_then(|text| text.parse().ok()).ok_or(Wrong::new(400, "a whole number is wanted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_path_with_parameters_wherever_it_says_the_server_is() {
        for (text, authority, path) in [
            ("/", None, "/"),
            ("/v1/keys/a%2Fb?nx", None, "/v1/keys/a%2Fb"),
            ("/a://b", None, "/a://b"),
            ("http://evil.example:80/v1?x", Some("evil.example:80"), "/v1"),
            ("HTTPS://a", Some("a"), "/"),
            ("*", None, "*"),
        ] {
            let target = parse(text).expect(text);
            assert_eq!((target.authority, target.path), (authority, path));
        }
        for text in ["", "a", "ftp://a/b", "?a", "/a#b", "/a b", "/\u{e9}", "/\u{7f}"] {
            assert_eq!(parse(text).expect_err(text).status, 400);
        }
    }

    #[test]
    fn percent_signs_stand_before_two_digits_and_dots_are_names() {
        for (text, bytes) in [
            ("a", &b"a"[..]),
            ("%00%ff%FF", b"\0\xff\xff"),
            ("../../etc/passwd", b"../../etc/passwd"),
            ("%2e%2E%2F", b"../"),
            ("%252e", b"%2e"),
            ("+", b"+"),
        ] {
            assert_eq!(decode(text).expect(text), bytes);
        }
        for text in ["%", "%4", "%zz", "%4g", "a%", "%%41", "%u0041", "%4%1"] {
            assert_eq!(decode(text).expect_err(text).status, 400);
        }
    }

    #[test]
    fn parameters_are_known_and_there_once() {
        let target = parse("/?prefix=a%26b+c&&count=7&").expect("it is one");
        let [prefix, count, cursor] = target.parameters(["prefix", "count", "cursor"]).expect("all are known");
        assert_eq!((prefix.as_deref(), count.as_deref(), cursor), (Some(&b"a&b c"[..]), Some(&b"7"[..]), None));
        for text in ["/?a=1", "/?prefix=1&prefix=1", "/?prefix=%", "/?Prefix=1"] {
            let wrong = parse(text).expect("it is one").parameters(["prefix"]).expect_err(text);
            assert_eq!(wrong.status, 400);
        }
    }

    #[test]
    fn switches_and_numbers_are_what_they_say() {
        assert_eq!(
            [Some(&b""[..]), Some(b"1"), None, Some(b"false")].map(|value| switch(value).ok()).to_vec(),
            [Some(true), Some(true), Some(false), Some(false)]
        );
        assert!(switch(Some(b"yes")).is_err());
        assert_eq!(number(b"007"), Ok(7));
        for text in [&b""[..], b"-1", b"+1", b"1.0", b"99999999999999999999", b"\xff"] {
            assert!(number(text).is_err());
        }
    }
}
