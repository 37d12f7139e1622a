//! Ctrl-C as a flag, for tools that have something to do before they go on or end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;
use signal_hook::flag;

/// From here on Ctrl-C does not end the program, and raises this. An error is a sentence.
pub(super) fn catch() -> Result<Arc<AtomicBool>, String> {
    let raised = Arc::new(AtomicBool::new(false));
    flag::register(SIGINT, Arc::clone(&raised)).map_err(|error| format!("cannot catch Ctrl-C: {error}"))?;
    Ok(raised)
}
