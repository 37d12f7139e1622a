//! The `redis` crate, in RESP2 and RESP3: what it writes at one node it reads at the other.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use redis::{Client, Commands, Connection, ExistenceCheck, RedisResult, SetExpiry, SetOptions, cmd, pipe, transaction};

use crate::harness::{PATIENCE, wait_for};
use crate::nodes::Cluster;

fn connect(node: SocketAddr, protocol: u8) -> Connection {
    let client = Client::open(format!("redis://{node}/?protocol={protocol}")).expect("an address");
    let connection = client.get_connection_with_timeout(PATIENCE).expect("the node listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    connection
}

/// What one node was told, the other says soon.
fn await_value(node: &mut Connection, key: &str, expected: &str) {
    wait_for(&format!("{key} to be {expected}"), || {
        let value: Option<String> = node.get(key).expect("it answers");
        (value.as_deref() == Some(expected)).then_some(())
    });
}

fn in_each_protocol(talk: impl Fn(&mut Connection, &mut Connection)) {
    let cluster = Cluster::started(2, &[]);
    for protocol in [2, 3] {
        let [mut a, mut b] = [0, 1].map(|id| connect(cluster.listens_at(id), protocol));
        talk(&mut a, &mut b);
        let _: () = a.flushall().expect("it answers");
        wait_for("both to be empty", || (cmd("DBSIZE").query(&mut b) == Ok(0)).then_some(()));
    }
}

#[test]
fn values_are_set_and_got() {
    in_each_protocol(|a, b| {
        let _: () = a.set("color", "blue").expect("it answers");
        await_value(b, "color", "blue");
        let only_new = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::EX(100));
        assert_eq!(a.set_options("color", "red", only_new), Ok(None::<String>));
        assert_eq!(a.get("nothing"), Ok(None::<String>));
        assert_eq!(a.incr("n", 41), Ok(41));
        assert_eq!(a.incr("n", 1.5), Ok(42.5));
        await_value(b, "n", "42.5");
        let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let _: () = a.set(&b"\0\r\n\xff"[..], &every_byte).expect("it answers");
        wait_for("all bytes", || (b.get(&b"\0\r\n\xff"[..]).as_ref() == Ok(&every_byte)).then_some(()));
        assert_eq!(a.set_ex("hour", "x", 3600), Ok(()));
        assert!((3500..=3600).contains(&a.ttl::<_, i64>("hour").expect("it answers")));
        let why = a.incr::<_, _, i64>("color", 1).expect_err("no number");
        assert!(why.to_string().contains("not an integer"), "{why}");
        assert_eq!(a.del(&["color", "nothing", "n"]), Ok(2));
        wait_for("the deletion", || (b.exists("color") == Ok(false)).then_some(()));
    });
}

#[test]
fn requests_go_out_many_at_once() {
    in_each_protocol(|a, b| {
        let mut sets = pipe();
        (0..1000).for_each(|number| _ = sets.set(format!("pipe:{number}"), number).ignore());
        sets.exec(a).expect("they are answered");
        await_value(b, "pipe:999", "999");
        let mut gets = pipe();
        (0..1000).for_each(|number| _ = gets.get(format!("pipe:{number}")));
        assert_eq!(gets.query(b), Ok((0..1000).collect::<Vec<i64>>()));
    });
}

#[test]
fn transactions_are_all_or_nothing() {
    in_each_protocol(|a, b| {
        let answers = pipe().atomic().set("m", 1).ignore().incr("m", 1).get("m").query(a);
        assert_eq!(answers, Ok((2, 2)));
        await_value(b, "m", "2");

        // The other node writes the watched key the first time.
        let mut tries = 0;
        let doubled: RedisResult<(i64,)> = transaction(a, &["m"], |a, pipe| {
            tries += 1;
            let value: i64 = a.get("m")?;
            if tries == 1 {
                let _: () = b.set("m", 5)?;
                await_value(a, "m", "5");
            }
            pipe.set("m", 2 * value).ignore().get("m").query(a)
        });
        assert_eq!((doubled, tries), (Ok((10,)), 2));
        await_value(b, "m", "10");

        let failed = pipe().atomic().set("m", 1).add_command(cmd("NOSUCH")).exec(a);
        let why = failed.expect_err("there is no such command").to_string();
        assert!(why.contains("unknown command"), "{why}");
        await_value(a, "m", "10");
    });
}

#[test]
fn a_scan_finds_every_key() {
    in_each_protocol(|a, b| {
        let names: BTreeSet<String> = (0..300).map(|number| format!("scan:{number}")).collect();
        let pairs: Vec<(&String, i32)> = names.iter().map(|name| (name, 1)).collect();
        let _: () = a.mset(&pairs).expect("it answers");
        wait_for("every key", || {
            let found: BTreeSet<String> =
                b.scan_match("scan:*").expect("it answers").collect::<RedisResult<_>>().ok()?;
            (found == names).then_some(())
        });
    });
}

#[test]
fn messages_reach_who_listens() {
    let cluster = Cluster::started(2, &[]);
    for id in [0, 1] {
        let [mut listener, mut teller] = [(); 2].map(|()| connect(cluster.listens_at(id), 2));
        let mut ear = listener.as_pubsub();
        ear.subscribe(&["news", "sport"]).expect("it answers");
        ear.psubscribe("we*").expect("it answers");
        assert_eq!(teller.publish("news", "first"), Ok(1));
        assert_eq!(teller.publish("weather", "rain"), Ok(1));
        let heard = [(); 2].map(|()| {
            let message = ear.get_message().expect("it comes");
            let pattern: Option<String> = message.get_pattern().expect("text");
            (pattern, message.get_channel_name().to_owned(), message.get_payload::<String>().expect("text"))
        });
        let first = (None, "news".to_owned(), "first".to_owned());
        assert_eq!(heard, [first, (Some("we*".to_owned()), "weather".to_owned(), "rain".to_owned())]);
        drop(ear);
        // Who no longer listens may ask again.
        assert_eq!(listener.get("nothing"), Ok(None::<String>));
    }
}
