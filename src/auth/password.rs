//! Passwords, of which nothing but a hash is kept.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::fault_injection;
use crate::protocol::hex;

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// The SHA-256 of a password: what Redis keeps, so that its ACL files can be read. It is as good as the password is
/// long: one of 64 random characters, as `ACL GENPASS` makes them, cannot be found by trying.
///
/// Not `PartialEq`: whoever compares does it in constant time, by [`Password::is`].
#[derive(Clone, Copy)]
pub struct Password([u8; HASH_BYTES]);

impl Password {
    /// Of this password.
    pub fn of(text: &[u8]) -> Password {
        Password(Sha256::digest(text).into())
    }

    /// A hash as it is written: 64 hexadecimal digits in small letters.
    pub fn from_hex(text: &[u8]) -> Option<Password> {
        if text.iter().any(u8::is_ascii_uppercase) { None } else { hex::read(text).map(Password) }
    }

    /// As [`Password::from_hex`] reads it.
    pub fn hex(&self) -> String {
        hex::written(&self.0)
    }

    /// Whether it is the same. Takes the same time wherever the two differ.
    pub fn is(&self, other: &Password) -> bool {
        self.compare(other, &mut 0).into()
    }

    /// The same as [`Password::is`], and how many bytes were looked at.
    fn compare(&self, other: &Password, looked_at: &mut usize) -> Choice {
        if fault_injection::is("a comparison of passwords stops at the first byte that differs") {
            let same = self.0.iter().zip(&other.0).take_while(|(a, b)| a == b).count();
            *looked_at += (same + 1).min(HASH_BYTES);
            return Choice::from(u8::from(same == HASH_BYTES));
        }
        *looked_at += HASH_BYTES;
        self.0.ct_eq(&other.0)
    }

    /// How many bytes [`Password::is`] looks at.
    pub fn compared_bytes(&self, other: &Password) -> usize {
        let mut looked_at = 0;
        let _same = self.compare(other, &mut looked_at);
        looked_at
    }
}

impl std::fmt::Debug for Password {
    /// Nothing of it: a log is no place for it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_its_sha_256() {
        let hex = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(Password::of(b"secret").hex(), hex);
        assert!(Password::from_hex(hex.as_bytes()).is_some_and(|hash| hash.is(&Password::of(b"secret"))));
        assert!(!Password::of(b"secret").is(&Password::of(b"secret ")));
        for wrong in [&hex[1..], &hex.to_uppercase(), &format!("{hex}0"), &hex.replace('2', "g"), ""] {
            assert!(Password::from_hex(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert_eq!(format!("{:?}", Password::of(b"secret")), "(redacted)");
    }
}
