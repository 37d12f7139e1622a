//! Bytes over TCP, where lines of text are not enough.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use crate::harness::PATIENCE;

/// Who ends a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client says that no more will come.
    Client,
    /// The node closes the connection.
    Node,
}

/// A connection whose reads end, at the latest, when a test's patience does.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.set_nodelay(true).expect("a socket option can be set");
    stream
}

/// Sends each piece with a write of its own while it reads, and returns all answers up to the connection's end.
pub fn exchange(address: SocketAddr, pieces: &[&[u8]], end: End) -> Vec<u8> {
    let mut writer = connect(address);
    let mut reader = writer.try_clone().expect("a socket can be shared");
    thread::scope(|scope| {
        let answers = scope.spawn(move || read_to_end(&mut reader));
        // The node may close before it has all; what it answered says whether it was right to.
        if pieces.iter().all(|piece| writer.write_all(piece).is_ok()) && end == End::Client {
            let _ = writer.shutdown(Shutdown::Write);
        }
        answers.join().expect("the reader does not panic")
    })
}

/// All that comes. A connection that is closed with bytes of ours unread ends with a reset, after all answers.
pub fn read_to_end(reader: &mut impl Read) -> Vec<u8> {
    let (mut answers, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return answers,
            Ok(count) => answers.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return answers,
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => panic!("after {} bytes: {error}", answers.len()),
        }
    }
}
