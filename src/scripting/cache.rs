//! Scripts that were compiled: by the digest of their text, as clients name them.
//!
//! As in Redis 7.4, one that was run by its text is forgotten when many others were since, and one that was loaded stays
//! until all are flushed.

use std::collections::BTreeMap;

use mlua::Function;
use sha1::{Digest as _, Sha1};

use super::shebang::Shebang;
use crate::protocol::hex;

/// Scripts that were run by their text, and the bytes of their texts.
const EVALUATED_MAX: usize = 500;
const EVALUATED_BYTES_MAX: usize = 4 << 20;
/// Scripts that were loaded, and the bytes of their texts.
const LOADED_MAX: usize = 10_000;
const LOADED_BYTES_MAX: usize = 32 << 20;

/// A text's SHA-1.
pub type Digest = [u8; 20];

/// The digest of a script.
pub fn digest_of(text: &[u8]) -> Digest {
    Sha1::digest(text).into()
}

/// The digest that is written so; `None` where that is none.
pub fn parse_digest(text: &[u8]) -> Option<Digest> {
    hex::read(text)
}

/// A script that was compiled.
pub(super) struct Script {
    pub(super) function: Function,
    pub(super) shebang: Shebang,
    text_bytes: usize,
    is_loaded: bool,
    used: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Cache {
    scripts: BTreeMap<Digest, Script>,
    /// Texts and scripts, of those evaluated and of those loaded.
    evaluated: Total,
    loaded: Total,
    uses: u64,
    evicted: u64,
}

#[derive(Clone, Copy, Default)]
struct Total {
    scripts: usize,
    bytes: usize,
}

impl Total {
    fn add(&mut self, bytes: usize) {
        self.scripts += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.scripts -= 1;
        self.bytes -= bytes;
    }
}

impl Cache {
    /// The script, which is about to be used.
    pub(super) fn find(&mut self, digest: &Digest) -> Option<&Script> {
        self.uses += 1;
        let script = self.scripts.get_mut(digest)?;
        script.used = self.uses;
        Some(script)
    }

    /// Whether the script is there.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.scripts.contains_key(digest)
    }

    /// The script, which was loaded, stays.
    pub(super) fn keep(&mut self, digest: &Digest) {
        if let Some(script) = self.scripts.get_mut(digest).filter(|script| !script.is_loaded) {
            script.is_loaded = true;
            self.evaluated.remove(script.text_bytes);
            self.loaded.add(script.text_bytes);
        }
    }

    /// Whether one more may be loaded.
    pub(super) fn has_room_for(&self, text_bytes: usize) -> bool {
        self.loaded.scripts < LOADED_MAX && self.loaded.bytes + text_bytes <= LOADED_BYTES_MAX
    }

    /// One more that is run by its text.
    pub(super) fn add(&mut self, digest: Digest, function: Function, shebang: Shebang, text_bytes: usize) {
        self.uses += 1;
        self.evaluated.add(text_bytes);
        let script = Script { function, shebang, text_bytes, is_loaded: false, used: self.uses };
        self.scripts.insert(digest, script);
        while self.evaluated.scripts > EVALUATED_MAX || self.evaluated.bytes > EVALUATED_BYTES_MAX {
            let evaluated = self.scripts.iter().filter(|(_, script)| !script.is_loaded);
            let Some(oldest) = evaluated.min_by_key(|(_, script)| script.used).map(|(digest, _)| *digest) else {
                return;
            };
            if let Some(script) = self.scripts.remove(&oldest) {
                self.evaluated.remove(script.text_bytes);
                self.evicted += 1;
            }
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        let evicted = self.evicted;
        *self = Cache { evicted, ..Cache::default() };
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Bytes of their texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.evaluated.bytes + self.loaded.bytes
    }

    /// How many were forgotten to make room.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}
