//! A socket: raw bytes in and out without ever waiting, and whether either may work at present.
//!
//! Bytes go by system calls alone: those of the C library make each a place where its thread may be cancelled, which
//! costs a twentieth of a request's time. They ask for a descriptor alone, so TCP and unix sockets are the same here.

use std::io::{Error, IoSlice, Result};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::io::{Errno, writev};
use rustix::net::{RecvFlags, SendFlags, Shutdown, getpeername, getsockname, recv, send, shutdown};

/// A stream socket that the poll tells of.
///
/// Events come once per change (edge-triggered), so what they said is kept until a call shows the opposite.
pub(super) struct Socket {
    /// `None` while somebody else has it, who is not in a hurry.
    stream: Option<OwnedFd>,
    /// Bytes may be there to be read.
    readable: bool,
    /// The other side has shut its direction down: its end has to be read even where no event will say so.
    shut: bool,
    /// Bytes may be taken.
    writable: bool,
}

/// What a read brought.
pub(super) enum Received {
    /// So many bytes.
    Bytes(usize),
    /// The other side will send no more.
    End,
    /// Nothing at present.
    Nothing,
    /// The connection is broken.
    Broken(Error),
}

impl Socket {
    pub(super) fn new(stream: impl Into<OwnedFd>) -> Socket {
        Socket { stream: Some(stream.into()), readable: true, shut: false, writable: true }
    }

    /// One that is being set up: an event says when bytes may be taken, or that nobody answers.
    pub(super) fn dialing(stream: impl Into<OwnedFd>) -> Socket {
        Socket { stream: Some(stream.into()), readable: false, shut: false, writable: false }
    }

    /// From here on the poll tells of it, by this token, where it is here.
    pub(super) fn register(&self, registry: &Registry, token: Token) -> Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        let register = |stream: &OwnedFd| registry.register(&mut SourceFd(&stream.as_raw_fd()), token, both);
        self.stream.as_ref().map_or(Ok(()), register)
    }

    /// The poll tells of it no more.
    pub(super) fn deregister(&self, registry: &Registry) -> Result<()> {
        self.stream.as_ref().map_or(Ok(()), |stream| registry.deregister(&mut SourceFd(&stream.as_raw_fd())))
    }

    /// Somebody else reads and writes from here on; nothing comes and goes here.
    pub(super) fn take(&mut self) -> Option<OwnedFd> {
        self.stream.take()
    }

    /// It is back, and there may be bytes and room for bytes.
    pub(super) fn give(&mut self, stream: impl Into<OwnedFd>) {
        *self = Socket { shut: self.shut, ..Socket::new(stream) };
    }

    pub(super) fn note(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.shut |= event.is_read_closed();
        self.writable |= event.is_writable() || event.is_error();
    }

    /// Bytes may be there that no event told of.
    pub(super) fn look(&mut self) {
        self.readable = true;
    }

    /// Reads once. A short read means that no more is there, which saves a second call that says so.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        let Some(stream) = &self.stream else { return Received::Nothing };
        loop {
            match recv(stream, &mut *buffer, RecvFlags::empty()) {
                Ok((_, 0)) => {
                    self.readable = false;
                    return Received::End;
                }
                Ok((_, count)) => {
                    self.readable = count == buffer.len() || self.shut;
                    return Received::Bytes(count);
                }
                Err(Errno::INTR) => (),
                Err(Errno::AGAIN) => {
                    self.readable = false;
                    return Received::Nothing;
                }
                Err(error) => {
                    self.readable = false;
                    return Received::Broken(error.into());
                }
            }
        }
    }

    /// Writes once. How many bytes were taken; an error says that the connection is broken.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<usize> {
        let Some(stream) = self.stream.as_ref().filter(|_| self.writable) else { return Ok(0) };
        loop {
            match send(stream, bytes, SendFlags::empty()) {
                Ok(count) => {
                    self.writable = count == bytes.len();
                    return Ok(count);
                }
                Err(Errno::INTR) => (),
                Err(Errno::AGAIN) => {
                    self.writable = false;
                    return Ok(0);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes once what lies in several places.
    pub(super) fn send_parts(&mut self, parts: &[IoSlice<'_>]) -> Result<usize> {
        if let [part] = parts {
            return self.send(part);
        }
        let Some(stream) = self.stream.as_ref().filter(|_| self.writable) else { return Ok(0) };
        loop {
            match writev(stream, parts) {
                Ok(count) => {
                    self.writable = count == parts.iter().map(|part| part.len()).sum::<usize>();
                    return Ok(count);
                }
                Err(Errno::INTR) => (),
                Err(Errno::AGAIN) => {
                    self.writable = false;
                    return Ok(0);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// No more will be sent.
    pub(super) fn shut_down(&mut self) {
        // It may be gone already.
        let _ = self.stream.as_ref().map(|stream| shutdown(stream, Shutdown::Write));
    }

    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Of the other side and of this one, where they are of TCP.
    pub(super) fn addresses(&self) -> Option<(String, String)> {
        let stream = self.stream.as_ref()?;
        let text = |address| SocketAddr::try_from(address).ok().map(|address| address.to_string());
        Some((text(getpeername(stream).ok()??)?, text(getsockname(stream).ok()?)?))
    }
}
