//! A numbered history of writes over a set of keys, and the question which beginning of it a state is.

use std::ops::RangeInclusive;

/// splitmix64 (Steele, Lea, Flood, 2014): the same numbers from the same seed everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Writes 1, 2, 3 ... over `keys` keys: each sets or, one in eight, deletes a key, both chosen by seed and number
/// alone, so that no list of them has to be kept.
#[derive(Clone, Copy)]
pub struct History {
    pub seed: u64,
    pub keys: usize,
    pub value_bytes: usize,
}

/// For each key the number of the write that gave it its value, 0 where it has none.
pub type State = Vec<u64>;

impl History {
    pub fn nothing(&self) -> State {
        vec![0; self.keys]
    }

    /// The request that a write is, without its line end.
    pub fn request(&self, number: u64) -> String {
        let (key, deletes) = self.write(number);
        let key = self.key(key);
        if deletes { format!("DELETE {key}") } else { format!("SET {key} {}", self.value(number)) }
    }

    /// Brings a state one write further. Returns whether that changed anything, and so what the answer is.
    pub fn apply(&self, number: u64, state: &mut State) -> bool {
        let (key, deletes) = self.write(number);
        let changes = !deletes || state[key] != 0;
        state[key] = if deletes { 0 } else { number };
        changes
    }

    /// Reads a state from keys and values, in any order. Panics where one is not of this history.
    pub fn state<'a>(&self, rows: impl Iterator<Item = (&'a str, &'a str)>) -> State {
        let mut state = self.nothing();
        for (key, value) in rows {
            let of_key = key.rsplit_once('-').and_then(|(_, index)| index.parse::<usize>().ok());
            let of_value = value.split(' ').next().and_then(|number| number.parse::<u64>().ok());
            let (Some(index), Some(number)) = (of_key, of_value) else { panic!("nobody wrote {key:?} {value:?}") };
            assert_eq!((key, value), (self.key(index).as_str(), self.value(number).as_str()));
            assert_eq!(self.write(number), (index, false), "write {number} was of another key than {key}");
            assert_eq!(state[index], 0, "{key} is there twice");
            state[index] = number;
        }
        state
    }

    /// The last `k` in the range so that `found` is `start` after the writes up to `k`. The range begins at the
    /// number of the last write that `start` is known to hold, or one before the first that follows.
    pub fn beginning_that_is(&self, found: &State, start: &State, first: u64, ks: RangeInclusive<u64>) -> Option<u64> {
        let mut state = start.clone();
        let mut differing = (0..self.keys).filter(|&key| state[key] != found[key]).count();
        let mut last = (differing == 0 && ks.contains(&(first - 1))).then_some(first - 1);
        for number in first..=*ks.end() {
            let (key, _) = self.write(number);
            let differed = state[key] != found[key];
            self.apply(number, &mut state);
            differing = differing + usize::from(state[key] != found[key]) - usize::from(differed);
            if differing == 0 && ks.contains(&number) {
                last = Some(number);
            }
        }
        last
    }

    pub fn key(&self, index: usize) -> String {
        format!("{}-{index}", self.seed)
    }

    fn value(&self, number: u64) -> String {
        let mut value = format!("{number} ");
        value.extend(std::iter::repeat_n('v', self.value_bytes.saturating_sub(value.len())));
        value
    }

    /// Key and whether it is deleted.
    fn write(&self, number: u64) -> (usize, bool) {
        let mut random = Random::new(self.seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        (random.below(self.keys as u64) as usize, random.below(8) == 0)
    }
}
