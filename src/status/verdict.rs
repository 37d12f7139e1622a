//! What the words of several nodes come to, in a sentence that an operator acts on.
//!
//! The sentence is the worst problem there is, or else how well it goes. What can be wrong is a table in
//! [`problems`]; the rest of what is wrong follows in the same order.

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::problem::{Level, Problem};
use super::problems;
use super::words::{counted, time};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// How bad the worst of it is.
    pub level: Level,
    /// The worst problem; where there is none, how well it goes.
    pub text: String,
    /// What to do about it; none where nothing has to be done.
    pub advice: Option<String>,
    /// Nodes that are known to have the same data as all nodes they are to be linked with.
    pub agreeing: usize,
    /// Nodes there are to be.
    pub nodes: usize,
    /// All that is wrong, the worst first.
    pub problems: Vec<Problem>,
}

/// What is known of all nodes of a cluster comes to this.
pub fn verdict(nodes: &[Known]) -> Verdict {
    let problems = problems::of(nodes);
    let agreeing = nodes.iter().filter(|node| agrees(nodes, node)).count();
    let (level, text, advice) = match problems.first() {
        Some(worst) => (worst.level, worst.text.clone(), Some(worst.advice.clone())),
        None => (Level::Ok, well(nodes, agreeing), None),
    };
    Verdict { level, text, advice, agreeing, nodes: nodes.len(), problems }
}

/// Whether a node has the same data as every other, as far as both sides of each link say.
fn agrees(nodes: &[Known], node: &Known) -> bool {
    let others = || nodes.iter().filter(|other| other.id != node.id);
    let says = |one: &Known, of: u16| one.fresh().and_then(|status| status.peer(of)).map(|row| row.agrees());
    match node.fresh() {
        // A node that does not say how it is may be of a version that cannot: the others know.
        None => others().any(|other| says(other, node.id) == Some(true)),
        Some(_) => others().all(|other| says(node, other.id) == Some(true) && says(other, node.id) != Some(false)),
    }
}

/// How well it goes where nothing is wrong.
fn well(nodes: &[Known], agreeing: usize) -> String {
    let disk = disk(nodes);
    let rows = || nodes.iter().filter_map(Known::fresh).flat_map(|status| &status.peers);
    let behind = rows().max_by_key(|row| (row.lag_ms, row.lag_changes)).filter(|row| row.lag_changes > 0);
    match (nodes.len(), behind) {
        (0 | 1, _) => format!("the node is alone and well, {disk}"),
        (count, _) if agreeing == count => format!("{count} of {count} nodes agree, {disk}"),
        (_, Some(row)) => {
            let lag = counted(row.lag_changes, "change");
            let lag_ms = row.lag_ms.filter(|&ms| ms >= 100).map(|ms| format!(" ({})", time(ms))).unwrap_or_default();
            format!("all nodes are linked; node {} is behind by {lag}{lag_ms} and is catching up, {disk}", row.id)
        }
        (count, None) => format!("{agreeing} of {count} nodes agree, the others compare, {disk}"),
    }
}

/// What a crash would cost.
fn disk(nodes: &[Known]) -> String {
    let unsaved_ms = nodes.iter().filter_map(Known::fresh).map(|status| status.unsaved_ms).max().unwrap_or(0);
    match unsaved_ms {
        0 => "everything is on disk".to_owned(),
        ms => format!("everything is on disk but the last {}", time(ms.max(100))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::problems::tests::{cluster, linked};
    use super::*;

    #[test]
    fn where_all_is_well_the_sentence_says_who_agrees_and_what_is_not_on_disk() {
        let mut nodes = cluster(3);
        let verdict = verdict(&nodes);
        assert_eq!(verdict.text, "3 of 3 nodes agree, everything is on disk");
        assert_eq!((verdict.level, verdict.advice, verdict.agreeing, verdict.nodes), (Level::Ok, None, 3, 3));
        linked(&mut nodes, 1).unsaved_ms = 849;
        assert_eq!(super::verdict(&nodes).text, "3 of 3 nodes agree, everything is on disk but the last 0.8 s");
        assert_eq!(super::verdict(&cluster(1)).text, "the node is alone and well, everything is on disk");
    }

    #[test]
    fn who_is_behind_and_catches_up_is_no_alarm() {
        let mut nodes = cluster(3);
        let row = &mut linked(&mut nodes, 0).peers[1];
        (row.agreement, row.lag_changes, row.lag_ms) = ("behind by 1204".to_owned(), 1_204, Some(300));
        let verdict = verdict(&nodes);
        assert_eq!(
            (verdict.level, verdict.text.as_str(), verdict.agreeing),
            (
                Level::Ok,
                "all nodes are linked; node 2 is behind by 1,204 changes (0.3 s) and is catching up, \
                 everything is on disk",
                1
            )
        );
    }

    #[test]
    fn a_node_that_does_not_say_how_it_is_agrees_where_the_others_say_so() {
        let mut nodes = cluster(2);
        nodes[1] = Known { id: 1, address: "b:1".to_owned(), ..Known::default() };
        assert_eq!(verdict(&nodes).agreeing, 2);
    }
}
