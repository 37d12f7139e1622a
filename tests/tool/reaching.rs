//! How a node is reached, and what is said where it is not: the same for each tool, shown by `check`.

use std::io::Read;
use std::net::TcpListener;

use crate::certificates::{Authority, Wanted};
use crate::harness::{Process, Server};
use crate::using::{Place, Said, flag, tool, tool_with};

/// Whether the node is ready, asked by these flags beside its address.
fn ask(address: &str, flags: &[&str]) -> Said {
    tool(&[&["check", "--ready", "--address", address], flags].concat())
}

#[test]
fn each_tool_that_fails_says_what_to_do() {
    let place = Place::new();
    let (tls, other) = (place.certificates("tls"), place.certificates("other"));
    let (cert, key) = (flag("tls-cert", &tls, "node-0.crt"), flag("tls-key", &tls, "node-0.key"));
    let ca = flag("tls-ca-file", &tls, "ca.crt");
    let wrong_ca = flag("tls-ca-file", &other, "ca.crt");
    let client_ca = flag("tls-client-ca", &tls, "ca.crt");
    let (own, own_key) = (flag("tls-cert-file", &tls, "client.crt"), flag("tls-key-file", &tls, "client.key"));
    let (not_own, not_own_key) =
        (flag("tls-cert-file", &other, "client.crt"), flag("tls-key-file", &other, "client.key"));
    let password = format!("--password-file={}", place.file("password", "sesame\n"));
    let wrong_password = format!("--password-file={}", place.file("wrong", "simsim\n"));
    let socket = place.text("socket");
    let plain = Server::start(&[&format!("--unix-socket={socket}")]);
    let closed = Server::start(&[&password]);
    let secure = Server::start(&[&cert, &key, "--tls=required"]);
    let proven = Server::start(&[&cert, &key, &client_ca, "--tls=required"]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let (plain, closed, secure) = (plain.named(), closed.named(), secure.named());
    let (proven, quiet) = (proven.named(), silent.local_addr().expect("it has one").to_string());
    let nobody = "127.0.0.1:1".to_owned();
    let gone = place.text("no-socket");
    let [ca, wrong_ca, own, own_key, not_own, not_own_key, password, wrong_password] =
        [&ca, &wrong_ca, &own, &own_key, &not_own, &not_own_key, &password, &wrong_password].map(String::as_str);
    for (address, flags, code, words) in [
        (&plain.1, &[][..], 0, "is ready"),
        (&socket, &[], 0, "is ready"),
        (&secure.1, &[ca], 0, "is ready"),
        (&secure.1, &["--tls", ca], 0, "is ready"),
        (&proven.1, &[ca, own, own_key], 0, "is ready"),
        (&closed.1, &[password], 0, "is ready"),
        (&closed.1, &["--user=default", password], 0, "is ready"),
        (&closed.1, &[], 0, "is ready"),
        (&nobody, &[], 2, "nothing listens there (connection refused): does the node run?"),
        (&gone, &[], 2, "there is no such unix socket: does the node run, with --unix-socket?"),
        (&quiet, &["--timeout=1"], 2, "does not answer in time: --timeout=<s> gives it more"),
        (&quiet, &["--timeout=1", ca], 2, "does not answer in TLS in time"),
        (&closed.1, &[wrong_password], 2, "does not take this user and password"),
        (&closed.1, &["--user=nobody", password], 2, "does not take this user and password"),
        (&plain.1, &[password], 2, "has no password, and one was given: leave out --password-file"),
        (&plain.1, &["--user=default"], 2, "--user needs a password: --password-file=<file>, or KVSTOREAPP_PASSWORD"),
        (&plain.1, &["--tls"], 2, "--tls needs --tls-ca-file=<file>"),
        (&plain.1, &[ca], 2, "does not speak TLS: leave out --tls and --tls-ca-file"),
        (&socket, &[ca], 2, "TLS is for other machines"),
        (&secure.1, &[], 2, "this node speaks TLS alone"),
        (&secure.1, &[password], 2, "speaks TLS alone: give --tls-ca-file=<file>"),
        (&secure.1, &[wrong_ca], 2, "is this the right --tls-ca-file?"),
        (&secure.1, &["--tls-ca-file=/nosuch"], 2, "cannot read the certificate /nosuch"),
        (&proven.1, &[ca], 2, "wants a certificate of who asks: --tls-cert-file and --tls-key-file"),
        (&proven.1, &[ca, not_own, not_own_key], 2, "does it take the certificate in --tls-cert-file"),
        (&proven.1, &[ca, own], 2, "--tls-key-file"),
    ] {
        let said = ask(address, flags);
        assert_eq!(said.code, code, "{address} {flags:?}: {said:?}");
        let text = if code == 0 { said.text() } else { &said.err };
        assert!(text.contains(words) && text.lines().count() == 1, "{address} {flags:?}: {said:?}");
    }
    // Certificates for another name, and of the day before yesterday.
    let authority = Authority::new();
    let ca = format!("--tls-ca-file={}", authority.text("ca.crt"));
    let elsewhere = Wanted { hosts: &["elsewhere.example"], ..Wanted::node() };
    for (wanted, words) in [
        (elsewhere, "is for another name (certificate not valid for name \"127.0.0.1\""),
        (Wanted { days: (-3, -2), ..Wanted::node() }, "does not hold: certificate expired"),
    ] {
        authority.sign("node", &wanted);
        let flags = authority.flags("node");
        let server = Server::start(&flags.iter().map(String::as_str).collect::<Vec<_>>());
        let said = ask(&server.address.to_string(), &[&ca]);
        assert!(said.code == 2 && said.err.contains(words), "{said:?}");
    }
}

#[test]
fn a_password_leaves_the_environment_of_a_tool() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = silent.local_addr().expect("it has one").to_string();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
    command.args(["check", "--address", &address]).env("KVSTOREAPP_PASSWORD", "open sesame");
    let child = Process(command.spawn().expect("the binary starts"));
    let (mut stream, _) = silent.accept().expect("it dials");
    let mut asked = [0; 32];
    stream.read_exact(&mut asked).expect("it says who asks");
    assert_eq!(asked.escape_ascii().to_string(), r"*2\r\n$4\r\nAUTH\r\n$11\r\nopen sesame\r\n");
    for name in ["environ", "cmdline"] {
        let text = std::fs::read(format!("/proc/{}/{name}", child.id())).expect("it can be read");
        assert!(!text.windows(6).any(|part| part == b"sesame"), "{name}: {}", text.escape_ascii());
    }
}

#[test]
fn two_passwords_are_one_too_many_and_a_tool_that_asks_nobody_takes_none() {
    let place = Place::new();
    let password = format!("--password-file={}", place.file("password", "sesame\n"));
    let set = |arguments: &[&str]| tool_with(arguments, b"", |command| command.env("KVSTOREAPP_PASSWORD", "sesame"));
    let said = set(&["check", &password]);
    assert!(said.code == 2 && said.err.contains("both have a password: which one?"), "{said:?}");
    assert_eq!(set(&["secret"]).code, 0);
}

/// A node, and its address as a tool is told it.
type Named = (Server, String);

trait Naming {
    fn named(self) -> Named;
}

impl Naming for Server {
    fn named(self) -> Named {
        let address = self.address.to_string();
        (self, address)
    }
}

#[test]
fn what_is_no_file_is_left_as_it_is() {
    let place = Place::new();
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let (target, link, dangling) = (place.file("target", "kept"), place.path("link"), place.path("dangling"));
    std::os::unix::fs::symlink(&target, &link).expect("the directory takes a link");
    std::os::unix::fs::symlink(place.path("nowhere"), &dangling).expect("the directory takes a link");
    for file in [&link, &dangling, &place.path(".")] {
        let file = file.to_str().expect("a path is text");
        for words in [&["backup", "--force", file][..], &["backup", file], &["export", file]] {
            let said = tool(&[words, &["--address", &address]].concat());
            assert!(said.code == 2 && said.err.contains("is no file, and is left as it is"), "{words:?}: {said:?}");
        }
    }
    assert!(link.is_symlink() && dangling.is_symlink() && !place.path("nowhere").exists());
    assert_eq!(std::fs::read(&target).expect("it is there"), b"kept");
    // What is beside it is no way to another file, either.
    std::os::unix::fs::symlink(&target, place.path("new.part")).expect("the directory takes a link");
    let said = tool(&["export", &place.text("new"), "--address", &address]);
    assert_eq!((said.code, std::fs::read(&target).expect("it is there")), (0, b"kept".to_vec()), "{said:?}");
}
