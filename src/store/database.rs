//! Databases: the keys of one know nothing of those of another.

use super::{NodeId, Stamp};

/// Databases there are.
pub const DATABASES_MAX: usize = 1 << DATABASE_BITS;
/// Nodes that a cluster can have: what is left of two bytes beside a database.
pub const NODES_MAX: usize = 1 << NODE_BITS;

const DATABASE_BITS: u32 = 4;
const NODE_BITS: u32 = 12;
const NODE: u16 = (1 << NODE_BITS) - 1;

/// The number of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Database(u8);

impl Database {
    /// The one that everybody begins in.
    pub const ZERO: Database = Database(0);

    /// The one of this number, where there is such a one.
    pub fn new(number: usize) -> Option<Database> {
        (number < DATABASES_MAX).then_some(Database(number as u8))
    }

    /// All, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Database> {
        (0..DATABASES_MAX as u8).map(Database)
    }

    /// Its number.
    pub fn number(self) -> usize {
        self.0.into()
    }

    /// Whether it is the one that everybody begins in.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// With a node, as two bytes: of database 0 they are the node's number.
    pub fn join(self, node: NodeId) -> u16 {
        node & NODE | u16::from(self.0) << NODE_BITS
    }

    /// What [`Database::join`] has put together.
    pub fn split(joined: u16) -> (Database, NodeId) {
        (Database((joined >> NODE_BITS) as u8), joined & NODE)
    }
}

/// The latest flush of each database, as the stamp below which its keys are absent; all zero where there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floors([Stamp; DATABASES_MAX]);

impl Floors {
    /// That of a database.
    pub fn of(&self, database: Database) -> Stamp {
        self.0[database.number()]
    }

    /// The database was flushed then, or later.
    pub fn raise(&mut self, database: Database, stamp: Stamp) {
        let floor = &mut self.0[database.number()];
        *floor = stamp.max(*floor);
    }

    /// What somebody else knows of.
    pub fn merge(&mut self, other: &Floors) {
        other.iter().for_each(|(database, stamp)| self.raise(database, stamp));
    }

    /// Whether what was written then in the database is deleted by a flush.
    pub fn covers(&self, database: Database, stamp: Stamp) -> bool {
        stamp < self.of(database)
    }

    /// Those that there are.
    pub fn iter(&self) -> impl Iterator<Item = (Database, Stamp)> + use<> {
        let floors = self.0;
        Database::all().map(move |database| (database, floors[database.number()])).filter(|(_, stamp)| stamp.clock > 0)
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_and_a_database_come_out_of_two_bytes_and_of_database_0_they_are_the_node() {
        for node in [0, 1, 7, NODES_MAX as NodeId - 1] {
            assert_eq!(Database::ZERO.join(node), node);
            for database in Database::all() {
                assert_eq!(Database::split(database.join(node)), (database, node));
            }
        }
        assert_eq!(Database::new(DATABASES_MAX), None);
    }

    #[test]
    fn a_flush_of_one_database_is_none_of_another_and_never_goes_back() {
        let (one, two) = (Database(1), Database(2));
        let stamp = |clock| Stamp { clock, node: 3 };
        let mut floors = Floors::default();
        assert!(floors.is_empty());
        floors.raise(one, stamp(7));
        floors.raise(one, stamp(5));
        assert_eq!([stamp(6), stamp(7)].map(|stamp| floors.covers(one, stamp)), [true, false]);
        assert!(!floors.covers(two, stamp(6)));
        let mut other = Floors::default();
        other.raise(two, stamp(9));
        other.merge(&floors);
        assert!(other.iter().eq([(one, stamp(7)), (two, stamp(9))]));
    }
}
