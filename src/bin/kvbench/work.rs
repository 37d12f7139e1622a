//! Which requests are sent, as bytes.

use std::io::Write;

use crate::options::{Dialect, Distribution, Options};

/// Skew of the zipfian distribution; 1 itself has no closed form.
const SKEW: f64 = 0.99;

/// Draws keys and writes requests.
pub struct Work {
    dialect: Dialect,
    keys: u64,
    key_bytes: usize,
    value: Vec<u8>,
    reads: f64,
    zipf: Option<Zipf>,
    random: fastrand::Rng,
}

/// Gray et al., "Quickly Generating Billion-Record Synthetic Databases", 1994.
struct Zipf {
    alpha: f64,
    zeta: f64,
    eta: f64,
}

impl Zipf {
    fn new(keys: u64) -> Zipf {
        let zeta_of = |count: u64| (1..=count).map(|rank| (rank as f64).powf(-SKEW)).sum::<f64>();
        let (zeta, zeta_of_two) = (zeta_of(keys), zeta_of(2));
        let eta = (1.0 - (2.0 / keys as f64).powf(1.0 - SKEW)) / (1.0 - zeta_of_two / zeta);
        Zipf { alpha: 1.0 / (1.0 - SKEW), zeta, eta }
    }

    /// A rank below `keys`, the most frequent one being 0.
    fn draw(&self, keys: u64, chance: f64) -> u64 {
        let scaled = chance * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(SKEW) {
            return 1.min(keys - 1);
        }
        let rank = keys as f64 * (self.eta * chance - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(keys - 1)
    }
}

impl Work {
    pub fn new(options: &Options) -> Work {
        Work {
            dialect: options.dialect,
            keys: options.keys,
            key_bytes: options.key_bytes as usize,
            value: vec![b'v'; options.value_bytes as usize],
            reads: options.reads,
            zipf: (options.distribution == Distribution::Zipfian).then(|| Zipf::new(options.keys)),
            random: fastrand::Rng::with_seed(options.seed),
        }
    }

    /// The next request.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        let chance = self.random.f64();
        let number = match &self.zipf {
            Some(zipf) => zipf.draw(self.keys, chance),
            None => (chance * self.keys as f64) as u64,
        };
        if self.random.f64() < self.reads {
            self.get(number, out);
        } else {
            // Values differ, or a server could tell that nothing changes.
            let place = self.random.usize(..self.value.len());
            self.value[place] = self.random.lowercase() as u8;
            self.set(number, out);
        }
    }

    /// Writes this key.
    pub fn set(&self, number: u64, out: &mut Vec<u8>) {
        let (width, bytes) = (self.key_bytes - 4, self.value.len());
        let head = match self.dialect {
            Dialect::Line => write!(out, "SET key:{number:0width$} "),
            Dialect::Resp => {
                let key_bytes = self.key_bytes;
                write!(out, "*3\r\n$3\r\nSET\r\n${key_bytes}\r\nkey:{number:0width$}\r\n${bytes}\r\n")
            }
            Dialect::Memcached => write!(out, "set key:{number:0width$} 0 0 {bytes}\r\n"),
        };
        head.expect("memory takes all");
        out.extend_from_slice(&self.value);
        out.extend_from_slice(if self.dialect == Dialect::Line { b"\n" } else { b"\r\n" });
    }

    fn get(&self, number: u64, out: &mut Vec<u8>) {
        let width = self.key_bytes - 4;
        let written = match self.dialect {
            Dialect::Line => writeln!(out, "GET key:{number:0width$}"),
            Dialect::Resp => {
                write!(out, "*2\r\n$3\r\nGET\r\n${}\r\nkey:{number:0width$}\r\n", self.key_bytes)
            }
            Dialect::Memcached => write!(out, "get key:{number:0width$}\r\n"),
        };
        written.expect("memory takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_zipfian_distribution_is_drawn_as_often_as_it_should() {
        let (zipf, mut random) = (Zipf::new(1_000), fastrand::Rng::with_seed(1));
        let mut counts = [0; 1_000];
        (0..100_000).for_each(|_| counts[zipf.draw(1_000, random.f64()) as usize] += 1);
        let expected = 100_000.0 / zipf.zeta;
        assert!((f64::from(counts[0]) - expected).abs() < expected / 20.0, "{} of {expected}", counts[0]);
        assert!(counts[0] > counts[10] && counts[10] > counts[500]);
    }
}
