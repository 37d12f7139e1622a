use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// What a test waits for at most.
const TEST_PATIENCE: Duration = Duration::from_secs(60);

/// A thread whose handshakes may take so long, and what it says when one has ended.
fn start(patience: Duration) -> (Handshakes, Receiver<()>) {
    let (woken, wakes) = channel();
    let wake = move || {
        // At the end of the test nobody listens.
        let _ = woken.send(());
    };
    let handshakes = Handshakes::start_with_patience(None, patience, wake).expect("there is a thread");
    handshakes.prove_links(PeerEnds::make().expect("they can be made"));
    (handshakes, wakes)
}

/// Both ends of a connection: the node's, and the other side's.
fn connection() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let far = TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens");
    far.set_read_timeout(Some(TEST_PATIENCE)).expect("a timeout can be set");
    let (near, _) = listener.accept().expect("somebody came");
    near.set_nonblocking(true).expect("it is ours");
    (near.into(), far)
}

fn await_end(handshakes: &mut Handshakes, wakes: &Receiver<()>) -> Ended {
    wakes.recv_timeout(TEST_PATIENCE).expect("its time is over some day");
    handshakes.take().expect("it has ended")
}

/// All that the other side still hears.
fn is_closed(mut far: TcpStream) -> bool {
    let mut said = Vec::new();
    far.read_to_end(&mut said).is_ok()
}

#[test]
fn a_node_that_begins_a_handshake_and_does_not_go_on_is_given_up_when_its_time_is_over() {
    let (mut handshakes, wakes) = start(Duration::from_millis(50));
    // One that says half of a record, one that drips, and one that is dialed and says nothing.
    for (whose, says) in
        [(Whose::Peer(7), &b"\x16\x03\x01\x02\x00\x01"[..]), (Whose::Peer(8), b""), (Whose::Dial(1), b"")]
    {
        let (near, mut far) = connection();
        let number = handshakes.begin(whose, near, says.to_vec());
        far.write_all(b"\x16").expect("it reads");
        let ended = await_end(&mut handshakes, &wakes);
        assert_eq!((ended.whose, ended.number), (whose, number));
        assert!(matches!(ended.outcome, Err(Failure::GivenUp)), "{whose:?}");
        assert!(is_closed(far), "{whose:?}");
    }
}

#[test]
fn what_nobody_wants_ends_at_once_and_is_counted_until_then() {
    // Nothing ends by itself.
    let (mut handshakes, wakes) = start(TEST_PATIENCE * 10);
    let begun: Vec<_> = (0..ABANDONED_MAX)
        .map(|session| {
            let (near, far) = connection();
            (handshakes.begin(Whose::Peer(session), near, b"\x16".to_vec()), far)
        })
        .collect();
    begun.iter().for_each(|&(number, _)| handshakes.abandon(number));
    // None is taken yet, whatever the thread has done.
    assert!(handshakes.is_behind());
    let mut ended: Vec<u64> = begun.iter().map(|_| await_end(&mut handshakes, &wakes).number).collect();
    assert!(!handshakes.is_behind());
    ended.sort_unstable();
    assert_eq!(ended, begun.iter().map(|&(number, _)| number).collect::<Vec<_>>());
    assert!(begun.into_iter().all(|(_, far)| is_closed(far)));
    // One that has ended by itself meanwhile is no other's end.
    let (near, far) = connection();
    drop(far);
    let number = handshakes.begin(Whose::Peer(1), near, Vec::new());
    let end = await_end(&mut handshakes, &wakes);
    assert_eq!(end.number, number);
}
