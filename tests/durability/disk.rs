//! A data file in memory, and the model of what each commit in it has to be.

use std::collections::{BTreeMap, HashMap, VecDeque};

use kvstoreapp::node::Node;
use kvstoreapp::replica::snapshotter::IN_FLIGHT_MAX;
use kvstoreapp::replica::{self, Checkpoint, Disk as _, Outcome, Save, Saved};
use kvstoreapp::store::{Change, Database, Restore, Stamp, Store};

/// What the state at each position is. Positions up to `checked` are dropped.
pub struct Model {
    pub checked: BTreeMap<Vec<u8>, Vec<u8>>,
    pub changes: VecDeque<(u64, Vec<u8>, Option<Vec<u8>>)>,
    pub request: String,
    pub last: u64,
}

impl Model {
    /// Notes the change that the last request was, once it has been executed.
    pub fn note(&mut self, node: &Node) {
        let position = node.store().last_position();
        if position == self.last {
            return;
        }
        assert_eq!(position, self.last + 1, "one request is one change");
        self.last = position;
        let mut words = self.request.split(' ').skip(1);
        let key = words.next().expect("a key").into();
        self.changes.push_back((position, key, words.next().map(Into::into)));
    }

    fn go_to(&mut self, position: u64) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        while self.changes.front().is_some_and(|&(at, _, _)| at <= position) {
            let (_, key, value) = self.changes.pop_front().expect("it was looked at");
            match value {
                Some(value) => self.checked.insert(key, value),
                None => self.checked.remove(&key),
            };
        }
        &self.checked
    }
}

#[derive(Clone)]
pub struct Row {
    pub position: u64,
    pub stamp: Stamp,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// A data file in memory: what is committed, and what an open transaction will do to it.
#[derive(Default)]
pub struct Disk {
    pub rows: HashMap<u32, Row>,
    pub checkpoint: Checkpoint,
    pub queue: VecDeque<Save>,
    /// The open transaction's snapshot and steps; the snapshot that failed last.
    pub open: Option<u64>,
    pub pending: Vec<(u32, Option<Row>)>,
    pub failed: u64,
    /// Pieces of work taken so far, and which of them are to fail.
    pub steps: u64,
    pub failing: VecDeque<u64>,
    /// Before which of them somebody removes the file.
    pub vanishing: VecDeque<u64>,
    pub commits: usize,
    /// One above the highest slot there ever was.
    pub slots: u32,
    /// Stamps and positions of all rows ever handed over, in this incarnation.
    pub handed_out: Vec<(Stamp, u64)>,
}

impl Disk {
    pub fn give(&mut self, save: Save) {
        self.handed_out.extend(save.batch.changes().map(|change| (change.stamp, change.position)));
        self.queue.push_back(save);
        assert!(self.queue.len() <= IN_FLIGHT_MAX, "more slices wait for the writer than it was promised");
    }

    pub fn take_one(&mut self, model: &mut Model) -> Option<Saved> {
        let Save { snapshot, batch, commit, .. } = self.queue.pop_front()?;
        let step = self.steps;
        self.steps += 1;
        let fails = self.failing.front().is_some_and(|&failing| failing <= step);
        self.failing.drain(..usize::from(fails));
        let vanishes = self.vanishing.front().is_some_and(|&vanishing| vanishing <= step);
        self.vanishing.drain(..usize::from(vanishes));
        let outcome = if snapshot == self.failed {
            // Found out by the next piece of work that would be written.
            self.vanishing.extend(vanishes.then_some(step + 1));
            Outcome::Skipped
        } else if vanishes {
            (self.rows, self.checkpoint) = Default::default();
            self.pending.clear();
            (self.open, self.failed) = (None, snapshot);
            Outcome::Gone("the file was removed".to_owned())
        } else if fails {
            self.pending.clear();
            (self.open, self.failed) = (None, snapshot);
            Outcome::Failed("the disk is full".to_owned())
        } else {
            assert!(self.open.is_none_or(|open| open == snapshot), "two transactions at once");
            self.open = Some(snapshot);
            self.pending.extend(batch.retired.iter().map(|&slot| (slot, None)));
            self.pending.extend(batch.changes().map(row));
            match commit {
                Some(checkpoint) => self.commit(checkpoint, model),
                None => Outcome::Taken,
            }
        };
        Some(Saved { snapshot, batch, outcome, is_merged: true })
    }

    fn commit(&mut self, checkpoint: Checkpoint, model: &mut Model) -> Outcome {
        for (slot, row) in self.pending.drain(..) {
            self.slots = self.slots.max(slot + 1);
            match row {
                Some(row) => self.rows.insert(slot, row),
                None => self.rows.remove(&slot),
            };
        }
        assert!(checkpoint.position >= self.checkpoint.position, "a snapshot is older than the one before");
        (self.open, self.checkpoint) = (None, checkpoint.clone());
        self.commits += 1;
        assert!(self.rows.values().all(|row| row.position <= checkpoint.position), "a row from after the position");
        // Maps of tens of thousands of keys are not worth printing.
        assert!(self.holds(model.go_to(checkpoint.position)), "a commit is not the state at its position");
        Outcome::Committed(checkpoint)
    }

    /// What is not committed is gone.
    pub fn crash(&mut self) {
        (self.open, self.failed) = (None, 0);
        self.queue.clear();
        self.pending.clear();
    }

    /// Whether the live rows are these keys and values.
    fn holds(&self, state: &BTreeMap<Vec<u8>, Vec<u8>>) -> bool {
        let live: BTreeMap<_, _> = self.rows.values().filter_map(|row| Some((&row.key, row.value.as_ref()?))).collect();
        live.into_iter().eq(state)
    }

    pub fn live(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let rows = self.rows.values();
        rows.filter_map(|row| Some((row.key.clone(), row.value.clone()?))).collect()
    }

    pub fn assert_restores_to(&mut self, model: &Model) {
        let store = self.restore(1).expect("positions are unique");
        assert_eq!(store.keys(), model.checked.len());
        for (key, value) in &model.checked {
            assert_eq!(store.get(key), Some(value.as_slice()), "{}", String::from_utf8_lossy(key));
        }
    }
}

impl replica::Disk for Disk {
    fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    fn restore(&mut self, first: u64) -> Result<Store, String> {
        let mut restore = Restore::new([1, 2], 0);
        for (&slot, Row { position, stamp, key, value }) in &self.rows {
            let (position, stamp, value) = (*position, *stamp, value.as_deref());
            let database = Database::ZERO;
            restore.add(Change { slot, position, stamp, database, key, value, shared: None, expiry: None });
        }
        restore.finish(first).map_err(|taken| format!("two rows at position {}", taken.0))
    }

    fn record(&mut self, checkpoint: &Checkpoint) -> Result<(), String> {
        self.checkpoint = checkpoint.clone();
        Ok(())
    }
}

fn row(change: Change<'_>) -> (u32, Option<Row>) {
    let Change { slot, position, stamp, key, value, .. } = change;
    (slot, Some(Row { position, stamp, key: key.to_vec(), value: value.map(<[u8]>::to_vec) }))
}
