//! A data file in memory: what is committed, what an open transaction will do to it, and older copies of it.

use std::collections::{BTreeMap, VecDeque};

use kvstoreapp::replica::snapshotter::IN_FLIGHT_MAX;
use kvstoreapp::replica::{self, Checkpoint, Outcome, Save, Saved};
use kvstoreapp::store::{Change, Database, Expiry, Floors, Restore, Stamp, Store};

/// A key and the database that it is of.
pub type Key = (Database, Vec<u8>);

#[derive(Clone, Debug)]
pub struct Row {
    pub position: u64,
    pub stamp: Stamp,
    pub key: Key,
    pub value: Option<Vec<u8>>,
    pub expiry: Expiry,
}

/// What is on the disk for certain.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub rows: BTreeMap<u32, Row>,
    pub checkpoint: Checkpoint,
}

#[derive(Default)]
pub struct Disk {
    pub file: File,
    /// Earlier states of it, oldest first, with the wall clock's milliseconds.
    pub copies: VecDeque<(u64, File)>,
    queue: VecDeque<Save>,
    open: Option<u64>,
    pending: Vec<(u32, Option<Row>)>,
    failed: u64,
    pub failing: bool,
    pub commits: usize,
}

impl File {
    pub fn state(&self, key: &Key) -> Option<&Row> {
        self.rows.values().find(|row| row.key == *key)
    }

    pub fn floor(&self, database: Database) -> Stamp {
        self.state(&(database, Vec::new())).map_or(Stamp::default(), |row| row.stamp)
    }
}

impl replica::Disk for File {
    fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    fn restore(&mut self, first: u64) -> Result<Store, String> {
        let mut restore = Restore::new([1, 2], 0);
        for (&slot, row) in &self.rows {
            let Row { position, stamp, expiry, key, value } = row;
            let (position, stamp, expiry) = (*position, *stamp, *expiry);
            let (database, key) = (key.0, &key.1);
            restore.add(Change { slot, position, stamp, database, key, value: value.as_deref(), shared: None, expiry });
        }
        restore.finish(first).map_err(|taken| format!("two rows at position {}", taken.0))
    }

    fn record(&mut self, checkpoint: &Checkpoint) -> Result<(), String> {
        self.checkpoint = checkpoint.clone();
        Ok(())
    }
}

impl Disk {
    pub fn give(&mut self, save: Save) {
        self.queue.push_back(save);
        assert!(self.queue.len() <= IN_FLIGHT_MAX, "more slices wait for the writer than it was promised");
    }

    pub fn is_busy(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The writer takes the oldest piece of work.
    pub fn take_one(&mut self, unix_ms: u64) -> Option<Saved> {
        let Save { snapshot, batch, commit, .. } = self.queue.pop_front()?;
        let outcome = if snapshot == self.failed {
            Outcome::Skipped
        } else if self.failing {
            self.pending.clear();
            (self.open, self.failed) = (None, snapshot);
            Outcome::Failed("the disk is full".to_owned())
        } else {
            self.open = Some(snapshot);
            self.pending.extend(batch.retired.iter().map(|&slot| (slot, None)));
            self.pending.extend(batch.changes().map(|change| {
                let Change { slot, position, stamp, database, key, value, expiry, .. } = change;
                let key = (database, key.to_vec());
                (slot, Some(Row { position, stamp, key, value: value.map(<[u8]>::to_vec), expiry }))
            }));
            match commit {
                Some(checkpoint) => self.commit(checkpoint, unix_ms),
                None => Outcome::Taken,
            }
        };
        Some(Saved { snapshot, batch, outcome, is_merged: true })
    }

    fn commit(&mut self, checkpoint: Checkpoint, unix_ms: u64) -> Outcome {
        self.copies.push_back((unix_ms, self.file.clone()));
        if self.copies.len() > 8 {
            self.copies.remove(self.commits % 8);
        }
        for (slot, row) in self.pending.drain(..) {
            match row {
                Some(row) => self.file.rows.insert(slot, row),
                None => self.file.rows.remove(&slot),
            };
        }
        let mut floors = Floors::default();
        self.file.rows.values().filter(|row| row.key.1.is_empty()).for_each(|row| floors.raise(row.key.0, row.stamp));
        self.file.rows.retain(|_, row| !floors.covers(row.key.0, row.stamp));
        self.open = None;
        self.file.checkpoint = checkpoint.clone();
        self.commits += 1;
        Outcome::Committed(checkpoint)
    }

    /// What is not committed is gone.
    pub fn crash(&mut self) {
        (self.open, self.failed) = (None, 0);
        self.queue.clear();
        self.pending.clear();
    }
}
