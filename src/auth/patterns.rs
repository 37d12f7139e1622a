//! Which keys may be read and written, and which channels used.

use super::mistake::Mistake;
use super::uses::Touch;
use super::words::is_space;
use crate::protocol::glob::{Pattern, Unusable};

/// A pattern as it was written, and to compare with.
#[derive(Clone, Debug)]
struct Text {
    text: Vec<u8>,
    /// `None`: no text matches.
    parsed: Option<Pattern>,
    /// Where the pattern is so many plain bytes and then a star: what most are, and compared without further ado.
    prefix_bytes: Option<usize>,
}

/// Keys that match may be touched so.
#[derive(Clone, Debug)]
struct KeyPattern {
    pattern: Text,
    touch: Touch,
}

/// Which keys.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyPatterns {
    is_all: bool,
    patterns: Vec<KeyPattern>,
}

/// Which channels.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelPatterns {
    is_all: bool,
    patterns: Vec<Text>,
}

impl Text {
    fn parse(text: &[u8]) -> Result<Text, Mistake> {
        if text.iter().any(|&byte| is_space(byte)) {
            return Err(Mistake::Syntax);
        }
        let parsed = match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(Unusable::TooDeep) => None,
            Err(Unusable::TooComplex) => return Err(Mistake::TooComplex),
        };
        let is_plain = |text: &[u8]| !text.is_empty() && !text.iter().any(|byte| b"*?[\\".contains(byte));
        let prefix_bytes = text.strip_suffix(b"*").filter(|prefix| is_plain(prefix)).map(<[u8]>::len);
        Ok(Text { text: text.to_vec(), parsed, prefix_bytes })
    }

    #[inline]
    fn matches(&self, text: &[u8]) -> bool {
        if let Some(bytes) = self.prefix_bytes {
            return text.starts_with(&self.text[..bytes]);
        }
        self.parsed.as_ref().is_some_and(|pattern| pattern.matches(text))
    }

    /// Whether it matches every text that begins so.
    fn matches_all_after(&self, prefix: &[u8]) -> bool {
        let stars = self.text.iter().rev().take_while(|&&byte| byte == b'*').count();
        if stars == self.text.len() {
            return stars > 0;
        }
        // What ends with a star goes on to match whatever follows. A backslash or a class around it would take it for
        // itself.
        let is_plain = !self.text.iter().any(|byte| b"\\[".contains(byte));
        stars > 0 && is_plain && self.matches(prefix)
    }
}

impl KeyPatterns {
    pub(super) fn set_all(&mut self, is_all: bool) {
        *self = KeyPatterns { is_all, patterns: Vec::new() };
    }

    pub(super) fn is_all(&self) -> bool {
        self.is_all
    }

    /// One more, as it stands behind `~` or, with what may be done, behind `%`.
    pub(super) fn add(&mut self, text: &[u8], touch: Touch) -> Result<(), Mistake> {
        if self.is_all {
            return Err(Mistake::AllKeys);
        }
        let pattern = Text::parse(text)?;
        match self.patterns.iter_mut().find(|known| known.pattern.text == text) {
            Some(known) => known.touch = known.touch.and(touch),
            None => self.patterns.push(KeyPattern { pattern, touch }),
        }
        Ok(())
    }

    /// Whether the key may be touched so.
    #[inline]
    pub(super) fn allow(&self, key: &[u8], touch: Touch) -> bool {
        self.is_all || self.patterns.iter().any(|known| known.touch.has(touch) && known.pattern.matches(key))
    }

    /// Whether every key that begins so may be touched so.
    pub(super) fn allow_all_after(&self, prefix: &[u8], touch: Touch) -> bool {
        let allows = |known: &KeyPattern| known.touch.has(touch) && known.pattern.matches_all_after(prefix);
        self.is_all || self.patterns.iter().any(allows)
    }

    /// As rules.
    pub(super) fn rules(&self) -> Vec<Vec<u8>> {
        if self.is_all {
            return vec![b"~*".to_vec()];
        }
        let rule = |known: &KeyPattern| [known.touch.prefix().as_bytes(), &known.pattern.text].concat();
        self.patterns.iter().map(rule).collect()
    }
}

impl ChannelPatterns {
    pub(super) fn set_all(&mut self, is_all: bool) {
        *self = ChannelPatterns { is_all, patterns: Vec::new() };
    }

    pub(super) fn is_all(&self) -> bool {
        self.is_all
    }

    /// One more, as it stands behind `&`.
    pub(super) fn add(&mut self, text: &[u8]) -> Result<(), Mistake> {
        if self.is_all {
            return Err(Mistake::AllChannels);
        }
        let pattern = Text::parse(text)?;
        if !self.patterns.iter().any(|known| known.text == text) {
            self.patterns.push(pattern);
        }
        Ok(())
    }

    /// Whether this channel may be used.
    pub(super) fn allow(&self, channel: &[u8]) -> bool {
        self.is_all || self.patterns.iter().any(|known| known.matches(channel))
    }

    /// Whether channels that match this pattern may be listened to: one of those that are allowed has to be the same.
    pub(super) fn allow_pattern(&self, pattern: &[u8]) -> bool {
        self.is_all || self.patterns.iter().any(|known| known.text == pattern)
    }

    /// As rules.
    pub(super) fn rules(&self) -> Vec<Vec<u8>> {
        if self.is_all {
            return vec![b"&*".to_vec()];
        }
        self.patterns.iter().map(|known| [b"&", &known.text[..]].concat()).collect()
    }
}
