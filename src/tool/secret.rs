//! A secret for the nodes of a cluster: 32 bytes that the system draws, as text.

use std::path::Path;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use super::made::{self, Made, Outcome};
use crate::config::SecretArguments;
use crate::secrets;

/// Draws one. What is printed: it, or that it is in its file. An error is a sentence.
pub(super) fn make(arguments: &SecretArguments) -> Result<String, String> {
    let secret = draw()?;
    let Some(path) = &arguments.out else { return Ok(secret) };
    let said = path.display();
    let name = path.file_name().ok_or_else(|| format!("{said} is no name of a file"))?;
    let name = name.to_str().ok_or_else(|| format!("{said} is no text"))?.to_owned();
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = [Made { name, text: format!("{secret}\n") }];
    match made::write(directory, &files, arguments.if_missing)? {
        Outcome::Written => Ok(format!("made {said}")),
        Outcome::Kept => Ok(format!("{said} is there already, and stays")),
    }
}

fn draw() -> Result<String, String> {
    let secret = secrets::make(|bytes| {
        let mut filled = 0;
        while filled < bytes.len() {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        Ok(())
    });
    secret.map(|secret| secret.to_string()).map_err(|error: Errno| format!("the system draws no random bytes: {error}"))
}
