//! The pages there are.

/// What a collector asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/metrics`.
    Own,
    /// `/metrics/redis`: for dashboards that were made for Redis.
    Redis,
}
