//! A unix socket to be listened on, as flags describe it.

use std::path::PathBuf;

use crate::node::options::LocalAddress;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Where it is.
    pub path: PathBuf,
    /// The file's permissions.
    pub mode: u32,
}

impl UnixSocket {
    /// As the node shows it to who asks.
    pub(super) fn shown(&self) -> LocalAddress {
        LocalAddress { path: self.path.display().to_string(), mode: self.mode }
    }
}

/// Permissions of a file in octal digits.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    let is_octal = (1..=4).contains(&text.len()) && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = u32::from_str_radix(text, 8).ok().filter(|&mode| is_octal && mode <= 0o777);
    mode.ok_or_else(|| "permissions in octal digits are wanted, such as 700 or 770".to_owned())
}
