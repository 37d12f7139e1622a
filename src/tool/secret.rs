//! A secret for the nodes of a cluster: 32 bytes that the system draws, as text.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::secrets;

/// What is printed. An error is a sentence.
pub(super) fn make() -> Result<String, String> {
    let secret = secrets::make(|bytes| {
        let mut filled = 0;
        while filled < bytes.len() {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        Ok(())
    });
    secret.map(|secret| secret.to_string()).map_err(|error: Errno| format!("the system draws no random bytes: {error}"))
}
