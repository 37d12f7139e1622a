//! Clients that watch a prefix, and how far each was told.
//!
//! Most are *level*: they were told of all changes up to one common place in the change list. These are found by a
//! change's key, so that it costs as much as its key has watched beginnings. The others are *behind*, each with a place of
//! its own, and have their turns in a ring; or they *stall* until they have read, and cost nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::rc::Rc;

use super::SessionId;
use super::gathering::Gathering;
use crate::store::{DATABASES_MAX, Database};

/// A look at so many bytes more counts as one more.
const LOOK_BYTES: usize = 256;
/// What one may be owed before it is left behind, where memory counts: of those who do not read there may be many. It is
/// doubled each time all of it was read, and begins anew where not all was.
pub(super) const ROOM_BYTES: usize = 2 << 10;
const ROOM_BYTES_MAX: usize = 32 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Level,
    Behind,
    Stalled,
}

struct Watcher {
    database: Database,
    prefix: Rc<[u8]>,
    /// All changes up to here were told; where it is level, those up to the common place, too.
    told: u64,
    standing: Standing,
    room_bytes: usize,
}

/// How far a change is that is being told: to all whose prefixes are longer, and of those with the prefix of so many
/// bytes, to those up to a number.
#[derive(Clone, Copy)]
struct UnderWay {
    position: u64,
    prefix_len: usize,
    told: Option<SessionId>,
}

/// See the module. Invariant: whoever watches is in `level` or in `behind` or in neither, as its standing says.
#[derive(Default)]
pub(super) struct Watchers {
    all: BTreeMap<SessionId, Watcher>,
    /// Of each database.
    level: [BTreeMap<Rc<[u8]>, BTreeSet<SessionId>>; DATABASES_MAX],
    behind: BTreeSet<SessionId>,
    /// Who had the last turn of those behind.
    turn: SessionId,
    /// The common place.
    heard: u64,
    /// The change after that, where some are told of it.
    under_way: Option<UnderWay>,
    /// When those who are level are told.
    pub(super) gathering: Gathering,
    /// Looks at changes and at prefixes since the start.
    pub(super) looks: u64,
}

impl Watchers {
    /// It watches what begins so, and was told of what is up to there.
    pub(super) fn add(&mut self, id: SessionId, database: Database, prefix: Rc<[u8]>, told: u64) {
        self.remove(id);
        self.all.insert(id, Watcher { database, prefix, told, standing: Standing::Behind, room_bytes: ROOM_BYTES });
        self.behind.insert(id);
    }

    /// It watches nothing.
    pub(super) fn remove(&mut self, id: SessionId) {
        self.move_on(id, Standing::Stalled);
        self.all.remove(&id);
    }

    /// It has read, all that it was told or some of it.
    pub(super) fn wake(&mut self, id: SessionId, has_read_all: bool) {
        let Some(watcher) = self.all.get_mut(&id).filter(|watcher| watcher.standing == Standing::Stalled) else {
            return;
        };
        watcher.room_bytes = if has_read_all { ROOM_BYTES_MAX.min(2 * watcher.room_bytes) } else { ROOM_BYTES };
        self.move_on(id, Standing::Behind);
    }

    /// It has to read before it is told more.
    pub(super) fn stall(&mut self, id: SessionId) {
        self.move_on(id, Standing::Stalled);
    }

    /// What it watches, and how far it was told.
    pub(super) fn get(&self, id: SessionId) -> Option<(Database, &Rc<[u8]>, u64)> {
        let watcher = self.all.get(&id)?;
        let level = if watcher.standing == Standing::Level { self.heard } else { 0 };
        Some((watcher.database, &watcher.prefix, watcher.told.max(level)))
    }

    /// All changes up to there were told to it. Where those are all that the others know it is level with them.
    pub(super) fn note_told(&mut self, id: SessionId, position: u64) {
        let reach = self.reach();
        let Some(watcher) = self.all.get_mut(&id) else { return };
        watcher.told = watcher.told.max(position);
        if watcher.told >= reach {
            self.move_on(id, Standing::Level);
        }
    }

    /// How far those who are level are told, some of them at least: who is behind is told up to here.
    pub(super) fn reach(&self) -> u64 {
        self.under_way.map_or(self.heard, |under_way| under_way.position)
    }

    /// How much it may be owed before it is left behind.
    pub(super) fn room_bytes(&self, id: SessionId) -> usize {
        self.all.get(&id).map_or(0, |watcher| watcher.room_bytes)
    }

    /// When any of them is to be told of changes up to this one, in monotonic microseconds; `u64::MAX` where none is.
    pub(super) fn untold_due_us(&self, last: u64) -> u64 {
        match (self.has_behind(), self.has_level() && self.heard < last) {
            (true, _) => 0,
            (false, true) => self.gathering.due_us(),
            (false, false) => u64::MAX,
        }
    }

    pub(super) fn has_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    fn has_level(&self) -> bool {
        !self.level.iter().all(BTreeMap::is_empty)
    }

    /// The common place; where it is nobody's it is the last.
    pub(super) fn begin(&mut self, last: u64) -> u64 {
        if !self.has_level() {
            self.hear(last);
        }
        self.heard
    }

    /// All who are level were told of all changes up to there.
    pub(super) fn hear(&mut self, position: u64) {
        (self.heard, self.under_way) = (position, None);
    }

    /// Who is to be told next of this change of those who are level: `Step::To` one, who counts as told of it.
    pub(super) fn step(&mut self, position: u64, database: Database, key: &[u8]) -> Step {
        let under_way = self.under_way.filter(|under_way| under_way.position == position);
        let UnderWay { prefix_len, told, .. } =
            under_way.unwrap_or(UnderWay { position, prefix_len: key.len(), told: None });
        let begins = &key[..prefix_len];
        // Of what is not above it, its own beginnings are the last ones: all that is shared with the last is a bound.
        let below = self.level[database.number()].range::<[u8], _>((Unbounded, Included(begins))).next_back();
        let Some((prefix, ids)) = below else {
            self.looks += 1;
            return Step::Last;
        };
        let shared = prefix.iter().zip(begins).take_while(|(one, other)| one == other).count();
        self.looks += 1 + (shared / LOOK_BYTES) as u64;
        let next = if shared < prefix.len() {
            None
        } else {
            let after = told.filter(|_| shared == prefix_len).map_or(Unbounded, Excluded);
            ids.range((after, Unbounded)).next().copied()
        };
        let is_done = next.is_none() && shared == prefix.len();
        if is_done && shared == 0 {
            return Step::Last;
        }
        let prefix_len = shared - usize::from(is_done);
        self.under_way = Some(UnderWay { position, prefix_len, told: next });
        let Some(id) = next else { return Step::Further };
        match self.all.get(&id) {
            Some(watcher) if watcher.told < position => Step::To(id),
            Some(_) | None => Step::Further,
        }
    }

    /// It was told of the change that is under way.
    pub(super) fn note_step(&mut self, id: SessionId, position: u64) {
        if let Some(watcher) = self.all.get_mut(&id) {
            watcher.told = position;
        }
    }

    /// Whose turn it is of those behind.
    pub(super) fn next_behind(&mut self) -> Option<SessionId> {
        let later = self.behind.range((Excluded(self.turn), Unbounded)).next();
        self.turn = *later.or_else(|| self.behind.first())?;
        Some(self.turn)
    }

    fn move_on(&mut self, id: SessionId, standing: Standing) {
        let heard = self.heard;
        let Some(watcher) = self.all.get_mut(&id) else { return };
        match std::mem::replace(&mut watcher.standing, standing) {
            Standing::Level => {
                watcher.told = watcher.told.max(heard);
                let level = &mut self.level[watcher.database.number()];
                if let Some(ids) = level.get_mut(&watcher.prefix) {
                    ids.remove(&id);
                    if ids.is_empty() {
                        level.remove(&watcher.prefix);
                    }
                }
            }
            Standing::Behind => {
                self.behind.remove(&id);
            }
            Standing::Stalled => (),
        }
        match standing {
            Standing::Level => {
                let level = &mut self.level[watcher.database.number()];
                level.entry(Rc::clone(&watcher.prefix)).or_default().insert(id);
            }
            Standing::Behind => {
                self.behind.insert(id);
            }
            Standing::Stalled => (),
        }
    }
}

/// What comes next of telling a change.
pub(super) enum Step {
    /// It is told to this one.
    To(SessionId),
    /// There may be more.
    Further,
    /// All are told of it.
    Last,
}
