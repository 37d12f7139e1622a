//! The cluster's secret on the command line: what makes one, what is taken for one, and what is said of its file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::make_pipe;
use crate::place::Place;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789a";
const FLAG: &str = "--cluster-secret-file=cluster.secret";

#[test]
fn the_program_makes_secrets_that_it_takes_and_each_is_another() {
    let place = Place::empty();
    let secrets = [place.answer(&["secret"]), place.answer(&["secret"])];
    assert_ne!(secrets[0], secrets[1]);
    for secret in &secrets {
        let digits = secret.trim_end();
        assert!(digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{digits}");
        fs::write(place.path("cluster.secret"), secret).expect("it is writable");
        assert!(place.answer(&["--check-config", FLAG]).starts_with("valid: "));
    }
    fs::write(place.path("cluster.secret"), secrets.concat()).expect("it is writable");
    assert!(place.answer(&["--check-config", FLAG, "--peer-tls=accept"]).starts_with("valid: "));
    place.refused(&["secret", "--long"], &["--long"]);
}

#[test]
fn what_is_no_secret_is_refused_without_a_word_of_it() {
    let place = Place::empty();
    place.refused(&[FLAG], &["cluster.secret", "No such file", "kvstoreapp secret"]);
    for (text, says) in [
        ("", "it is empty"),
        (&SECRET[1..], "line 1 has 42 characters"),
        (&format!("{SECRET}\npassword"), "line 2 has 8 characters"),
        (&format!("{SECRET} {SECRET}"), "line 1 has something else"),
        (&format!("{SECRET}\n").repeat(3), "at most two"),
        (&"x".repeat(5_000), "5000 bytes are more"),
    ] {
        fs::write(place.path("cluster.secret"), text).expect("it is writable");
        place.refused(&[FLAG], &["cluster.secret", says]);
    }
    let pipe = tempfile::tempdir().expect("there is room");
    make_pipe(&pipe.path().join("pipe"));
    let flag = format!("--cluster-secret-file={}/pipe", pipe.path().display());
    place.refused(&[&flag], &["it is no regular file"]);
}

#[test]
fn links_that_are_to_be_proven_need_a_secret() {
    let place = Place::empty();
    for mode in ["accept", "required"] {
        place.refused(&[&format!("--peer-tls={mode}")], &["--peer-tls", "--cluster-secret-file"]);
    }
    place.refused(&["--peer-tls=maybe"], &["maybe", "off, accept, required"]);
    assert!(place.answer(&["--check-config", "--peer-tls=off"]).starts_with("valid: "));
    fs::write(place.path("cluster.secret"), SECRET).expect("it is writable");
    for (flags, is_said) in [
        (vec![FLAG], "required"),
        (vec![FLAG, "--peer-tls=accept"], "accept"),
        (vec![FLAG, "--peer-tls=off"], "off"),
        (vec![], "off"),
    ] {
        let place = Place::empty();
        fs::write(place.path("cluster.secret"), SECRET).expect("it is writable");
        let server = place.start(&[&["--bind=127.0.0.1:0"], &flags[..]].concat());
        assert_eq!(server.info("peer_tls"), is_said);
    }
}

#[test]
fn a_file_that_others_may_read_is_warned_of_and_no_secret_is_ever_shown() {
    for (mode, is_warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o622, true)] {
        let place = Place::empty();
        let path = place.path("cluster.secret");
        fs::write(&path, SECRET).expect("it is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        let server = place.start(&["--bind=127.0.0.1:0", "--log-level=trace", FLAG]);
        let warned = server.log.iter().filter(|line| line.contains("open to other users")).count();
        assert_eq!(warned, usize::from(is_warned), "{mode:o}: {:?}", server.log);
        assert!(server.log.iter().any(|line| line.contains("prove the cluster's secret: required")));
        assert!(server.log.iter().all(|line| !line.contains(SECRET)));
    }
}
