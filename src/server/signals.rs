//! Signals, beside those that end the node or have it read its configuration again: what nobody means to end it with does
//! not end it.
//!
//! By default Linux ends a process for nearly every signal. SIGXFSZ comes where a file would grow beyond a limit (`ulimit
//! -f`): held, the write fails as on any disk that fails. SIGUSR1 and SIGUSR2 are what scripts send to have a log opened
//! again; SIGALRM, SIGVTALRM, SIGPROF and SIGIO come from timers and files that the node does not have. SIGPIPE is held by
//! Rust's runtime. SIGQUIT and SIGABRT go on to end the process at once, with a core: that is what they are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGALRM, SIGHUP, SIGIO, SIGPROF, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ};
use signal_hook::flag;

/// Whether the configuration is to be read again, by a SIGHUP that came before the server was there.
static HUNG_UP: AtomicBool = AtomicBool::new(false);

/// From here on these do not end the process. First of all: a SIGHUP may come before the configuration is read.
pub fn hold() -> std::io::Result<()> {
    flag::register(SIGHUP, &HUNG_UP)?;
    for signal in [SIGXFSZ, SIGXCPU, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO] {
        flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// Whether a SIGHUP has come since [`hold`], or the last call.
pub(super) fn was_hung_up() -> bool {
    HUNG_UP.swap(false, Ordering::AcqRel)
}
