//! Large values given to keys: whom their memory goes to once nobody has them any more.

use bytes::Bytes;

use super::entry::Entry;
use super::value::{Free, owned};
use super::{Expiry, Stamp, Store, Value};

impl Store {
    /// Has large values that nobody has any more freed so from here on.
    #[must_use]
    pub fn freeing_by(self, free: Free) -> Store {
        Store { free, ..self }
    }

    /// A value that is to be given to a key from where it lies, without a copy.
    pub fn own(&self, value: Vec<u8>) -> Bytes {
        owned(value.into(), self.free)
    }

    pub(super) fn entry_of(&self, key: &[u8], value: Option<Value<'_>>, expiry: Expiry, stamp: Stamp) -> Entry {
        let large = self.large(value);
        Entry::new(self.selected(), key, large.as_ref().map(Value::from).or(value), expiry, stamp)
    }

    /// The memory to keep a value in, where it is large.
    pub(super) fn large(&self, value: Option<Value<'_>>) -> Option<Bytes> {
        value.filter(|value| value.is_large()).map(|value| value.keep(self.free))
    }
}
