//! How a node is, asked from a script, a container or a service manager: an exit code and a sentence.
//!
//! It asks by `HEALTH` in RESP, so that it needs no HTTP, and no password. That a node answers at all is known of one
//! that takes TLS alone, too, whoever asks.

use super::client::Client;
use super::client::reply::Reply;
use super::client::trouble::Trouble;
use super::failure::{FAILED, Failure, UNKNOWN};
use crate::config::CheckArguments;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// Asks. What it says is the answer.
pub(super) fn run(arguments: &CheckArguments) -> Result<String, Failure> {
    let address = arguments.node.address().map_err(Failure::unknown)?;
    let access = arguments.node.access().map_err(Failure::unknown)?;
    let question = if arguments.strict {
        "STRICT"
    } else if arguments.ready {
        "READY"
    } else {
        "LIVE"
    };
    let asked =
        Client::connect(&address, &access).and_then(|mut client| client.ask(&["HEALTH", question], ANSWER_BYTES_MAX));
    match asked {
        Ok(Reply::Status(state)) => judge(&address, question, Ok(&String::from_utf8_lossy(&state))),
        Ok(Reply::Error(why)) => judge(&address, question, Err(&String::from_utf8_lossy(&why))),
        Ok(_) => Err(Failure::unknown(format!("{address} is no kvstoreapp: is it the right address?"))),
        Err(trouble @ (Trouble::Unreachable(_) | Trouble::Refused(_) | Trouble::Lost(_))) => {
            Err(Failure::unknown(trouble.why()))
        }
    }
}

/// What an answer comes to.
fn judge(address: &str, question: &str, answer: Result<&str, &str>) -> Result<String, Failure> {
    let is_live_asked = question == "LIVE";
    match answer {
        Ok(state) => Ok(format!("{address} is {state}")),
        Err(why) => match why.split_once(' ') {
            Some(("NOTREADY", why)) => Err(Failure { code: FAILED, why: format!("{address} is {why}") }),
            // Whoever refuses lives.
            _ if is_live_asked => Ok(format!("{address} is live, and answers: {why}")),
            _ => Err(Failure { code: UNKNOWN, why: format!("{address} does not say how it is: {why}") }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(question: &str, answer: Result<&str, &str>) -> u8 {
        judge("a:1", question, answer).map_or_else(|failure| failure.code, |_| 0)
    }

    #[test]
    fn an_answer_is_good_bad_or_none() {
        for (question, answer, expected) in [
            ("LIVE", Ok("live"), 0),
            ("LIVE", Err("DENIED kvstoreapp is running in protected mode"), 0),
            ("LIVE", Err("ERR this node speaks TLS alone"), 0),
            ("READY", Ok("ready"), 0),
            ("READY", Err("NOTREADY not ready: peers: catching up with node 1"), FAILED),
            ("STRICT", Err("NOTREADY not ready: node 1: dialing"), FAILED),
            ("READY", Err("ERR this node speaks TLS alone"), UNKNOWN),
            ("READY", Err("ERR unknown command 'HEALTH'"), UNKNOWN),
        ] {
            assert_eq!(code(question, answer), expected, "{question}: {answer:?}");
        }
        let failure = judge("a:1", "READY", Err("NOTREADY not ready: peers: catching up with node 1"));
        assert_eq!(failure.expect_err("it is bad").why, "a:1 is not ready: peers: catching up with node 1");
    }
}
