//! The cluster's secrets: the file they lie in, and what is proven with them.
//!
//! A secret is a line of text that nobody can guess: 32 random bytes, as `kvstoreapp secret` prints them, or as any other
//! program does. What is not as long as those in the shortest usual form, base64, is refused: a password could be
//! guessed by whoever has recorded a proof. The file holds one secret, or two while one is exchanged for another: the
//! first proves, both verify.

use std::fmt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::files;
use crate::replication::Secrets;
use crate::replication::wire::PROOF_BYTES;

/// Bytes of a secret that is made here.
const RANDOM_BYTES: usize = 32;
/// Characters of a secret: as many as 32 bytes are in base64 at least, and not a whole file of something else.
const LENGTHS: std::ops::RangeInclusive<usize> = 43..=1_024;
/// Secrets at once.
const SECRETS_MAX: usize = 2;
/// A file of secrets is not longer.
const FILE_BYTES_MAX: u64 = 4 << 10;

/// See the module. Invariant: one or two.
#[derive(Clone)]
pub struct ClusterSecrets(Vec<Zeroizing<Vec<u8>>>);

/// The file that they are in.
#[derive(Clone, Debug)]
pub struct SecretFile {
    path: PathBuf,
}

/// What came of reading the file once more.
pub struct Reading {
    /// The secrets, or what is wrong with it.
    pub secrets: Result<ClusterSecrets, String>,
    /// Who else may have read it.
    pub warning: Option<String>,
}

impl ClusterSecrets {
    /// From the text of a file. An error is a sentence without any part of it.
    pub fn parse(text: &str) -> Result<ClusterSecrets, String> {
        let mut secrets = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), place + 1);
            if line.is_empty() {
                continue;
            }
            if !line.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!("line {number} has something else than letters, digits and signs"));
            }
            if !LENGTHS.contains(&line.len()) {
                let (count, least, most) = (line.len(), LENGTHS.start(), LENGTHS.end());
                return Err(format!("line {number} has {count} characters, and a secret has {least} to {most}"));
            }
            secrets.push(Zeroizing::new(line.as_bytes().to_vec()));
        }
        match secrets.len() {
            0 => Err("it is empty".to_owned()),
            1..=SECRETS_MAX => Ok(ClusterSecrets(secrets)),
            count => Err(format!("it has {count} lines, and at most two secrets are known at once")),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// A secret, as text. `fill` fills a place with random bytes.
pub fn make<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Zeroizing<String>, E> {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    fill(&mut *bytes)?;
    let mut text = Zeroizing::new(String::with_capacity(2 * RANDOM_BYTES));
    for byte in bytes.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    Ok(text)
}

impl SecretFile {
    /// The file at this path.
    pub fn new(path: PathBuf) -> SecretFile {
        SecretFile { path }
    }

    /// Reads them. An error is a sentence.
    pub fn read(&self) -> Result<ClusterSecrets, String> {
        let name = self.path.display();
        let said = |why: &dyn fmt::Display| {
            format!("the file of the cluster's secret, {name}: {why}; kvstoreapp secret makes one")
        };
        let bytes = files::read(&self.path, FILE_BYTES_MAX).map_err(|error| said(&error))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| said(&"it is no text"))?;
        ClusterSecrets::parse(text).map_err(|why| said(&why))
    }

    /// Reads them, and looks who else may.
    pub fn read_again(&self) -> Reading {
        Reading { secrets: self.read(), warning: files::open_to_others(&self.path, "the cluster's secret") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Secrets for ClusterSecrets {
    fn prove(&self, statement: &[u8]) -> [u8; PROOF_BYTES] {
        mac(&self.0[0], statement).finalize().into_bytes().into()
    }

    fn verify(&self, statement: &[u8], proof: &[u8; PROOF_BYTES]) -> bool {
        self.0.iter().any(|secret| mac(secret, statement).verify_slice(proof).is_ok())
    }
}

/// Nothing of them.
impl fmt::Debug for ClusterSecrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} secrets", self.0.len())
    }
}

fn mac(secret: &[u8], statement: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(secret).expect("a key may have any length").chain_update(statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdef0123456789abcdef0123456789a";

    #[test]
    fn one_line_or_two_are_secrets_and_anything_else_is_refused_without_a_word_of_it() {
        let other = LONG.to_uppercase();
        for (text, count) in
            [(LONG.to_owned(), 1), (format!("{LONG}\n"), 1), (format!("\n  {LONG}\r\n\n{other}\r\n"), 2)]
        {
            assert_eq!(ClusterSecrets::parse(&text).map(|secrets| secrets.count()), Ok(count), "{text:?}");
        }
        for text in ["", "\n \n", &LONG[1..], &format!("{LONG}\nshort"), &format!("{LONG} {LONG}"), &"x".repeat(1_025)]
        {
            let why = ClusterSecrets::parse(text).expect_err(text);
            assert!(!why.contains("0123") && !why.contains("short"), "{why}");
        }
        assert!(ClusterSecrets::parse(&format!("{LONG}\n{other}\n{LONG}")).is_err());
    }

    #[test]
    fn the_first_secret_proves_and_both_verify() {
        let [old, new] = [LONG.to_owned(), LONG.to_uppercase()];
        let secrets = |text: &str| ClusterSecrets::parse(text).expect("they are long enough");
        let (before, after) = (secrets(&old), secrets(&new));
        let (adding, swapped) = (secrets(&format!("{old}\n{new}")), secrets(&format!("{new}\n{old}")));
        assert_eq!(before.prove(b"a"), adding.prove(b"a"));
        assert_eq!(after.prove(b"a"), swapped.prove(b"a"));
        for (prover, verifier, is_proven) in [
            (&before, &adding, true),
            (&adding, &before, true),
            (&adding, &swapped, true),
            (&swapped, &adding, true),
            (&after, &swapped, true),
            (&swapped, &after, true),
            (&before, &after, false),
            (&swapped, &before, false),
        ] {
            assert_eq!(verifier.verify(b"a", &prover.prove(b"a")), is_proven, "{prover:?}, {verifier:?}");
            assert!(!verifier.verify(b"b", &prover.prove(b"a")));
        }
        let mut proof = before.prove(b"a");
        proof[31] ^= 1;
        assert!(!before.verify(b"a", &proof));
    }

    /// RFC 4231, test case 2, would be too short a key; case 6 has one of 131 bytes.
    #[test]
    fn a_proof_is_the_hmac_of_rfc_4231() {
        let secrets = ClusterSecrets(vec![Zeroizing::new(vec![0xaa; 131])]);
        let proof = secrets.prove(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(proof[..8], [0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f]);
    }

    #[test]
    fn a_secret_that_is_made_is_long_enough_and_has_all_of_the_random_bytes() {
        let fill = |place: &mut [u8]| -> Result<(), ()> {
            place.iter_mut().zip(0_u8..).for_each(|(byte, at)| *byte = at.wrapping_mul(9));
            Ok(())
        };
        let text = make(fill).expect("it is filled");
        assert!(text.starts_with("0009121b24"), "{text:?}");
        assert_eq!(text.len(), 64);
        assert!(ClusterSecrets::parse(&text).is_ok());
        assert!(make(|_| Err(())).is_err());
    }
}
