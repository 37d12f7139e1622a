//! How a script wants JSON to be read and written.

/// What a script can choose. Each begins with the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choices {
    pub(super) encode_depth: usize,
    pub(super) decode_depth: usize,
    pub(super) digits: usize,
    /// A list with so many more places than elements is refused, beyond so many places; or an object.
    pub(super) sparse_ratio: usize,
    pub(super) sparse_safe: usize,
    pub(super) sparse_is_object: bool,
    pub(super) invalid: Invalid,
}

/// What becomes of numbers that JSON does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    Refused,
    Null,
    Written,
}

impl Default for Choices {
    fn default() -> Choices {
        Choices {
            encode_depth: 1_000,
            decode_depth: 1_000,
            digits: 14,
            sparse_ratio: 2,
            sparse_safe: 10,
            sparse_is_object: false,
            invalid: Invalid::Refused,
        }
    }
}
