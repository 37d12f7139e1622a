//! Whether a request comes from a web page that has no business here.
//!
//! A page of anybody's makes a browser on this machine send requests to this node. Three things give it away:
//!
//! - its `Host`, where a name that the page's owner controls was pointed to this address (DNS rebinding): the name is
//!   one of ours, or an address, or it is refused
//! - its `Origin`, which a browser puts to every request that could change something
//! - its `Sec-Fetch-Site`, which a browser puts to every request
//!
//! Programs send neither of the last two.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::Wrong;
use super::head::{Head, Method};

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// A program, or a page of this node.
    Own,
    /// A page from elsewhere that is let in. What a browser knows of its user is not for it.
    Allowed(&'a str),
    /// A person who follows a link from elsewhere.
    Link,
    /// Any other page.
    Foreign,
}

/// Where the request comes from; pages of these origins are let in.
pub fn source<'a>(head: &Head<'a>, allowed: &[String]) -> Source<'a> {
    let is_near = head.fetch_site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    match head.origin {
        Some(origin) if is_own(origin, head.host) && is_near => Source::Own,
        Some(origin) if allowed.iter().any(|one| one.eq_ignore_ascii_case(origin)) => Source::Allowed(origin),
        Some(_) => Source::Foreign,
        None if is_near => Source::Own,
        None if head.method == Method::Get && head.fetch_mode == Some("navigate") => Source::Link,
        None => Source::Foreign,
    }
}

/// Whether the page's server is the one that is asked.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let server = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
    server.zip(host).is_some_and(|(server, host)| server.eq_ignore_ascii_case(host))
}

/// Whether an authority (`name`, `name:port`, `[address]:port`) is one that this node is called by: an address,
/// `localhost`, or a name that `is_own` knows, which is asked in small letters.
pub fn is_here(authority: &str, is_own: impl Fn(&str) -> bool) -> bool {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, ""),
        Some((address, port)) => match port.strip_prefix(':') {
            Some(port) => (address, port),
            None => return false,
        },
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    if port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    if authority.starts_with('[') {
        return host.parse::<Ipv6Addr>().is_ok();
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host.parse::<Ipv4Addr>().is_ok() || host == "localhost" || is_own(&host)
}

/// Whether a body of this kind may change something: one that no page can send without asking first. A form's can.
pub fn check_content(head: &Head<'_>, kinds: &[&str]) -> Result<(), Wrong> {
    let kind = head.content_type.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    match kind {
        Some(kind) if kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)) => Ok(()),
        _ => Err(Wrong::said(415, format!("the Content-Type is wanted to be {}", kinds.join(" or ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::parse;

    #[test]
    fn a_host_is_an_address_or_a_name_that_is_known() {
        let is_here = |authority| is_here(authority, |name| name == "kv1.example");
        for host in [
            "127.0.0.1",
            "127.0.0.1:5000",
            "10.1.2.3",
            "[::1]",
            "[::1]:5000",
            "[fe80::1]:80",
            "localhost",
            "LocalHost:5000",
            "localhost.",
            "KV1.example:5000",
        ] {
            assert!(is_here(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:5000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "kv1.example.evil.example",
            "evil.example@127.0.0.1",
            "127.0.0.1@evil.example",
            "127.0.0.1:5000:5000",
            "127.0.0.1:x",
            "[::1]evil.example",
            "[evil.example]",
            "::1",
            "0x7f.1",
            "2130706433",
            "localhost evil.example",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }

    fn of<'a>(text: &'a str, allowed: &[String]) -> Source<'a> {
        source(&parse(text.as_bytes()).expect("it is a head"), allowed)
    }

    #[test]
    fn pages_of_elsewhere_are_told_apart_from_programs_and_own_pages() {
        let allowed = ["https://app.example".to_owned()];
        for (headers, expected) in [
            ("", Source::Own),
            ("Origin: http://127.0.0.1:5000", Source::Own),
            ("Origin: https://127.0.0.1:5000\r\nSec-Fetch-Site: same-origin", Source::Own),
            ("Sec-Fetch-Site: none", Source::Own),
            ("Origin: http://127.0.0.1:5001", Source::Foreign),
            ("Origin: http://127.0.0.1", Source::Foreign),
            ("Origin: null", Source::Foreign),
            ("Origin: http://evil.example", Source::Foreign),
            ("Origin: http://127.0.0.1:5000.evil.example", Source::Foreign),
            ("Origin: file://127.0.0.1:5000", Source::Foreign),
            ("Origin: http://127.0.0.1:5000\r\nSec-Fetch-Site: cross-site", Source::Foreign),
            ("Sec-Fetch-Site: cross-site", Source::Foreign),
            ("Sec-Fetch-Site: same-site", Source::Foreign),
            ("Sec-Fetch-Site: Cross-Site\r\nSec-Fetch-Mode: cors", Source::Foreign),
            ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate", Source::Link),
            ("Origin: https://app.example", Source::Allowed("https://app.example")),
            ("Origin: https://app.example\r\nSec-Fetch-Site: cross-site", Source::Allowed("https://app.example")),
            ("Origin: https://app.example.evil.example", Source::Foreign),
            ("Origin: http://app.example", Source::Foreign),
        ] {
            let text = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\n{headers}{}\r\n", "\r\n");
            let text = text.replace("5000\r\n\r\n\r\n", "5000\r\n\r\n");
            assert_eq!(of(&text, &allowed), expected, "{headers}");
        }
        let form = "POST / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\r\n";
        assert_eq!(of(form, &allowed), Source::Foreign, "a form is no link");
    }

    #[test]
    fn what_a_form_can_send_changes_nothing() {
        let check = |kind: &str| {
            let text = format!("PUT / HTTP/1.1\r\nHost: a\r\n{kind}\r\n");
            check_content(&parse(text.as_bytes()).expect("it is a head"), &["application/json"]).is_ok()
        };
        assert!(
            check("Content-Type: application/json\r\n") && check("Content-Type: Application/JSON; charset=utf-8\r\n")
        );
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; x=application/json"] {
            let header = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
            assert!(!check(&header), "{kind}");
        }
    }
}
