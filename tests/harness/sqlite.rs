//! The data file as the `sqlite3` command sees it: somebody else's reading of the same bytes.

use std::path::Path;
use std::process::Command;

/// Runs SQL on a file and returns what is printed, columns parted by tabs.
pub fn sqlite3(file: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3")
        .args(["-batch", "-bail", "-separator", "\t", "-cmd", ".timeout 60000"])
        .arg(file)
        .arg(sql)
        .output()
        .expect("sqlite3 is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "sqlite3 {} '{sql}': {complaint}", file.display());
    String::from_utf8(output.stdout).expect("the test's data is text")
}

/// Checks what a crash left. A copy is checked, so that the node itself is the first to recover the original.
pub fn assert_is_intact(file: &Path) {
    let scratch = tempfile::tempdir().expect("there is a temporary directory");
    let copy = scratch.path().join("backup.db");
    std::fs::copy(file, &copy).expect("the data file is there");
    let log = file.with_extension("db-wal");
    if log.exists() {
        std::fs::copy(log, scratch.path().join("backup.db-wal")).expect("the log can be read");
    }
    assert_eq!(sqlite3(&copy, "PRAGMA integrity_check").trim(), "ok");
}
