//! The statistics of a node: one table, of which each form of `INFO` is a rendering.
//!
//! A row says once what a statistic is called, of which kind it is, what it means, where it appears, and how its value is
//! read. What there is one of for each peer, command, error or phase is a row with a [`Family`]: it is read for each
//! member, and the member's name is a label.
//!
//! - [`section`]: where statistics appear, and of what there are several; [`row`]: what a row is; [`exposed`]: what
//!   machines that collect figures call it, and `naming`: the whole name
//! - here: the table
//! - [`sources`]: what values are read from; `status`: those that are told at a glance
//! - `server`, `replication`, `memory`, `persistence`, `traffic`, `scripting`, `tls`, `ticks`, `families`: the rows

pub mod exposed;
mod families;
mod memory;
mod naming;
mod persistence;
mod replication;
pub mod row;
mod scripting;
pub mod section;
mod server;
pub mod sources;
mod status;
mod ticks;
mod tls;
mod traffic;

pub use exposed::{Exposed, Type};
pub use row::{Read, Statistic};
pub use section::{Family, Field, Section};
pub use sources::Sources;

/// All rows, in the order in which lines have them.
pub fn all() -> impl Iterator<Item = &'static Statistic> + Clone {
    const TABLE: [&[Statistic]; 10] = [
        server::IDENTITY,
        replication::STATISTICS,
        server::STATISTICS,
        memory::STATISTICS,
        persistence::STATISTICS,
        traffic::STATISTICS,
        scripting::STATISTICS,
        tls::STATISTICS,
        ticks::STATISTICS,
        families::STATISTICS,
    ];
    TABLE.into_iter().flatten()
}
