//! What nodes that die for good, and a disk that is wiped, must not take with them.
//!
//! Each is a story of a few hundred milliseconds that a random run hardly comes across. It says what it came to, so that
//! `tests/simulator/fault_injection.rs` can play it with a mistake injected.

use crate::pair::{Mesh, SECOND_US};
use crate::pure::LIMITS;

/// What a story came to.
pub type Verdict = Result<(), String>;

/// Nodes 0 to 3, as in partition 2 of `src/replication/README.md`: the link between 0 and 2 is cut, so that node 2 hears
/// of node 0 through the others. Nobody but 1 hears the last words of node 3, and 1 dies after it.
struct Partition {
    mesh: Mesh,
}

#[test]
fn what_overwrites_a_write_that_waits_to_be_sent_is_sent_although_its_author_is_heard_first_hand() {
    assert_eq!([0, 1].map(overwritten_while_it_waits), [Ok(()), Ok(())]);
}

#[test]
fn what_overwrites_a_write_while_a_peer_is_away_is_sent_although_its_author_is_heard_first_hand() {
    assert_eq!([0, 1].map(overwritten_while_away), [Ok(()), Ok(())]);
}

#[test]
fn what_is_newer_than_a_write_that_comes_late_is_sent_in_its_place() {
    assert_eq!(come_late(), Ok(()));
}

#[test]
fn what_a_node_wrote_before_it_knew_that_its_disk_was_lost_gets_stamps_beyond_the_lost_ones() {
    assert_eq!(written_under_lost_stamps(), Ok(()));
}

/// A write of node 0 that node 1 has yet to relay, or of node 1 itself, is overwritten by node 3.
pub fn overwritten_while_it_waits(author: usize) -> Verdict {
    let mut partition = Partition::new();
    let mesh = &mut partition.mesh;
    mesh.stop_reading(2);
    (0..300).for_each(|key| mesh.request(1, &format!("SET filler{key} {}", "x".repeat(1_000))));
    mesh.pass(20_000);
    mesh.cut_between(0, 3);
    mesh.request(author, "SET color blue");
    mesh.pass(3_000);
    partition.overwrite();
    let mesh = &mut partition.mesh;
    mesh.cut_between(2, 3);
    mesh.read_again();
    mesh.pass(50_000);
    assert!(mesh.node(2).store().get(b"filler299").is_some(), "node 1 has sent all it had");
    partition.outlive()
}

/// The same while the link between 1 and 2 is lost; it comes again before both die.
pub fn overwritten_while_away(author: usize) -> Verdict {
    let mut partition = Partition::new();
    let mesh = &mut partition.mesh;
    [(1, 2), (2, 3), (0, 3)].into_iter().for_each(|(one, other)| mesh.cut_between(one, other));
    mesh.request(author, "SET color blue");
    mesh.pass(3_000);
    partition.overwrite();
    partition.link(1, 2);
    partition.outlive()
}

/// Node 1 has what node 3 wrote over the color before it hears of the write of node 0.
pub fn come_late() -> Verdict {
    let mut partition = Partition::new();
    let mesh = &mut partition.mesh;
    [(0, 1), (2, 3), (0, 3)].into_iter().for_each(|(one, other)| mesh.cut_between(one, other));
    mesh.request(0, "SET color blue");
    partition.overwrite();
    partition.link(0, 1);
    partition.outlive()
}

/// Two lives of node 0 issue the very same stamps: the first by a clock that is 20 s ahead, the second, with an empty
/// disk, 20 s later.
pub fn written_under_lost_stamps() -> Verdict {
    let mut mesh = Mesh::with_limits(2, LIMITS);
    mesh.set_ahead(0, 20_000);
    mesh.wipe(0, LIMITS);
    mesh.link();
    (0..100).for_each(|key| mesh.request(0, &format!("SET before{key} x")));
    mesh.pass(10 * SECOND_US);
    assert_eq!(mesh.node(1).store().keys(), 100);
    let first = |mesh: &Mesh| mesh.node(0).store().changes_after(0).next().map(|change| change.stamp);
    let lost = first(&mesh);
    mesh.cut();
    mesh.set_ahead(0, 0);
    mesh.wipe(0, LIMITS);
    (0..100).for_each(|key| mesh.request(0, &format!("SET after{key} x")));
    assert_eq!(first(&mesh), lost, "the stamps fall together");
    mesh.link_between(0, 1);
    agree(&mut mesh, [0, 1])?;
    let keys = [0, 1].map(|node| mesh.node(node).store().keys());
    if keys == [200, 200] { Ok(()) } else { Err(format!("{keys:?} keys are left")) }
}

impl Partition {
    fn new() -> Partition {
        let mut mesh = Mesh::new(4);
        mesh.settle();
        mesh.cut_between(0, 2);
        mesh.pass(SECOND_US);
        // With it the link from 1 to 2 meets the end of the list, after it went back to relay what node 0 writes.
        mesh.request(1, "SET other x");
        mesh.pass(SECOND_US);
        Partition { mesh }
    }

    /// Node 3 writes over the color, tells node 1, and dies.
    fn overwrite(&mut self) {
        let mesh = &mut self.mesh;
        // Several times, so that its clock is beyond that of the write before.
        (0..10).for_each(|_| mesh.request(3, "SET color green"));
        mesh.pass(3_000);
        let colors = [0, 1, 2].map(|node| mesh.node(node).store().get(b"color"));
        assert_eq!(colors, [Some(&b"blue"[..]), Some(&b"green"[..]), None]);
        mesh.cut_between(1, 3);
    }

    /// These two are linked again, and have told each other what they had.
    fn link(&mut self, one: usize, other: usize) {
        let mesh = &mut self.mesh;
        mesh.link_between(one, other);
        let is_linked = |mesh: &Mesh| mesh.peer(one, other).state == "linked";
        let ticks = (0..300).take_while(|_| {
            mesh.tick();
            !is_linked(mesh)
        });
        assert!(ticks.count() < 300, "sooner than the others give node 3 up");
        mesh.pass(10_000);
    }

    /// Node 1 dies, too. Those that are left meet.
    fn outlive(mut self) -> Verdict {
        let mesh = &mut self.mesh;
        [(0, 1), (1, 2)].into_iter().for_each(|(one, other)| mesh.cut_between(one, other));
        mesh.link_between(0, 2);
        agree(mesh, [0, 2])?;
        let colors = [0, 2].map(|node| mesh.node(node).store().get(b"color"));
        if colors == [Some(&b"green"[..]); 2] { Ok(()) } else { Err(format!("the colors are {colors:?}")) }
    }
}

/// Both agree in the end. That they differ although nothing is under way would be mended, but is a mistake.
fn agree(mesh: &mut Mesh, [one, other]: [usize; 2]) -> Verdict {
    for _ in 0..15_000 {
        mesh.tick();
        for (node, peer) in [(one, other), (other, one)] {
            if mesh.peer(node, peer).agreement == "DIVERGED" {
                return Err(format!("node {node} and node {peer} have diverged"));
            }
        }
    }
    let agreement = mesh.peer(one, other).agreement;
    if agreement == "agrees" { Ok(()) } else { Err(format!("in the end: {agreement}")) }
}
