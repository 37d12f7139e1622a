//! What a client may say before it has said its password: the same bytes to Redis and to a node, the same answers.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::harness::redis::Redis;
use crate::harness::{PATIENCE, Server};
use crate::reply::{request, words};

/// All that is answered to these bytes and the end of them.
fn told(address: SocketAddr, says: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(says).expect("it reads");
    // It may have closed already.
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_limits_before_authentication_are_those_of_redis() {
    let (redis, server) = (Redis::start(), Server::start(&["--dialect=resp"]));
    let secret = request(&words("CONFIG SET requirepass secret"));
    for address in [redis.address, server.address] {
        assert_eq!(told(address, &secret), "+OK\r\n");
    }
    let word = |bytes: usize| format!("${bytes}\r\n{}\r\n", "w".repeat(bytes));
    let mut all: Vec<Vec<u8>> =
        ["*10\r\n", "*11\r\n", "*99\r\n", "*1048576\r\n", "*1048577\r\n", "*2147483648\r\n", "*-1\r\n"]
            .map(|head| head.as_bytes().to_vec())
            .to_vec();
    for bytes in [0, 1, 16_383, 16_384, 16_385, 100_000] {
        all.push(format!("*2\r\n$4\r\nECHO\r\n{}", word(bytes)).into_bytes());
        all.push(format!("*2\r\n$4\r\nAUTH\r\n${bytes}\r\n").into_bytes());
    }
    for count in 1..=12 {
        let requests = format!("*{count}\r\n$4\r\nMGET\r\n{}PING\r\n", word(1).repeat(count - 1));
        all.push(requests.clone().into_bytes());
        // After the password there are no such limits.
        all.push([request(&words("AUTH secret")), requests.clone().into_bytes()].concat());
        all.push([request(&words("AUTH secret")), request(&words("RESET")), requests.into_bytes()].concat());
    }
    for says in all {
        let shown = String::from_utf8_lossy(&says[..says.len().min(80)]).into_owned();
        assert_eq!(told(server.address, &says), told(redis.address, &says), "{shown:?}");
    }
}
