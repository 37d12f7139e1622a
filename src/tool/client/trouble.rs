//! What can go wrong between a tool and a node, as sentences that say what to do, sorted by what happens next.

use std::io::{Error, ErrorKind};

use super::super::failure::{FAILED, Failure, UNKNOWN};

/// See the module.
#[derive(Debug)]
pub(in crate::tool) enum Trouble {
    /// There is no connection yet: another attempt may help.
    Unreachable(String),
    /// The node does not serve who asks like that: another attempt ends the same way.
    Refused(String),
    /// There was a connection, and it has ended.
    Lost(String),
}

impl Trouble {
    /// The sentence.
    pub(in crate::tool) fn why(&self) -> &str {
        match self {
            Trouble::Unreachable(why) | Trouble::Refused(why) | Trouble::Lost(why) => why,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        let code = match trouble {
            Trouble::Unreachable(_) | Trouble::Refused(_) => UNKNOWN,
            Trouble::Lost(_) => FAILED,
        };
        Failure { code, why: trouble.why().to_owned() }
    }
}

/// No connection.
pub(super) fn unreachable(address: &str, error: &Error, patience_s: u64) -> Trouble {
    let why = match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens there (connection refused): does the node run?".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            format!("no connection within {patience_s} s: is a firewall between, or the machine down?")
        }
        ErrorKind::NotFound => "there is no such unix socket: does the node run, with --unix-socket?".to_owned(),
        ErrorKind::PermissionDenied => {
            "this user may not open the unix socket: --unix-socket-mode of the node says who may".to_owned()
        }
        _ => error.to_string(),
    };
    Trouble::Unreachable(format!("{address} does not answer: {why}"))
}

/// A connection that ended, or on which nothing came in time.
pub(super) fn lost(address: &str, error: &Error) -> Trouble {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            Trouble::Lost(format!("{address} does not answer in time: --timeout=<s> gives it more"))
        }
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            Trouble::Lost(format!("{address} closed the connection: was the node stopped? its log says why"))
        }
        ErrorKind::InvalidData => Trouble::Refused(format!("{address}: {error}")),
        _ => Trouble::Lost(format!("the connection with {address} broke: {error}")),
    }
}

/// What a node says to whom it does not serve.
pub(in crate::tool) fn refusal(address: &str, said: &[u8]) -> Trouble {
    let said = String::from_utf8_lossy(said);
    let (code, text) = said.split_once(' ').unwrap_or((&said, ""));
    Trouble::Refused(match code {
        "NOAUTH" => format!(
            "{address} wants a password: --password-file=<file>, or KVSTOREAPP_PASSWORD in the environment, and \
             --user=<name> where it is not the default user's"
        ),
        "WRONGPASS" => {
            format!("{address} does not take this user and password: look at --user, and at what holds the password")
        }
        _ if text.contains("without any password configured") => {
            format!("{address} has no password, and one was given: leave out --password-file and KVSTOREAPP_PASSWORD")
        }
        _ if text.starts_with("this node speaks TLS alone") => {
            format!("{address} speaks TLS alone: give --tls-ca-file=<file>, the ca.crt of who made its certificate")
        }
        "DENIED" => format!("{address} turns other machines away: {text}"),
        _ => format!("{address} refuses: {said}"),
    })
}
