//! `kvstoreapp watch`: changes of keys as they happen, a line each, over as many connections as it takes.
//!
//! The node tells each change with its position, and is asked to go on from the last one after a connection was lost: it
//! then tells every key that has changed since, with its latest value. A position that it does not know, because its data
//! were set back or lost, is said so.

use std::io::{BufWriter, Stdout, Write, stderr, stdout};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::json;

use super::client::Client;
use super::client::trouble::Trouble;
use super::failure::Failure;
use super::text::{Encoding, bytes};
use crate::config::{Access, WatchArguments};
use crate::protocol::quoting::quoted;

/// Time between two attempts to connect again.
const PAUSE: Duration = Duration::from_millis(500);

/// What a node says: an answer, or a change.
#[derive(Deserialize)]
struct Said {
    ok: Option<bool>,
    error: Option<Wrong>,
    event: Option<String>,
    #[serde(default)]
    key: String,
    key_encoding: Option<Encoding>,
    value: Option<String>,
    encoding: Option<Encoding>,
    position: Option<String>,
}

#[derive(Deserialize)]
struct Wrong {
    message: String,
}

/// How a connection ended.
enum Ended {
    Trouble(Trouble),
    /// The node does not know where to go on from.
    Unknown(String),
    /// Nobody reads what is shown.
    Unread,
}

/// Somebody who watches.
struct Watcher<'a> {
    arguments: &'a WatchArguments,
    address: String,
    access: Access,
    /// Up to where all is shown.
    position: Option<String>,
    out: BufWriter<Stdout>,
}

/// Watches until somebody ends it.
pub(super) fn run(arguments: &WatchArguments) -> Result<(), Failure> {
    let address = arguments.node.any_address().map_err(Failure::unknown)?;
    let access = arguments.node.access().map_err(Failure::unknown)?;
    let out = BufWriter::new(stdout());
    let mut watcher = Watcher { arguments, address, access, position: arguments.from.clone(), out };
    let mut is_first = true;
    loop {
        let ended = match Client::meet(&watcher.address, &watcher.access) {
            Ok(mut client) => {
                if !is_first {
                    complain("connected again; going on from where it was");
                }
                is_first = false;
                watcher.follow(&mut client)
            }
            Err(trouble) if is_first => return Err(trouble.into()),
            Err(trouble) => Ended::Trouble(trouble),
        };
        match ended {
            Ended::Unread => return Ok(()),
            Ended::Trouble(Trouble::Refused(why)) => return Err(Failure::from(why)),
            Ended::Trouble(Trouble::Lost(why)) => complain(&format!("{why}; trying again")),
            Ended::Trouble(Trouble::Unreachable(_)) => (),
            Ended::Unknown(why) if arguments.from.is_some() && watcher.position == arguments.from => {
                return Err(Failure::from(format!("{}: {why}", watcher.address)));
            }
            Ended::Unknown(_) => {
                complain(&format!(
                    "{} does not have position {} any longer, as its data were lost or set back: what was changed \
                     meanwhile is not shown; going on with what comes",
                    watcher.address,
                    watcher.position.take().unwrap_or_default()
                ));
                continue;
            }
        }
        thread::sleep(PAUSE);
    }
}

impl Watcher<'_> {
    /// Shows changes for as long as the connection lasts.
    fn follow(&mut self, client: &mut Client) -> Ended {
        let prefix = BASE64.encode(self.arguments.prefix.as_bytes());
        let mut asked = json!({ "op": "watch", "prefix": prefix, "key_encoding": "base64" });
        // A node that knows no databases is not asked for the one that it has.
        if self.arguments.db > 0 {
            asked["db"] = self.arguments.db.into();
        }
        if let Some(position) = &self.position {
            asked["position"] = position.as_str().into();
        }
        client.queue_line(&format!("{asked}\n"));
        if let Err(trouble) = client.flush() {
            return Ended::Trouble(trouble);
        }
        loop {
            let line = match client.line() {
                Ok(line) => line,
                Err(trouble) => return Ended::Trouble(trouble),
            };
            let said: Said = match serde_json::from_slice(line) {
                Ok(said) => said,
                Err(error) => {
                    return Ended::Trouble(Trouble::Refused(format!("the node's answer is no JSON: {error}")));
                }
            };
            let shown = match (&said.event, said.ok) {
                (Some(_), _) if self.arguments.json => {
                    self.out.write_all(line).and_then(|()| self.out.write_all(b"\n"))
                }
                (Some(event), _) => show(event, &said, &mut self.out),
                // From here on it may take as long as it takes.
                (None, Some(true)) => match client.set_patience(None) {
                    Ok(()) => Ok(()),
                    Err(trouble) => return Ended::Trouble(trouble),
                },
                (None, _) => {
                    let why = said.error.map(|wrong| wrong.message).unwrap_or_default();
                    let is_position = why.contains("no such position");
                    return if is_position { Ended::Unknown(why) } else { Ended::Trouble(Trouble::Refused(why)) };
                }
            };
            if shown.and_then(|()| if client.has_more() { Ok(()) } else { self.out.flush() }).is_err() {
                return Ended::Unread;
            }
            if said.position.is_some() {
                self.position = said.position;
            }
        }
    }
}

/// A line such as `set "user:1" "Ada"`.
fn show(event: &str, said: &Said, out: &mut impl Write) -> std::io::Result<()> {
    let text = |text: &str, encoding| quoted(&bytes(text, encoding).unwrap_or_default());
    out.write_all(event.as_bytes())?;
    write!(out, " {}", text(&said.key, said.key_encoding))?;
    if let Some(value) = &said.value {
        write!(out, " {}", text(value, said.encoding))?;
    }
    out.write_all(b"\n")
}

fn complain(why: &str) {
    let _ = writeln!(stderr(), "kvstoreapp: {why}");
}
