//! What a backup asks of the loop: counted in jobs and bytes, whatever the machine.

use kvstoreapp::node::{Node, Now};
use kvstoreapp::replica::{COPY_PIECE_BYTES, CopyJob, CopyNews};

use crate::pure::{NOW, hand_over, node_with_two_clients, read, save, take_turns};

fn ask(node: &mut Node, id: usize, requests: &str) {
    let words = |request: &str| {
        let words: String = request.split(' ').map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        format!("*{}\r\n{words}", request.split(' ').count())
    };
    let bytes: String = requests.lines().map(words).collect();
    node.receive(id, bytes.as_bytes(), NOW);
}

/// A backup of so many bytes, with number 1, that client 0 can read.
fn begun(bytes: u64) -> Node {
    let mut node = node_with_two_clients();
    ask(&mut node, 0, "BACKUP BEGIN");
    assert_eq!(node.next_copy_job(), None, "the rows are not up to date yet");
    save(&mut node, NOW);
    assert_eq!(node.next_copy_job(), Some(CopyJob::Make(1)));
    assert_eq!(read(&mut node, 0), b"");
    node.copied(CopyNews::Made(1, Ok(bytes)), NOW);
    assert_eq!(read(&mut node, 0), format!(":{bytes}\r\n").as_bytes());
    take_turns(&mut node);
    node
}

#[test]
fn pieces_are_read_one_at_a_time_however_many_are_asked_for_and_none_for_who_does_not_read() {
    let pieces = 100;
    let mut node = begun(pieces * COPY_PIECE_BYTES);
    let asked: Vec<String> = (0..pieces).map(|piece| format!("BACKUP READ {}", piece * COPY_PIECE_BYTES)).collect();
    ask(&mut node, 0, &asked.join("\n"));
    let (mut served, mut owed) = (0, 0);
    for piece in 0..pieces {
        let Some(job) = node.next_copy_job() else { break };
        assert_eq!(job, CopyJob::Read { copy: 1, offset: piece * COPY_PIECE_BYTES });
        assert_eq!(node.next_copy_job(), None, "one at a time");
        take_turns(&mut node);
        assert_eq!(node.next_copy_job(), None, "and none while that is read");
        node.copied(CopyNews::Read(1, Ok(vec![b'x'; COPY_PIECE_BYTES as usize])), NOW);
        assert!(take_turns(&mut node) <= 1);
        served += 1;
        owed = node.sendable(0).len();
    }
    assert!(served <= 3, "{served} pieces for who reads none");
    assert!(owed < 3 * COPY_PIECE_BYTES as usize + 100, "{owed} bytes");
    // Others are served.
    ask(&mut node, 1, "SET color green");
    assert_eq!(read(&mut node, 1), b"+OK\r\n");
    // Who reads on gets all of it.
    let mut got = 0;
    for _ in 0..2 * pieces {
        got += read(&mut node, 0).len();
        take_turns(&mut node);
        while let Some(CopyJob::Read { .. }) = node.next_copy_job() {
            node.copied(CopyNews::Read(1, Ok(vec![b'x'; COPY_PIECE_BYTES as usize])), NOW);
        }
    }
    assert_eq!(got, pieces as usize * (COPY_PIECE_BYTES as usize + "$131072\r\n\r\n".len()));
}

#[test]
fn a_backup_that_cannot_be_made_or_read_is_an_answer_and_the_next_can_be() {
    let mut node = begun(10);
    ask(&mut node, 0, "BACKUP READ 0");
    assert_eq!(node.next_copy_job(), Some(CopyJob::Read { copy: 1, offset: 0 }));
    node.copied(CopyNews::Read(1, Err("the disk is gone".to_owned())), NOW);
    assert_eq!(read(&mut node, 0), b"-ERR the backup failed: the disk is gone\r\n");
    assert_eq!(node.next_copy_job(), Some(CopyJob::Drop(1)));
    take_turns(&mut node);
    ask(&mut node, 0, "BACKUP READ 0");
    assert!(read(&mut node, 0).starts_with(b"-ERR no backup is under way here"));

    ask(&mut node, 0, "BACKUP BEGIN");
    save(&mut node, NOW);
    assert_eq!(node.next_copy_job(), Some(CopyJob::Make(2)));
    node.copied(CopyNews::Made(2, Err("no room\r\nhere".to_owned())), NOW);
    assert_eq!(read(&mut node, 0), b"-ERR the backup failed: no room  here\r\n");
    assert_eq!(node.next_copy_job(), Some(CopyJob::Drop(2)));
}

#[test]
fn a_backup_goes_with_its_client_and_when_nothing_is_read_of_it() {
    let mut node = begun(10);
    let later = |s: u64| Now { monotonic_us: NOW.monotonic_us + s * 1_000_000, ..NOW };
    hand_over(&mut node, later(59));
    assert_eq!(node.next_copy_job(), None);
    hand_over(&mut node, later(61));
    assert_eq!(node.next_copy_job(), Some(CopyJob::Drop(1)));

    ask(&mut node, 1, "BACKUP BEGIN");
    node.close(1);
    assert_eq!(node.next_copy_job(), Some(CopyJob::Drop(2)));
    save(&mut node, NOW);
    assert_eq!(node.next_copy_job(), None, "nothing is made for nobody");
    // What is made nonetheless is nobody's.
    node.copied(CopyNews::Made(2, Ok(10)), NOW);
}
