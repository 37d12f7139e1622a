//! The build script: which commit a build is of, for `kvstoreapp --version`.
//!
//! `KVSTOREAPP_BUILD_COMMIT` and `KVSTOREAPP_BUILD_DATE` say so where the sources come without their history (an image, a
//! package); else git does. A build for development asks neither of them: it would be made anew with each commit.

use std::path::Path;
use std::process::Command;

/// Digits of a commit that are shown.
const DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let given = ["KVSTOREAPP_BUILD_COMMIT", "KVSTOREAPP_BUILD_DATE"].map(|name| {
        println!("cargo::rerun-if-env-changed={name}");
        std::env::var(name).ok().filter(|value| !value.is_empty())
    });
    let build = match given {
        [Some(commit), Some(date)] => described(&commit, &date),
        [None, None] if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") => of_git(),
        [None, None] => "development build".to_owned(),
        [..] => panic!("KVSTOREAPP_BUILD_COMMIT and KVSTOREAPP_BUILD_DATE are given both or not at all"),
    };
    println!("cargo::rustc-env=KVSTOREAPP_BUILD={build}");
}

fn of_git() -> String {
    // Where these are other files, it is another commit, or may be.
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists());
        path.iter().for_each(|path| println!("cargo::rerun-if-changed={path}"));
    }
    match git(&["log", "-1", "--format=%H %cs"]).as_deref().and_then(|said| said.split_once(' ')) {
        Some((commit, date)) => described(commit, date),
        None => "of an unknown commit".to_owned(),
    }
}

fn described(commit: &str, date: &str) -> String {
    let is_commit = commit.len() >= DIGITS && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_date = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    assert!(is_commit, "{commit} is no commit: {DIGITS} hexadecimal digits at least are wanted");
    assert!(is_date, "{date} is no date: it is written as in 2026-01-31");
    format!("{} {date}", &commit[..DIGITS])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
