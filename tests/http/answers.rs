//! Answers of HTTP, taken apart, and whoever asks for them.

use kvstoreapp::node::{Node, Options, Origin, SessionId};

use crate::pure::{NOW, node, options, say};

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// With names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the test expects text")
    }
}

/// Takes the answers apart; those to `HEAD`, by their places, have no body.
pub fn parse(mut bytes: &[u8], heads: &[usize]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let is_head = heads.contains(&answers.len());
        let (answer, rest) = parse_one(bytes, is_head);
        answers.push(answer);
        bytes = rest;
    }
    answers
}

fn parse_one(bytes: &[u8], is_head: bool) -> (Answer, &[u8]) {
    let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {}", shown()));
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status: {}", shown()));
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no header: {line}")))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: Vec::new() };
    let mut rest = &bytes[end + 4..];
    if is_head || matches!(status, 100 | 204 | 304) {
        return (answer, rest);
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let line = rest.iter().position(|&byte| byte == b'\n').unwrap_or_else(|| panic!("no chunk: {}", shown()));
            let size = std::str::from_utf8(&rest[..line]).expect("a size is text").trim_end();
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("no size: {size}"));
            rest = &rest[line + 1..];
            answer.body.extend_from_slice(&rest[..size]);
            assert_eq!(&rest[size..size + 2], b"\r\n");
            rest = &rest[size + 2..];
            if size == 0 {
                return (answer, rest);
            }
        }
    }
    let length = answer.header("content-length").map(|length| length.parse().expect("a length is a number"));
    let length = length.unwrap_or(rest.len());
    assert!(length <= rest.len(), "the body is cut: {}", shown());
    answer.body = rest[..length].to_vec();
    (answer, &rest[length..])
}

/// A request with these headers, each with its line end, and this body.
pub fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let host = if headers.to_ascii_lowercase().contains("host:") { "" } else { "Host: 127.0.0.1:5000\r\n" };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    [format!("{line} HTTP/1.1\r\n{host}{headers}{length}\r\n").as_bytes(), body].concat()
}

/// A pure node that asks nobody for a password, and a client of this machine.
pub fn place() -> Node {
    place_with(options())
}

pub fn place_with(options: Options) -> Node {
    let mut node = node(options);
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    node
}

/// The answer to one request on the client's connection.
pub fn ask(node: &mut Node, id: SessionId, line: &str, headers: &str, body: &[u8]) -> Answer {
    let heads: &[usize] = if line.starts_with("HEAD ") { &[0] } else { &[] };
    let said = say(node, id, &request(line, headers, body));
    let mut answers = parse(&said, heads);
    assert_eq!(answers.len(), 1, "{line}: {}", String::from_utf8_lossy(&said));
    answers.remove(0)
}

/// The same on a connection of its own.
pub fn ask_anew(node: &mut Node, origin: Origin, line: &str, headers: &str, body: &[u8]) -> Answer {
    const ID: SessionId = 7;
    node.open(ID, origin, NOW).expect("there is room");
    let answer = ask(node, ID, line, headers, body);
    node.close(ID);
    answer
}

/// Does something by lines, for a test to look at or to change what is there.
pub fn by_lines(node: &mut Node, said: &str) -> String {
    const ID: SessionId = 8;
    node.open(ID, Origin::Loopback, NOW).expect("there is room");
    let answer = say(node, ID, said.as_bytes());
    node.close(ID);
    String::from_utf8(answer).expect("the test expects text")
}

/// The same in RESP, whose words are parted by spaces.
pub fn by_words(node: &mut Node, said: &str) -> String {
    let words: Vec<&str> = said.split(' ').collect();
    let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    by_lines(node, &format!("*{}\r\n{words}", said.split(' ').count()))
}
