//! `kvstoreapp status`: every node of the file is asked, and a node that cannot be is shown as another one sees it.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stdout};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::client::reply::Reply;
use super::failure::{FAILED, Failure};
use super::table::Table;
use crate::config::{Access, StatusArguments};
use crate::status::{ClusterStatus, Known, Level, NodeStatus, PeerRow, count, time};
use crate::store::NodeId;

/// Longest answer: a node's own limit for each of its peers, and more.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What was found out.
struct Found {
    status: ClusterStatus,
    /// Why a node could not be asked.
    unasked: BTreeMap<NodeId, String>,
    /// Whose keys are counted; those of all.
    database: Option<u8>,
}

/// Asks once, or again and again. What it says is the answer.
pub(super) fn run(arguments: &StatusArguments) -> Result<String, Failure> {
    let access = arguments.node.access().map_err(Failure::unknown)?;
    if !arguments.watch {
        let found = look(arguments, &access)?;
        let said = if arguments.json { found.json() } else { found.text() };
        return match found.is_well() {
            true => Ok(said),
            // The table says what is not so, and the exit code that it is not.
            false => {
                let _ = writeln!(stdout(), "{said}");
                Err(Failure { code: FAILED, why: String::new() })
            }
        };
    }
    let is_drawn = stdout().is_terminal() && !arguments.json;
    loop {
        let said = match look(arguments, &access) {
            Ok(found) if arguments.json => found.json(),
            Ok(found) => found.text(),
            // A cluster that is not there may come.
            Err(failure) if is_drawn => failure.why,
            Err(failure) => return Err(failure),
        };
        let said = match is_drawn {
            // What was there is written over, so that nothing flickers.
            true => format!("\x1b[H{}\x1b[K\x1b[J", said.replace('\n', "\x1b[K\n")),
            false if arguments.json => said,
            false => format!("{said}\n"),
        };
        if writeln!(stdout(), "{said}").is_err() {
            return Ok(String::new());
        }
        thread::sleep(PAUSE);
    }
}

/// What all nodes say together.
fn look(arguments: &StatusArguments, access: &Access) -> Result<Found, Failure> {
    let nodes = arguments.node.all_addresses().map_err(Failure::unknown)?;
    // At once: the patience for a node that is away is waited for once.
    let answers: Vec<Result<ClusterStatus, Failure>> = thread::scope(|scope| {
        let asking: Vec<_> = nodes.iter().map(|(_, address)| scope.spawn(|| ask(address, access))).collect();
        asking.into_iter().map(|one| one.join().unwrap_or_else(|_| Err(Failure::unknown("it was not asked")))).collect()
    });
    if let [(None, _)] = &nodes[..]
        && let [Ok(status)] = &answers[..]
    {
        return Ok(Found { status: status.clone(), unasked: BTreeMap::new(), database: arguments.db });
    }
    let mut unasked = BTreeMap::new();
    let mut said = Vec::new();
    for ((id, _), answer) in nodes.iter().zip(answers) {
        match answer {
            Ok(status) => said.push(status),
            Err(failure) => {
                unasked.insert(id.unwrap_or(0), failure.why);
            }
        }
    }
    let Some(asked) = said.first().map(|status| status.asked) else {
        return Err(Failure::unknown(unasked.into_values().next().unwrap_or_else(|| "there is no node".to_owned())));
    };
    let all = nodes.iter().map(|(id, address)| seen(id.unwrap_or(0), address, &said)).collect();
    Ok(Found { status: ClusterStatus::new(asked, all), unasked, database: arguments.db })
}

fn ask(address: &str, access: &Access) -> Result<ClusterStatus, Failure> {
    let mut client = Client::meet(address, access)?;
    match client.ask(&["STATUS"], ANSWER_BYTES_MAX)? {
        Reply::Bulk(text) => ClusterStatus::from_json(&text).map_err(|why| {
            Failure::unknown(format!("{address} does not say how it is as this version reads it: {why}"))
        }),
        Reply::Error(why) => {
            Err(Failure::unknown(format!("{address} does not say how it is: {}", String::from_utf8_lossy(&why))))
        }
        _ => Err(Failure::unknown(format!("{address} does not say how it is"))),
    }
}

/// What is known of a node: what it says itself, or else the newest that another one has of it.
fn seen(id: NodeId, address: &str, said: &[ClusterStatus]) -> Known {
    let of = |status: &ClusterStatus| status.nodes.iter().find(|known| known.id == id).cloned();
    if let Some(own) = said.iter().find(|status| status.asked == id).and_then(of) {
        return Known { address: address.to_owned(), ..own };
    }
    let others = said.iter().filter_map(|status| {
        let known = of(status).filter(|known| known.status.is_some())?;
        Some(Known { via: known.via.or(Some(status.asked)), address: address.to_owned(), ..known })
    });
    let newest = others.min_by_key(|known| known.age_ms.unwrap_or(u64::MAX));
    newest.unwrap_or_else(|| Known { id, address: address.to_owned(), ..Known::default() })
}

impl Found {
    /// Whether all nodes have said so themselves, all agree, and none is in trouble.
    fn is_well(&self) -> bool {
        let verdict = &self.status.verdict;
        self.unasked.is_empty() && verdict.agreeing == verdict.nodes && verdict.level != Level::Bad
    }

    /// What `STATUS` answers, and why nodes could not be asked.
    fn json(&self) -> String {
        let mut value = serde_json::to_value(&self.status).unwrap_or_default();
        value["unasked"] = json!(self.unasked);
        value.to_string()
    }

    fn text(&self) -> String {
        let verdict = &self.status.verdict;
        let level = match verdict.level {
            Level::Ok => "OK",
            Level::Warn => "WARNING",
            Level::Bad => "BAD",
        };
        let mut text = match self.unasked.keys().next() {
            // One that has just stopped is still well spoken of by the others.
            Some(id) if verdict.level == Level::Ok => {
                format!("WARNING: node {id} could not be asked; the others say: {}\n", verdict.text)
            }
            Some(_) | None => format!("{level}: {}\n", verdict.text),
        };
        if let Some(advice) = &verdict.advice {
            text += &format!("  {advice}\n");
        }
        for problem in verdict.problems.iter().skip(1) {
            text += &format!("also: {}\n  {}\n", problem.text, problem.advice);
        }
        text += "\n";
        text += &self.nodes();
        let links = self.links();
        if !links.is_empty() {
            text += "\n";
            text += &links;
        }
        for (id, why) in &self.unasked {
            text += &format!("\nnode {id} could not be asked: {why}");
        }
        text.trim_end().to_owned()
    }

    /// A row for each node.
    fn nodes(&self) -> String {
        let keys = self.database.map_or("keys".to_owned(), |database| format!("keys of db {database}"));
        let heads = ["node", "address", "state", &keys, "memory", "requests/s", "not saved", "up", "version", "seen"];
        let mut table = Table::new(&heads);
        for known in &self.status.nodes {
            let Some(status) = &known.status else {
                let (id, none) = (known.id.to_string(), "-");
                table.row([&id, &known.address, "unknown", none, none, none, none, none, none, "by nobody"]);
                continue;
            };
            let seen = match (known.via, known.age_ms) {
                (None, _) => "itself".to_owned(),
                (Some(via), age_ms) => format!("by {via}, {} ago", time(age_ms.unwrap_or(0))),
            };
            table.row([
                known.id.to_string(),
                known.address.clone(),
                state(known, status).to_owned(),
                count(self.database.map_or(status.keys, |database| status.keys_of(database))),
                bytes(status.memory_bytes),
                count(status.requests_per_s),
                if status.unsaved_ms == 0 { "-".to_owned() } else { time(status.unsaved_ms) },
                time(status.uptime_s * 1_000),
                status.version.clone(),
                seen,
            ]);
        }
        table.text()
    }

    /// A row for each side of each link.
    fn links(&self) -> String {
        let mut table = Table::new(&["link", "state", "for", "agreement", "lag", "lag on disk", "skew", "trouble"]);
        for status in self.status.nodes.iter().filter_map(|known| known.status.as_ref()) {
            for row in &status.peers {
                let trouble = row.error.as_ref().or(row.difference.as_ref());
                table.row([
                    format!("{} -> {}", status.id, row.id),
                    row.state.clone(),
                    time(row.since_ms),
                    row.agreement.clone(),
                    lag(row, Some(row.lag_changes), row.lag_ms),
                    lag(row, row.lag_changes_durable, row.lag_ms_durable),
                    row.skew_ms.map_or("-".to_owned(), |ms| format!("{ms} ms")),
                    trouble.cloned().unwrap_or_default(),
                ]);
            }
        }
        if table.is_empty() { String::new() } else { table.text() }
    }
}

/// What a node is up to.
fn state(known: &Known, status: &NodeStatus) -> &'static str {
    match known.fresh() {
        None => "silent",
        Some(_) if status.ending => "ending",
        Some(_) if status.disk_error.is_some() => "disk fails",
        Some(_) if !status.ready => "not ready",
        Some(_) => "ready",
    }
}

/// How far behind the other is, in changes and in time.
fn lag(row: &PeerRow, changes: Option<u64>, ms: Option<u64>) -> String {
    let Some(changes) = changes else { return "-".to_owned() };
    match ms.filter(|_| row.is_linked()) {
        Some(ms) => format!("{} ({ms} ms)", count(changes)),
        None => count(changes),
    }
}

/// A number of bytes as people read it.
fn bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(asked: NodeId, of: &[(NodeId, Option<u64>, Option<NodeId>)]) -> ClusterStatus {
        let known = |&(id, age_ms, via): &(NodeId, Option<u64>, Option<NodeId>)| Known {
            id,
            age_ms,
            via,
            status: age_ms.map(|_| NodeStatus { id, keys: u64::from(asked), ..NodeStatus::default() }),
            ..Known::default()
        };
        ClusterStatus { asked, nodes: of.iter().map(known).collect(), ..ClusterStatus::default() }
    }

    #[test]
    fn a_node_is_shown_as_itself_or_as_whoever_has_heard_of_it_last() {
        let said = [
            view(0, &[(0, Some(0), None), (1, Some(900), None), (2, Some(800), Some(1)), (3, None, None)]),
            view(1, &[(0, Some(10), None), (1, Some(0), None), (2, Some(300), None), (3, None, None)]),
        ];
        let known = |id| {
            let known = seen(id, "a:1", &said);
            (known.via, known.age_ms, known.status.map(|status| status.keys))
        };
        assert_eq!(known(0), (None, Some(0), Some(0)));
        assert_eq!(known(1), (None, Some(0), Some(1)));
        assert_eq!(known(2), (Some(1), Some(300), Some(1)));
        assert_eq!(known(3), (None, None, None));
    }

    #[test]
    fn bytes_have_a_unit() {
        assert_eq!([0, 1_023, 1_536, 5 << 20, 3 << 30].map(bytes), ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "3.0 GiB"]);
    }
}
