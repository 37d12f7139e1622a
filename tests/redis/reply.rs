//! One RESP reply, as the bytes it came in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::harness::PATIENCE;

/// A connection that sends arrays of words and takes whole replies.
pub struct Resp {
    reader: BufReader<TcpStream>,
}

impl Resp {
    pub fn connect(address: SocketAddr) -> Resp {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("a socket option can be set");
        Resp { reader: BufReader::new(stream) }
    }

    pub fn send(&mut self, words: &[Vec<u8>]) {
        self.send_bytes(&request(words));
    }

    /// Sends requests as they are.
    pub fn send_bytes(&mut self, requests: &[u8]) {
        self.reader.get_mut().write_all(requests).expect("the server reads");
    }

    /// Sends a request and returns the reply's bytes.
    pub fn ask(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        self.send(words);
        self.reply()
    }

    /// The next reply's bytes; nothing where the connection has ended.
    pub fn reply(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.take(&mut bytes);
        bytes
    }

    fn take(&mut self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        match self.reader.read_until(b'\n', bytes) {
            Ok(0) => return,
            Ok(_) => (),
            Err(error) => return bytes.extend_from_slice(format!("(no reply: {error})").as_bytes()),
        }
        let line = &bytes[start..];
        let number = || String::from_utf8_lossy(&line[1..]).trim().parse::<i64>().unwrap_or(-1);
        match line[0] {
            b'$' | b'=' if number() >= 0 => {
                let rest = bytes.len();
                bytes.resize(rest + number() as usize + 2, 0);
                self.reader.read_exact(&mut bytes[rest..]).expect("the reply is whole");
            }
            b'*' | b'~' | b'>' => (0..number()).for_each(|_| self.take(bytes)),
            b'%' => (0..2 * number()).for_each(|_| self.take(bytes)),
            _ => (),
        }
    }
}

/// A request as clients write it.
pub fn request(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

pub fn words(text: &str) -> Vec<Vec<u8>> {
    text.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}
