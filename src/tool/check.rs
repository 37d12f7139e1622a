//! How a node is, asked from a script, a container or a service manager: an exit code and a sentence.
//!
//! It asks by `HEALTH` in RESP, so that it needs no HTTP, and no password. A node that takes TLS alone is asked by its
//! unix socket; that it answers at all is known without.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::failure::Failure;
use crate::config::CheckArguments;

/// How long the node may take for each of connecting, reading and answering.
const PATIENCE: Duration = Duration::from_secs(5);
/// Exit code of a node that answers and is not as it should be.
const NOT_SO: u8 = 1;
/// Exit code where nobody can say.
const UNKNOWN: u8 = 2;
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// Asks. What it says is the answer.
pub(super) fn run(arguments: &CheckArguments) -> Result<String, Failure> {
    let address = arguments.address().map_err(|why| Failure { code: UNKNOWN, why })?;
    let question = if arguments.strict {
        "STRICT"
    } else if arguments.ready {
        "READY"
    } else {
        "LIVE"
    };
    let unknown = |error: std::io::Error| Failure { code: UNKNOWN, why: format!("{address} does not answer: {error}") };
    let answer = ask(&address, question).map_err(unknown)?;
    judge(&address, question, answer.trim_end())
}

/// What the first line of an answer comes to.
fn judge(address: &str, question: &str, answer: &str) -> Result<String, Failure> {
    let is_live_asked = question == "LIVE";
    match answer.split_at_checked(1) {
        Some(("+", state)) => Ok(format!("{address} is {state}")),
        Some(("-", why)) => match why.split_once(' ') {
            Some(("NOTREADY", why)) => Err(Failure { code: NOT_SO, why: format!("{address} is {why}") }),
            // Whoever refuses lives.
            _ if is_live_asked => Ok(format!("{address} is live, and answers: {why}")),
            _ => Err(Failure { code: UNKNOWN, why: format!("{address} does not say how it is: {why}") }),
        },
        Some(_) => Err(Failure { code: UNKNOWN, why: format!("{address} is no kvstoreapp: {answer:.200}") }),
        None => Err(Failure { code: UNKNOWN, why: format!("{address} closed the connection without an answer") }),
    }
}

fn ask(address: &str, question: &str) -> std::io::Result<String> {
    let request = format!("*2\r\n$6\r\nHEALTH\r\n${}\r\n{question}\r\n", question.len());
    if address.contains('/') {
        let stream = UnixStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        return converse(stream, &request);
    }
    let mut refusal = std::io::Error::other("it has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return converse(stream, &request);
            }
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn converse(mut stream: impl Read + Write, request: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(question: &str, answer: &str) -> u8 {
        judge("a:1", question, answer).map_or_else(|failure| failure.code, |_| 0)
    }

    #[test]
    fn an_answer_is_good_bad_or_none() {
        for (question, answer, expected) in [
            ("LIVE", "+live", 0),
            ("LIVE", "-DENIED kvstoreapp is running in protected mode", 0),
            ("LIVE", "-ERR this node speaks TLS alone", 0),
            ("READY", "+ready", 0),
            ("READY", "-NOTREADY not ready: peers: catching up with node 1", NOT_SO),
            ("STRICT", "-NOTREADY not ready: node 1: dialing", NOT_SO),
            ("READY", "-ERR this node speaks TLS alone", UNKNOWN),
            ("READY", "-ERR unknown command 'HEALTH'", UNKNOWN),
            ("READY", "HTTP/1.1 400 Bad Request", UNKNOWN),
            ("LIVE", "", UNKNOWN),
        ] {
            assert_eq!(code(question, answer), expected, "{question}: {answer}");
        }
        let failure =
            judge("a:1", "READY", "-NOTREADY not ready: peers: catching up with node 1").expect_err("it is bad");
        assert_eq!(failure.why, "a:1 is not ready: peers: catching up with node 1");
    }
}
