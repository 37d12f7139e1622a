//! A conversation's bytes in records, and records of a socket as a conversation's bytes.
//!
//! rustls holds what came and did not fit, and what is to go out and the socket does not take; how much either may be
//! is decided here. A read takes a bounded number of raw bytes, whatever is in them: records of one byte, key updates,
//! none for the conversation at all. What goes out is sealed in pieces, the next one when the socket has taken the last.

use std::io::{Error, ErrorKind, IoSlice, Read, Result, Write};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, ServerConfig, ServerConnection};

use crate::server::socket::{Received, Socket};
use crate::server::transport::Transport;

#[cfg(test)]
mod tests;

/// Raw bytes that one read takes at the most, and the least that it does where the buffer is small. rustls asks the
/// socket for 4 KiB at a time.
const RAW_BYTES_MAX: usize = 64 << 10;
const RAW_BYTES_MIN: usize = 4 << 10;
/// Bytes of the conversation that are sealed at once: what rustls holds for a reader that does not read, beside some
/// bytes for each record.
const PIECE_BYTES: usize = 64 << 10;
/// Raw bytes of a handshake: several times those of an honest one.
const HANDSHAKE_BYTES_MAX: usize = 64 << 10;
/// Bytes of the conversation in one record.
const RECORD_BYTES: usize = 16 << 10;
/// Records that one side may seal with the keys of TLS 1.2, which never change; above that AES-GCM tells something of
/// them (RFC 8446, 5.5), and rustls drops what it is given. TLS 1.3 changes its keys in time.
const OLD_RECORDS_MAX: u64 = (1 << 24) - 1_024;

/// See the module.
pub(in crate::server) struct TlsTransport {
    session: rustls::Connection,
    /// Bytes of the conversation that came and did not fit.
    held: usize,
    /// That no more will come, and how it ended.
    end: Option<Result<()>>,
    /// Whether the connection was told so.
    end_is_told: bool,
    /// Records that may still be sealed.
    records_left: u64,
    /// Raw bytes that the handshake may still take.
    handshake_bytes_left: usize,
}

/// How far a handshake is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::server) enum Handshake {
    /// It goes on when something happens to the socket.
    UnderWay,
    /// The other side is who it says, as far as the configuration asks, and has all that it needs.
    Done,
}

impl TlsTransport {
    /// The side that dials, and who it expects there.
    pub(in crate::server) fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<TlsTransport> {
        Ok(TlsTransport::new(ClientConnection::new(config, name).map_err(Error::other)?.into()))
    }

    /// The side that was dialed.
    pub(in crate::server) fn server(config: Arc<ServerConfig>) -> Result<TlsTransport> {
        Ok(TlsTransport::new(ServerConnection::new(config).map_err(Error::other)?.into()))
    }

    /// One whose handshake may have begun.
    pub(in crate::server) fn new(mut session: rustls::Connection) -> TlsTransport {
        // What is given to it is bounded, and must not be taken in part.
        session.set_buffer_limit(None);
        TlsTransport {
            session,
            held: 0,
            end: None,
            end_is_told: false,
            records_left: u64::MAX,
            handshake_bytes_left: HANDSHAKE_BYTES_MAX,
        }
    }

    /// Goes on with the handshake as far as the socket lets it. An error says why there is none; the other side was
    /// told, if its socket took that.
    pub(in crate::server) fn shake_hands(&mut self, socket: &mut Socket) -> Result<Handshake> {
        loop {
            self.flush(socket)?;
            if !self.session.is_handshaking() {
                if self.session.wants_write() {
                    return Ok(Handshake::UnderWay);
                }
                if self.session.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
                    self.records_left = OLD_RECORDS_MAX;
                }
                return Ok(Handshake::Done);
            }
            if !socket.is_readable() {
                return Ok(Handshake::UnderWay);
            }
            match self.take_records(socket) {
                Received::Bytes(count) => self.count_handshake(count)?,
                Received::Nothing => (),
                Received::End => return Err(ErrorKind::UnexpectedEof.into()),
                Received::Broken(error) => return Err(error),
            }
        }
    }

    /// Takes raw bytes that were read already, as if they came from the socket. Those of one read: an error says that
    /// they were too many, or none of TLS; the other side was told, if its socket took that.
    pub(in crate::server) fn feed(&mut self, socket: &mut Socket, mut raw: &[u8]) -> Result<()> {
        self.count_handshake(raw.len())?;
        while !raw.is_empty() && self.end.is_none() {
            self.session.read_tls(&mut raw)?;
            if let Err(error) = self.process() {
                let _ = self.flush(socket);
                return Err(error);
            }
        }
        Ok(())
    }

    /// What the other side has proven to be, its own certificate first; none where it was not asked, or has none.
    pub(in crate::server) fn certificates(&self) -> &[CertificateDer<'static>] {
        self.session.peer_certificates().unwrap_or_default()
    }

    /// A secret that both sides of this very session know and nobody else (RFC 5705, RFC 9266).
    pub(in crate::server) fn exported(&self, label: &[u8]) -> Result<[u8; 32]> {
        self.session.export_keying_material([0; 32], label, None).map_err(Error::other)
    }

    /// So many more raw bytes belong to the handshake.
    fn count_handshake(&mut self, count: usize) -> Result<()> {
        let left = self.handshake_bytes_left.checked_sub(count);
        self.handshake_bytes_left = left.ok_or_else(|| Error::other("it is longer than 64 KiB"))?;
        Ok(())
    }

    /// Reads raw bytes once, and opens the records that are whole.
    fn take_records(&mut self, socket: &mut Socket) -> Received {
        let mut raw = Raw { socket, received: Received::Nothing };
        match self.session.read_tls(&mut raw) {
            Ok(count) => {
                let Err(error) = self.process() else { return Received::Bytes(count) };
                // It says to the other side why, if the socket takes it.
                let _ = self.flush(socket);
                Received::Broken(error)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => raw.received,
            Err(error) => Received::Broken(error),
        }
    }

    fn process(&mut self) -> Result<()> {
        let state = self.session.process_new_packets().map_err(|why| Error::new(ErrorKind::InvalidData, why))?;
        self.held = state.plaintext_bytes_to_read();
        if state.peer_has_closed() && self.end.is_none() {
            self.end = Some(Ok(()));
        }
        Ok(())
    }

    /// Moves what was opened into the buffer.
    fn take_opened(&mut self, buffer: &mut [u8]) -> usize {
        let len = self.held.min(buffer.len());
        if len == 0 {
            return 0;
        }
        let count = self.session.reader().read(&mut buffer[..len]).expect("it said that so many are there");
        self.held -= count;
        count
    }

    /// Writes what is sealed, as far as the socket takes it.
    fn flush(&mut self, socket: &mut Socket) -> Result<()> {
        while self.session.wants_write() && socket.is_writable() {
            match self.session.write_tls(&mut Raw { socket, received: Received::Nothing }) {
                Ok(_) => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Transport for TlsTransport {
    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> Received {
        let mut count = self.take_opened(buffer);
        let (mut raw, raw_max) = (0, buffer.len().clamp(RAW_BYTES_MIN, RAW_BYTES_MAX));
        // What is held is the whole of an earlier read, and comes alone.
        let mut goes_on = count == 0;
        while goes_on && self.end.is_none() && count < buffer.len() && raw < raw_max && socket.is_readable() {
            match self.take_records(socket) {
                Received::Bytes(read) => raw += read,
                Received::Nothing => goes_on = false,
                Received::End => self.end = Some(Ok(())),
                Received::Broken(error) => self.end = Some(Err(error)),
            }
            count += self.take_opened(&mut buffer[count..]);
        }
        if count > 0 {
            return Received::Bytes(count);
        }
        match &mut self.end {
            None => Received::Nothing,
            Some(end) => {
                self.end_is_told = true;
                match std::mem::replace(end, Ok(())) {
                    Ok(()) => Received::End,
                    Err(error) => Received::Broken(error),
                }
            }
        }
    }

    fn is_readable(&self, socket: &Socket) -> bool {
        self.held > 0 || if self.end.is_some() { !self.end_is_told } else { socket.is_readable() }
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> Result<usize> {
        self.flush(socket)?;
        let mut taken = 0;
        while taken < bytes.len() && !self.session.wants_write() && socket.is_writable() {
            let piece = &bytes[taken..bytes.len().min(taken + PIECE_BYTES)];
            let records = piece.len().div_ceil(RECORD_BYTES) as u64;
            self.records_left = self.records_left.checked_sub(records).ok_or_else(|| {
                Error::other("its TLS 1.2 session has sealed as many records as its keys are good for")
            })?;
            taken += self.session.writer().write(piece)?;
            self.flush(socket)?;
        }
        Ok(taken)
    }

    fn owes(&self) -> bool {
        self.session.wants_write()
    }

    fn shut_down(&mut self, socket: &mut Socket) {
        self.session.send_close_notify();
        // A socket that does not take it now is not waited for.
        let _ = self.flush(socket);
        socket.shut_down();
    }
}

/// The socket, as rustls reads and writes it, and what was to be said of a read that brought nothing.
struct Raw<'a> {
    socket: &'a mut Socket,
    received: Received,
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self.socket.receive(buffer) {
            Received::Bytes(count) => Ok(count),
            other => {
                self.received = other;
                Err(ErrorKind::WouldBlock.into())
            }
        }
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<usize> {
        match self.socket.send_parts(parts)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
