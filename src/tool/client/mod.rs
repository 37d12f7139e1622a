//! A client for the tools: RESP over TCP, TLS or a unix socket, by sockets that wait.
//!
//! What goes wrong is a sentence that says what to do about it. Answers are read part by part, so that a tool needs no
//! more memory than the longest value in them; [`Client::answer`] reads one whole, up to a limit.
//!
//! - `reply`: what a node answers, in parts and whole
//! - `trouble`: what can go wrong, sorted by what happens next
//! - `transport`: the three ways to a node; `secure`: TLS

pub(super) mod reply;
mod secure;
mod transport;
pub(super) mod trouble;

use std::io::{BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use reply::{Parts, Reply};
use transport::Transport;
use trouble::Trouble;

use crate::config::Access;

/// Bytes that are read and written at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Longest answer to who a client is.
const GREETING_BYTES_MAX: usize = 64 << 10;

/// A conversation with a node.
pub(super) struct Client {
    address: String,
    parts: Parts<BufReader<Transport>>,
    /// What was not sent yet.
    unsent: Vec<u8>,
}

impl Client {
    /// Connects, and says who asks where somebody was named. The node has not been asked anything yet.
    pub(super) fn connect(address: &str, access: &Access) -> Result<Client, Trouble> {
        let patience = Duration::from_secs(access.patience_s);
        let transport = Transport::connect(address, access.tls.as_ref(), patience)?;
        let parts = Parts::new(BufReader::with_capacity(BUFFER_BYTES, transport));
        let mut client = Client { address: address.to_owned(), parts, unsent: Vec::new() };
        if let Some(login) = &access.login {
            let user = login.user.as_ref().map(String::as_bytes);
            let words: Vec<&[u8]> = [&b"AUTH"[..]].into_iter().chain(user).chain([&login.password[..]]).collect();
            if let Reply::Error(why) = client.ask(&words, GREETING_BYTES_MAX)? {
                return Err(trouble::refusal(address, &why));
            }
        }
        Ok(client)
    }

    /// ... and learns whether the node serves who asks.
    pub(super) fn meet(address: &str, access: &Access) -> Result<Client, Trouble> {
        let mut client = Client::connect(address, access)?;
        match client.ask(&[b"PING"], GREETING_BYTES_MAX)? {
            // It is somebody who may not do that.
            Reply::Error(why) if why.starts_with(b"NOPERM ") => Ok(client),
            Reply::Error(why) => Err(trouble::refusal(address, &why)),
            Reply::Status(_) | Reply::Bulk(_) => Ok(client),
            _ => Err(Trouble::Refused(format!("{address} does not answer as a kvstoreapp: is it the right address?"))),
        }
    }

    /// Where the node is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// How long the next part of an answer may take. `None`: as long as it takes.
    pub(super) fn set_patience(&self, patience: Option<Duration>) -> Result<(), Trouble> {
        let set = self.parts.source().get_ref().set_patience(patience);
        set.map_err(|error| trouble::lost(&self.address, &error))
    }

    /// An answer may take as long as it takes, until somebody raises this: then the conversation is over.
    pub(super) fn wait_until(&mut self, interrupt: Arc<AtomicBool>) -> Result<(), Trouble> {
        let set = self.parts.source_mut().get_mut().wait_until(interrupt);
        set.map_err(|error| trouble::lost(&self.address, &error))
    }

    /// Whether the connection is as the last answer left it, as far as this side can know.
    pub(super) fn is_open(&self) -> bool {
        let source = self.parts.source();
        source.buffer().is_empty() && source.get_ref().is_quiet()
    }

    /// Whether more has come than was read.
    pub(super) fn has_more(&self) -> bool {
        !self.parts.source().buffer().is_empty()
    }

    /// Puts a request behind those that are not sent yet.
    pub(super) fn queue(&mut self, words: &[impl AsRef<[u8]>]) {
        let _ = write!(self.unsent, "*{}\r\n", words.len());
        for word in words {
            let _ = write!(self.unsent, "${}\r\n", word.as_ref().len());
            self.unsent.extend_from_slice(word.as_ref());
            self.unsent.extend_from_slice(b"\r\n");
        }
    }

    /// ... one in JSON, with its line's end.
    pub(super) fn queue_line(&mut self, line: &str) {
        self.unsent.extend_from_slice(line.as_bytes());
    }

    /// Bytes that are not sent yet.
    pub(super) fn queued_bytes(&self) -> usize {
        self.unsent.len()
    }

    /// Sends what is not sent yet.
    pub(super) fn flush(&mut self) -> Result<(), Trouble> {
        let transport = self.parts.source_mut().get_mut();
        let sent = transport.write_all(&self.unsent).and_then(|()| transport.flush());
        self.unsent.clear();
        // One value of 64 MiB is no reason to keep as much for all that follow.
        self.unsent.shrink_to(4 * BUFFER_BYTES);
        match sent {
            Ok(()) => Ok(()),
            // It may have said why before it hung up.
            Err(error) => match self.parts.reply(GREETING_BYTES_MAX) {
                Ok(Reply::Error(why)) => Err(trouble::refusal(&self.address, &why)),
                _ => Err(trouble::lost(&self.address, &error)),
            },
        }
    }

    /// The next answer, or what the node says unasked, of at most so many bytes.
    pub(super) fn answer(&mut self, bytes_max: usize) -> Result<Reply, Trouble> {
        self.parts.reply(bytes_max).map_err(|error| trouble::lost(&self.address, &error))
    }

    /// The next line of an answer in JSON, without its end.
    pub(super) fn line(&mut self) -> Result<&[u8], Trouble> {
        self.parts.line().map_err(|error| trouble::lost(&self.address, &error))
    }

    /// The next part of an answer.
    pub(super) fn part(&mut self) -> Result<reply::Part, Trouble> {
        self.parts.part().map_err(|error| trouble::lost(&self.address, &error))
    }

    /// Sends a request and returns its answer of at most so many bytes.
    pub(super) fn ask(&mut self, words: &[impl AsRef<[u8]>], bytes_max: usize) -> Result<Reply, Trouble> {
        self.queue(words);
        self.flush()?;
        self.answer(bytes_max)
    }
}
