//! The arguments of a request.

use std::ops::{Index, Range};

/// The arguments of a request: parts of one text.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    text: &'a [u8],
    spans: &'a [Range<usize>],
}

/// Where a dialect puts the arguments of a request that do not lie in the bytes that came as they are, and where each
/// argument is. Used again for every request.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Unescaped arguments.
    pub text: Vec<u8>,
    /// The arguments.
    pub spans: Vec<Range<usize>>,
}

impl Scratch {
    /// Adds an argument that does not lie in the bytes that came.
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(arg);
        self.spans.push(start..self.text.len());
    }

    /// Forgets the arguments. A large text is not kept.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.text.clear();
        self.text.shrink_to(1 << 14);
        self.spans.shrink_to(1 << 10);
    }

    /// The arguments, where they were pushed.
    pub fn args(&self) -> Args<'_> {
        Args { text: &self.text, spans: &self.spans }
    }
}

impl<'a> Args<'a> {
    /// Parts of a text.
    pub fn new(text: &'a [u8], spans: &'a [Range<usize>]) -> Args<'a> {
        Args { text, spans }
    }

    /// Where in the text they are.
    pub fn spans(self) -> &'a [Range<usize>] {
        self.spans
    }

    /// How many, the name counted.
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Never where they come from a dialect.
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// An argument, if there are so many.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| &self.text[span.clone()])
    }

    /// An argument that is there.
    pub fn at(self, index: usize) -> &'a [u8] {
        &self.text[self.spans[index].clone()]
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.spans.iter().map(move |span| &self.text[span.clone()])
    }

    /// Those from a place on.
    pub fn from(self, index: usize) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.iter().skip(index)
    }

    /// Those from a place on, as a request of their own.
    pub fn rest(self, index: usize) -> Args<'a> {
        Args { text: self.text, spans: &self.spans[index..] }
    }

    /// Bytes of all of them.
    pub fn bytes(self) -> usize {
        self.spans.iter().map(Range::len).sum()
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}
