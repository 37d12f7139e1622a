//! One conversation with a node, over as many connections as it takes: commands and answers, transactions, streams. The
//! database that was selected on one connection is selected on the next.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::form::{self, Form, Stopped};
use crate::config::Access;
use crate::tool::client::Client;
use crate::tool::client::reply::Reply;
use crate::tool::client::trouble::{Trouble, refusal};

/// Longest answer to a `HELLO`, and to what else is asked unasked.
const GREETING_BYTES_MAX: usize = 64 << 10;

/// See the module.
pub(super) struct Conversation {
    address: String,
    access: Access,
    form: Form,
    /// Whether RESP3 is spoken from the beginning.
    is_resp3: bool,
    /// Ctrl-C, where it ends a stream and not the program.
    interrupt: Option<Arc<AtomicBool>>,
    client: Option<Client>,
    /// Whether a transaction is being put together.
    is_in_transaction: bool,
    /// The number of the database that commands are about.
    database: u64,
    /// Whether the connection knows that.
    is_selected: bool,
    /// What the transaction selects last.
    selects: Option<u64>,
}

/// What became of a connection since the last answer.
pub(super) enum Look {
    /// Nothing.
    Open,
    /// It has ended, and nothing with it.
    Closed,
    /// It has ended, and what was queued is gone.
    TransactionLost,
}

/// How a command ended.
pub(super) enum Ended {
    /// It was answered, or shown as long as somebody wanted to see it.
    Answered,
    /// ... with an error.
    Failed,
    /// It was not, or nobody knows; a sentence.
    Lost(Trouble),
    /// Nobody reads what is shown.
    Unread,
}

impl Conversation {
    /// With the node there, once it has been connected to, about this database.
    pub(super) fn new(
        (address, access): (String, Access),
        database: u64,
        form: Form,
        is_resp3: bool,
        interrupt: Option<Arc<AtomicBool>>,
    ) -> Conversation {
        let (is_in_transaction, is_selected) = (false, false);
        let (client, selects) = (None, None);
        Conversation {
            address,
            access,
            form,
            is_resp3,
            interrupt,
            client,
            is_in_transaction,
            database,
            is_selected,
            selects,
        }
    }

    /// Connects, where there is no connection.
    pub(super) fn connect(&mut self) -> Result<(), Trouble> {
        if self.client.is_some() {
            return Ok(());
        }
        let mut client = Client::connect(&self.address, &self.access)?;
        if self.is_resp3
            && let Reply::Error(why) = client.ask(&["HELLO", "3"], GREETING_BYTES_MAX)?
        {
            return Err(refusal(&self.address, &why));
        }
        // A command may take as long as it takes.
        match &self.interrupt {
            Some(interrupt) => client.wait_until(Arc::clone(interrupt))?,
            None => client.set_patience(None::<Duration>)?,
        }
        self.client = Some(client);
        self.is_selected = self.database == 0;
        // Who may not yet is told so once it matters.
        self.select().map(drop).inspect_err(|_| self.forget())
    }

    /// Selects the database on a connection that does not know it. Returns why the node refuses that, if it does.
    fn select(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let Some(client) = self.client.as_mut().filter(|_| !self.is_selected) else { return Ok(None) };
        match client.ask(&["SELECT", &self.database.to_string()], GREETING_BYTES_MAX)? {
            Reply::Error(why) => Ok(Some(why)),
            _ => {
                self.is_selected = true;
                Ok(None)
            }
        }
    }

    /// Finds out which database a transaction has left the connection in: some of it may not have been done.
    fn learn(&mut self, selected: u64) -> Result<(), Trouble> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let told = match client.ask(&["CLIENT", "INFO"], GREETING_BYTES_MAX)? {
            Reply::Bulk(text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                text.split_whitespace().find_map(|field| field.strip_prefix("db=")?.parse().ok())
            }
            _ => None,
        };
        self.database = told.unwrap_or(selected);
        Ok(())
    }

    /// What stands before the prompt's `>`.
    pub(super) fn name(&self) -> String {
        let Some(client) = &self.client else { return "not connected".to_owned() };
        let database = if self.database == 0 { String::new() } else { format!("[{}]", self.database) };
        let transaction = if self.is_in_transaction { "(TX)" } else { "" };
        format!("{}{database}{transaction}", client.address())
    }

    /// Finds out whether the node has hung up since the last answer. Then there is no connection.
    pub(super) fn look(&mut self) -> Look {
        if self.client.as_ref().is_none_or(Client::is_open) {
            return Look::Open;
        }
        let look = if self.is_in_transaction { Look::TransactionLost } else { Look::Closed };
        self.forget();
        look
    }

    /// Runs a command and shows its answer.
    pub(super) fn run(&mut self, words: &[Vec<u8>], out: &mut impl Write) -> Ended {
        if let Some(interrupt) = &self.interrupt {
            interrupt.store(false, Ordering::Release);
        }
        let ended = match self.connect() {
            Ok(()) => self.perform(words, out),
            Err(trouble) => Err(Stopped::Node(trouble)),
        };
        match ended {
            Ok(false) => Ended::Answered,
            Ok(true) => Ended::Failed,
            Err(Stopped::Reader) => Ended::Unread,
            Err(Stopped::Node(trouble)) => {
                self.forget();
                let is_interrupted = self.interrupt.as_ref().is_some_and(|raised| raised.load(Ordering::Acquire));
                if !is_interrupted {
                    return Ended::Lost(trouble);
                }
                // Where that fails, the prompt says that there is no connection.
                let _ = self.connect();
                Ended::Answered
            }
        }
    }

    fn perform(&mut self, words: &[Vec<u8>], out: &mut impl Write) -> Result<bool, Stopped> {
        let is = |name: &str| words[0].eq_ignore_ascii_case(name.as_bytes());
        // What these do comes before the database does.
        let is_first = ["auth", "hello", "select", "reset", "quit"].iter().any(|name| is(name));
        if !is_first && let Some(why) = self.select().map_err(Stopped::Node)? {
            return form::show_error(why, self.form, out).map(|()| true);
        }
        let Conversation { client: Some(client), form, .. } = self else { return Ok(false) };
        if is("watch-prefix") && words.len() > 1 {
            return watch(client, words, out);
        }
        client.queue(words);
        client.flush().map_err(Stopped::Node)?;
        let is_streamed = ["subscribe", "psubscribe", "ssubscribe", "monitor"].iter().any(|name| is(name));
        let is_text = form::is_text(words);
        let is_error = form::show(client, *form, is_text, out)?;
        match is_error {
            _ if is("exec") => {
                self.is_in_transaction = false;
                if let Some(selected) = self.selects.take() {
                    self.learn(selected).map_err(Stopped::Node)?;
                }
            }
            _ if is("discard") => (self.is_in_transaction, self.selects) = (false, None),
            false if is("reset") => {
                (self.is_in_transaction, self.selects) = (false, None);
                (self.database, self.is_selected) = (0, true);
            }
            false if is("multi") => self.is_in_transaction = true,
            false if is("select") => match words.get(1).and_then(|number| str::from_utf8(number).ok()?.parse().ok()) {
                Some(number) if self.is_in_transaction => self.selects = Some(number),
                Some(number) => (self.database, self.is_selected) = (number, true),
                None => (),
            },
            false if is_streamed && !self.is_in_transaction => loop {
                form::show(client, *form, false, out)?;
            },
            _ => (),
        }
        if is("quit") {
            self.forget();
        }
        Ok(is_error)
    }

    fn forget(&mut self) {
        self.client = None;
        (self.is_in_transaction, self.selects) = (false, None);
    }
}

/// Shows changes of keys, which the node tells in JSON alone.
fn watch(client: &mut Client, words: &[Vec<u8>], out: &mut impl Write) -> Result<bool, Stopped> {
    let mut asked = json!({ "op": "watch", "prefix": BASE64.encode(&words[1]), "key_encoding": "base64" });
    if let Some(position) = words.get(2) {
        asked["position"] = String::from_utf8_lossy(position).into();
    }
    client.queue_line(&format!("{asked}\n"));
    client.flush().map_err(Stopped::Node)?;
    loop {
        let line = client.line().map_err(Stopped::Node)?;
        let is_refused = line.starts_with(br#"{"ok":false"#);
        let shown = out.write_all(line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        shown.map_err(|_| Stopped::Reader)?;
        if is_refused {
            return Ok(true);
        }
    }
}
