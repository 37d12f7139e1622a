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

/// The password that is the first line of this file. An error is a sentence.
pub(super) fn read(file: &Path) -> Result<Password, String> {
    let name = file.display();
    let mut text = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + 1));
    let read = File::open(file).and_then(|file| file.take(LINE_BYTES_MAX as u64).read_to_end(&mut text));
    read.map_err(|error| format!("cannot read the password file {name}: {error}"))?;
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    check(line, &format!("the password file {name}"))?;
    Ok(Password::of(line))
}

/// Who else may read that file, in a sentence. `None`: nobody.
pub(super) fn warning(file: &Path) -> Option<String> {
    files::open_to_others(file, "the password")
}

/// Where the environment holds a password, this begins the program anew without it and does not return, unless that
/// fails. An error is a sentence. To be called first of all: what runs by then ends.
pub fn leave_environment() -> Result<(), String> {
    // A tool that does one thing and ends asks for none.
    let is_tool = std::env::args_os().nth(1).is_some_and(|first| !first.as_encoded_bytes().starts_with(b"-"));
    let Some(password) = std::env::var_os(VARIABLE).filter(|_| !is_tool) else { return Ok(()) };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let is_flag = |argument: &std::ffi::OsString| argument.as_bytes().starts_with(FLAG.as_bytes());
    if std::env::args_os().any(|argument| is_flag(&argument)) {
        return Err(format!("{VARIABLE} and {FLAG} both have a password: which one?"));
    }
    check(password.as_bytes(), VARIABLE)?;
    let failed = |error: std::io::Error| format!("cannot take {VARIABLE} out of the environment: {error}");
    let inherited = hand_over(password.as_bytes()).map_err(failed)?;
    let mut anew = Command::new("/proc/self/exe");
    anew.arg0(name).args(arguments).arg(format!("{FLAG}=/proc/self/fd/{}", inherited.as_raw_fd()));
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
