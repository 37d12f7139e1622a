//! Values of many megabytes: written at one node, read at the other, kept on disk.

use crate::harness::wait_for;
use crate::nodes::Cluster;
use crate::reply::{Resp, words};

const VALUE_BYTES: usize = 64 << 20;

/// Bytes in which no part is like another.
fn value(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u64(..).to_le_bytes()).flatten().take(bytes).collect()
}

fn bulk(value: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

#[test]
fn a_value_of_64_mib_crosses_a_link_and_a_restart() {
    let mut cluster = Cluster::started(2, &["--snapshot-interval-ms=100"]);
    let value = value(1, VALUE_BYTES);
    let mut here = Resp::connect(cluster.listens_at(0));
    let mut there = Resp::connect(cluster.listens_at(1));
    assert_eq!(here.ask(&[b"SET".to_vec(), b"big".to_vec(), value.clone()]), b"+OK\r\n");
    assert!(here.ask(&words("GET big")) == bulk(&value));
    wait_for("the value at the other node", || {
        (there.ask(&words("STRLEN big")) == format!(":{VALUE_BYTES}\r\n").as_bytes()).then_some(())
    });
    assert!(there.ask(&words("GET big")) == bulk(&value));
    let (start, end) = (VALUE_BYTES / 3, VALUE_BYTES / 3 + 9_999_999);
    assert!(there.ask(&words(&format!("GETRANGE big {start} {end}"))) == bulk(&value[start..=end]));
    assert_eq!(there.ask(&words("RENAME big huge")), b"+OK\r\n");
    wait_for("the new name", || (here.ask(&words("EXISTS huge")) == b":1\r\n").then_some(()));

    cluster.await_agreement();
    for id in [0, 1] {
        cluster.stop(id);
        cluster.start(id);
        let mut client = Resp::connect(cluster.listens_at(id));
        let answer = client.ask(&words("GET huge"));
        assert!(answer == bulk(&value), "node {id} after a restart: {} bytes", answer.len());
    }
}

#[test]
fn large_values_go_through_transactions_and_are_counted_as_memory() {
    let cluster = Cluster::started(2, &[]);
    let mut client = Resp::connect(cluster.listens_at(0));
    let (one, two) = (value(2, 3 << 20), value(3, 100_000));
    let set = |key: &str, value: &[u8]| vec![b"SET".to_vec(), key.into(), value.to_vec()];
    assert_eq!(client.ask(&words("MULTI")), b"+OK\r\n");
    for request in
        [set("one", &one), set("two", &two), words("GET one"), words("APPEND two x"), words("SETEX one 100 y")]
    {
        assert_eq!(client.ask(&request), b"+QUEUED\r\n");
    }
    let expected = [b"*5\r\n+OK\r\n+OK\r\n", &bulk(&one)[..], b":100001\r\n+OK\r\n"].concat();
    assert!(client.ask(&words("EXEC")) == expected);
    assert_eq!(client.ask(&words("GET one")), b"$1\r\ny\r\n");

    let memory = || cluster.info(0, "memory_bytes").parse::<usize>().expect("a number");
    let before = memory();
    assert_eq!(client.ask(&set("one", &one)), b"+OK\r\n");
    let more = memory() - before;
    assert!(more.abs_diff(one.len()) < 1_000, "{more} bytes more");
    let mut pair = words("MSET a x b");
    pair.extend([one.clone()]);
    assert_eq!(client.ask(&pair), b"+OK\r\n");
    assert_eq!(client.ask(&words("DEL one b")), b":2\r\n");
    assert!(memory() < before + 1_000);

    assert_eq!(client.ask(&set("one", &one)), b"+OK\r\n");
    let usage = String::from_utf8(client.ask(&words("MEMORY USAGE one"))).expect("a number");
    let usage: usize = usage[1..].trim().parse().expect("a number");
    assert!((one.len()..one.len() + 1_000).contains(&usage), "{usage} bytes");

    let mut other = Resp::connect(cluster.listens_at(1));
    let expected = [bulk(&two), b"\r\n".to_vec()].concat().len() - 1;
    wait_for("the other node", || (other.ask(&words("GET two")).len() == expected).then_some(()));
    cluster.await_agreement();
}
