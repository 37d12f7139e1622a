//! The default user's password, from a file or from the environment.
//!
//! A file's first line is the password. What stands in the environment of a process can be read there as long as it
//! runs, by whoever may look at the process, and goes to every program that it starts. So it is read once, and the
//! program begins anew without it, the password in a pipe.

use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};
use zeroize::Zeroizing;

use super::environment;
use crate::auth::Password;
use crate::files;

/// Where the environment may hold a password.
const VARIABLE: &str = "KVSTOREAPP_PASSWORD";
/// The flag that names a file.
const FLAG: &str = "--password-file";
/// Longest password: a file that is longer is another one.
const BYTES_MAX: usize = 512;
/// ... with the end of its line. What comes behind it is not looked at.
const LINE_BYTES_MAX: usize = BYTES_MAX + 2;

/// Tools that ask nodes, and so may need a password.
pub(super) const ASKING: [&str; 7] = ["backup", "check", "cli", "export", "import", "status", "watch"];

/// A password in clear. Its bytes do not stay in memory.
pub type Secret = Zeroizing<Vec<u8>>;

/// The password that is the first line of this file. An error is a sentence.
pub(super) fn read(file: &Path) -> Result<Password, String> {
    text(file).map(|line| Password::of(&line))
}

/// ... in clear, for whoever has to say it.
pub(super) fn text(file: &Path) -> Result<Secret, String> {
    let name = file.display();
    let mut text = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + 1));
    let read = File::open(file).and_then(|file| file.take(LINE_BYTES_MAX as u64).read_to_end(&mut text));
    read.map_err(|error| format!("cannot read the password file {name}: {error}"))?;
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    check(line, &format!("the password file {name}"))?;
    Ok(Zeroizing::new(line.to_vec()))
}

/// Who else may read that file, in a sentence. `None`: nobody.
pub(super) fn warning(file: &Path) -> Option<String> {
    files::open_to_others(file, "the password")
}

/// Where the environment holds a password, this begins the program anew without it and does not return, unless that
/// fails. An error is a sentence. To be called first of all: what runs by then ends.
pub fn leave_environment() -> Result<(), String> {
    let Some(password) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let tool = std::env::args_os().nth(1).filter(|first| !first.as_bytes().starts_with(b"-"));
    if tool.as_ref().is_some_and(|tool| !ASKING.iter().any(|&asking| tool == asking)) {
        return Ok(());
    }
    let is_flag = |argument: &std::ffi::OsString| argument.as_bytes().starts_with(FLAG.as_bytes());
    let named = environment::variable(&FLAG[2..]);
    let is_named = std::env::var_os(&named).is_some_and(|value| !value.is_empty());
    if is_named || std::env::args_os().any(|argument| is_flag(&argument)) {
        let other = if is_named { &named } else { FLAG };
        return Err(format!("{VARIABLE} and {other} both have a password: which one?"));
    }
    check(password.as_bytes(), VARIABLE)?;
    let failed = |error: std::io::Error| format!("cannot take {VARIABLE} out of the environment: {error}");
    let inherited = hand_over(password.as_bytes()).map_err(failed)?;
    let mut anew = Command::new("/proc/self/exe");
    // Behind the tool's name: what follows may be a command for a node.
    anew.arg0(name).args(arguments.by_ref().take(usize::from(tool.is_some())));
    anew.arg(format!("{FLAG}=/proc/self/fd/{}", inherited.as_raw_fd())).args(arguments);
    Err(failed(anew.env_remove(VARIABLE).exec()))
}

/// A pipe that holds this, and that what is begun anew has open.
fn hand_over(password: &[u8]) -> std::io::Result<PipeReader> {
    let (reader, mut writer) = pipe()?;
    writer.write_all(password)?;
    fcntl_setfd(&reader, FdFlags::empty())?;
    Ok(reader)
}

fn check(password: &[u8], source: &str) -> Result<(), String> {
    match password.len() {
        0 => Err(format!("{source} is empty: a password is one byte at least")),
        1..=BYTES_MAX if !password.contains(&b'\n') => Ok(()),
        1..=BYTES_MAX => Err(format!("{source} is more than one line")),
        _ => Err(format!("{source} is longer than {BYTES_MAX} bytes")),
    }
}
