//! `ETag`, and requests that depend on one (RFC 9110, 13).
//!
//! The tag of a key is the stamp of its value, which no other value of it has on any node.

use super::Wrong;
use super::head::Head;
use crate::store::Stamp;

/// The tag of a value with this stamp.
pub fn tag(stamp: Stamp) -> String {
    format!("\"{:x}-{}\"", stamp.clock, stamp.node)
}

/// Whether a request is to be done of a target with this tag (`None`: there is no such target); `Some(status)`: it is
/// not, and that says so.
pub fn unmet(head: &Head<'_>, tag: Option<&str>) -> Result<Option<u16>, Wrong> {
    if let Some(wanted) = head.if_match
        && !names(wanted, tag, true)?
    {
        return Ok(Some(412));
    }
    if let Some(known) = head.if_none_match
        && names(known, tag, false)?
    {
        return Ok(Some(if head.method.is_safe() { 304 } else { 412 }));
    }
    Ok(None)
}

/// Whether a list of tags, or the star that stands for any, has this one. A weak tag is as good as a strong one where
/// `is_strong` does not ask for more.
fn names(list: &str, tag: Option<&str>, is_strong: bool) -> Result<bool, Wrong> {
    if list == "*" {
        return Ok(tag.is_some());
    }
    let mut is_there = false;
    for one in list.split(',').map(str::trim) {
        let (is_weak, opaque) = one.strip_prefix("W/").map_or((false, one), |rest| (true, rest));
        if opaque.len() < 2 || !opaque.starts_with('"') || !opaque.ends_with('"') {
            return Err(Wrong::new(400, "a tag stands in quotes, as ETag brought it"));
        }
        is_there |= Some(opaque) == tag && !(is_weak && is_strong);
    }
    Ok(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::parse;

    fn status(method: &str, headers: &str, tag: Option<&str>) -> Result<Option<u16>, u16> {
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        unmet(&parse(text.as_bytes()).expect("it is a head"), tag).map_err(|wrong| wrong.status)
    }

    #[test]
    fn requests_depend_on_the_tag_that_they_name() {
        let tag = tag(Stamp { clock: 0xABC, node: 7 });
        assert_eq!(tag, "\"abc-7\"");
        let here = Some(&*tag);
        for (method, headers, tag, expected) in [
            ("PUT", "", here, None),
            ("PUT", "If-Match: \"abc-7\"\r\n", here, None),
            ("PUT", "If-Match: \"1-0\", \"abc-7\"\r\n", here, None),
            ("PUT", "If-Match: W/\"abc-7\"\r\n", here, Some(412)),
            ("PUT", "If-Match: \"abc-8\"\r\n", here, Some(412)),
            ("PUT", "If-Match: \"abc-7\"\r\n", None, Some(412)),
            ("PUT", "If-Match: *\r\n", here, None),
            ("PUT", "If-Match: *\r\n", None, Some(412)),
            ("PUT", "If-None-Match: *\r\n", here, Some(412)),
            ("PUT", "If-None-Match: *\r\n", None, None),
            ("GET", "If-None-Match: \"abc-7\"\r\n", here, Some(304)),
            ("HEAD", "If-None-Match: W/\"abc-7\"\r\n", here, Some(304)),
            ("GET", "If-None-Match: \"abc-8\"\r\n", here, None),
        ] {
            assert_eq!(status(method, headers, tag), Ok(expected), "{method} {headers}");
        }
        for headers in ["If-Match: abc-7\r\n", "If-Match: \"\r\n", "If-Match: \r\n", "If-Match: \"a\",\r\n"] {
            assert_eq!(status("PUT", headers, here), Err(400), "{headers}");
        }
    }
}
