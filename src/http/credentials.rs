//! Who a request says it is: `Authorization: Bearer <user>:<password>`, `Basic` (RFC 7617), or a cookie.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::head::Head;

/// What a request says.
#[derive(Debug)]
pub enum Credentials<'a> {
    /// Nothing.
    None,
    /// A user and a password.
    Password(Login),
    /// Tokens of earlier logins: a browser may send several, and says of none where it is from.
    Tokens(Vec<&'a str>),
    /// Something that is none of these.
    Unreadable,
}

/// A user, and the password that was said.
#[derive(PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub user: Vec<u8>,
    /// What was said; not kept longer than it is needed.
    pub password: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Login {
    /// A log is no place for a password.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} (redacted)", String::from_utf8_lossy(&self.user))
    }
}

/// What the request says. Of what the browser sends by itself the cookies with this name are looked at.
pub fn of<'a>(head: &Head<'a>, cookie_name: &str) -> Credentials<'a> {
    let Some(said) = head.authorization else {
        let tokens = tokens(head, cookie_name);
        return if tokens.is_empty() { Credentials::None } else { Credentials::Tokens(tokens) };
    };
    let (scheme, rest) = said.split_once(' ').unwrap_or((said, ""));
    let pair = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Some(Zeroizing::new(rest.trim().as_bytes().to_vec())),
        _ if scheme.eq_ignore_ascii_case("basic") => BASE64.decode(rest.trim()).ok().map(Zeroizing::new),
        _ => None,
    };
    let login = pair.as_ref().and_then(|pair| {
        let colon = pair.iter().position(|&byte| byte == b':')?;
        Some(Login { user: pair[..colon].to_vec(), password: Zeroizing::new(pair[colon + 1..].to_vec()) })
    });
    login.map_or(Credentials::Unreadable, Credentials::Password)
}

/// The values of the cookies with this name, as many as there are in a head.
fn tokens<'a>(head: &Head<'a>, name: &str) -> Vec<&'a str> {
    let pairs = head.cookie.into_iter().flat_map(|cookies| cookies.split(';'));
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::parse;

    fn said(headers: &str) -> String {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        match of(&parse(text.as_bytes()).expect("it is a head"), "session") {
            Credentials::None => "none".to_owned(),
            Credentials::Password(Login { user, password }) => {
                format!("{} {}", String::from_utf8_lossy(&user), String::from_utf8_lossy(&password))
            }
            Credentials::Tokens(tokens) => format!("tokens {}", tokens.join(" ")),
            Credentials::Unreadable => "unreadable".to_owned(),
        }
    }

    #[test]
    fn users_and_passwords_come_in_two_ways_and_tokens_in_a_cookie() {
        for (headers, expected) in [
            ("", "none"),
            ("Authorization: Bearer alice:pass:word\r\n", "alice pass:word"),
            ("Authorization: bearer  alice:\r\n", "alice "),
            ("Authorization: Basic YWxpY2U6cGFzcw==\r\n", "alice pass"),
            ("authorization: BASIC YWxpY2U6cGFzczp3b3Jk\r\n", "alice pass:word"),
            ("Authorization: Basic YWxpY2U=\r\n", "unreadable"),
            ("Authorization: Basic %%%\r\n", "unreadable"),
            ("Authorization: Bearer alice\r\n", "unreadable"),
            ("Authorization: Digest alice:pass\r\n", "unreadable"),
            ("Authorization:\r\n", "unreadable"),
            ("Cookie: a=b; session=t1; session=t2\r\n", "tokens t1 t2"),
            ("Cookie: xsession=t1\r\n", "none"),
            ("Cookie: session=t1\r\nAuthorization: Bearer a:b\r\n", "a b"),
        ] {
            assert_eq!(said(headers), expected, "{headers}");
        }
    }
}
