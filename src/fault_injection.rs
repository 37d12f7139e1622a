//! Deliberate mistakes that tests switch on, one at a time, to show that they would be found.
//!
//! Compiled only with the feature `fault-injection`; without it every switch is the constant `false`.

#[cfg(feature = "fault-injection")]
thread_local! {
    static INJECTED: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

/// Switches one mistake on for this thread, and all others off.
#[cfg(feature = "fault-injection")]
pub fn inject(name: Option<&'static str>) {
    INJECTED.set(name);
}

/// Whether this mistake is switched on.
#[cfg(feature = "fault-injection")]
pub fn is(name: &str) -> bool {
    INJECTED.get() == Some(name)
}

/// Whether this mistake is switched on: never.
#[cfg(not(feature = "fault-injection"))]
pub const fn is(_name: &str) -> bool {
    false
}
