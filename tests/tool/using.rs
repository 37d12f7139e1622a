//! A tool as somebody uses it: arguments, what it is given to read, what it says, its exit code.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a tool came to.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: Vec<u8>,
    pub err: String,
}

impl Said {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("it is text")
    }
}

/// Runs it to its end.
pub fn tool(arguments: &[&str]) -> Said {
    tool_with(arguments, b"", |command| command)
}

/// ... which reads this, in a command that is changed before.
pub fn tool_with(arguments: &[&str], input: &[u8], change: impl FnOnce(&mut Command) -> &mut Command) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
    command.args(arguments).env_remove("KVSTOREAPP_PASSWORD");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = change(&mut command).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // It need not read all.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("it ends")
    });
    let code = output.status.code().expect("it ends by itself");
    Said { code, out: output.stdout, err: String::from_utf8(output.stderr).expect("it is text") }
}

/// A directory for a test's files.
pub struct Place(pub TempDir);

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir().expect("there is a temporary directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("it is text").to_owned()
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).expect("it is writable");
        self.text(name)
    }

    /// Certificates in a directory of this name.
    pub fn certificates(&self, name: &str) -> PathBuf {
        let said =
            tool(&["certs", "--out", &self.text(name), "--config", &self.file("one.json", crate::harness::ONE_NODE)]);
        assert_eq!(said.code, 0, "{said:?}");
        self.path(name)
    }
}

/// A flag with a file of a directory.
pub fn flag(name: &str, directory: &Path, file: &str) -> String {
    format!("--{name}={}", directory.join(file).display())
}
