//! A server that parses and answers, and stores nothing: what remains is the network and the load itself.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::Duration;

use memchr::memchr;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

const LISTENER: Token = Token(usize::MAX);

struct Peer {
    stream: TcpStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
}

/// Until the process is ended. With `busy_poll` it never sleeps.
pub fn serve(port: u16, busy_poll: bool) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into()).map_err(said)?;
    let mut poll = Poll::new().map_err(said)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).map_err(said)?;
    println!("listening on {}", listener.local_addr().map_err(said)?);
    let (mut events, mut peers, mut next) = (Events::with_capacity(1024), HashMap::new(), 0);
    let mut buffer = vec![0; 64 << 10];
    let timeout = busy_poll.then_some(Duration::ZERO);
    loop {
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.to_string()),
            Err(_) | Ok(()) => (),
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true).map_err(said)?;
                    poll.registry().register(&mut stream, Token(next), Interest::READABLE).map_err(said)?;
                    peers.insert(next, Peer { stream, inbox: Vec::new(), outbox: Vec::new() });
                    next += 1;
                }
                continue;
            }
            let id = event.token().0;
            let is_over = |peer: &mut Peer| !peer.turn(&mut buffer) || event.is_read_closed();
            if peers.get_mut(&id).is_some_and(is_over) {
                peers.remove(&id);
            }
        }
    }
}

impl Peer {
    /// Returns whether the peer is still there.
    fn turn(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            let count = match recv(&self.stream, &mut *buffer, RecvFlags::empty()) {
                Ok((_, 0)) => return false,
                Ok((_, count)) => count,
                Err(error) => return error == Errno::AGAIN,
            };
            self.inbox.extend_from_slice(&buffer[..count]);
            let mut used = 0;
            while let Some((length, answer)) = request(&self.inbox[used..]) {
                used += length;
                self.outbox.extend_from_slice(answer);
            }
            self.inbox.drain(..used);
            // What a client that pipelines owes its reading is short: it goes at once, or waits for the next turn.
            match send(&self.stream, &self.outbox, SendFlags::empty()) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(Errno::AGAIN) => (),
                Err(_) => return false,
            }
            // A short read means that no more is there.
            if count < buffer.len() {
                return true;
            }
        }
    }
}

/// The first request's length, and its answer.
fn request(bytes: &[u8]) -> Option<(usize, &'static [u8])> {
    let end = memchr(b'\n', bytes)? + 1;
    if bytes[0] != b'*' {
        return Some((end, b"OK\n"));
    }
    let number = |at: usize| {
        let end = memchr(b'\n', bytes.get(at..)?)? + at + 1;
        let digits = bytes[at + 1..end].iter().take_while(|byte| byte.is_ascii_digit());
        Some((digits.fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0')), end))
    };
    let (count, mut at) = number(0)?;
    for _ in 0..count {
        let (length, start) = number(at)?;
        at = start + length + 2;
    }
    (at <= bytes.len()).then_some((at, b"+OK\r\n"))
}
