//! What was typed, for the next time: a file of its own user, without a line that has a secret in it.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

/// Lines that are kept.
pub(super) const LINES_MAX: usize = 1_000;

/// Where it is, below a directory that is there from here on; `None` where nobody says where one's files go.
pub(super) fn file() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    // A relative one is no valid one (XDG Base Directory Specification).
    let state = named("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let directory = state.or_else(|| named("HOME").map(|home| home.join(".local/state")))?.join("kvstoreapp");
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
    let file = directory.join("history");
    // Somebody may have made it with other permissions.
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&file).ok()?;
    opened.set_permissions(Permissions::from_mode(0o600)).ok()?;
    Some(file)
}

/// Whether a line may be kept. A quote that does not end hides nothing, so words are looked for however they are written.
pub(super) fn may_be_kept(line: &str) -> bool {
    let plain = |char: char| !matches!(char, '"' | '\'' | '\\');
    let lower: String = line.chars().filter(|&char| plain(char)).collect::<String>().to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let is_secret = match &words[..] {
        ["auth", ..] | ["acl", "setuser", ..] => true,
        ["hello", rest @ ..] => rest.contains(&"auth"),
        ["config", "set", rest @ ..] => {
            rest.iter().step_by(2).any(|name| name.contains("pass") || name.contains("auth") || name.contains("secret"))
        }
        // In JSON.
        _ => lower.trim_start().starts_with('{'),
    };
    // An escape may spell any of these.
    !is_secret && !line.trim_start().starts_with(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_secret_is_not_kept() {
        for line in [
            "AUTH sesame",
            " auth default sesame",
            "\"AUTH\" sesame",
            "\"\\x41UTH\" sesame",
            "AUTH \"sesame",
            "ACL SETUSER ada on >sesame",
            "acl  setuser ada",
            "HELLO 3 AUTH default sesame",
            "CONFIG SET requirepass sesame",
            "config set maxmemory 1 masterauth sesame",
            "{\"op\":\"auth\",\"password\":\"sesame\"}",
        ] {
            assert!(!may_be_kept(line), "{line}");
        }
        for line in ["GET auth", "HELLO 3", "ACL LIST", "CONFIG SET maxmemory 1", "SET a \"b c\"", "help auth"] {
            assert!(may_be_kept(line), "{line}");
        }
    }
}
