//! Deliberate mistakes that tests switch on, one at a time, to show that they would be found.
//!
//! Compiled only with the feature `planted-faults`; without it every switch is the constant `false`.

#[cfg(feature = "planted-faults")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

/// Switches one mistake on for this thread, and all others off.
#[cfg(feature = "planted-faults")]
pub fn plant(name: Option<&'static str>) {
    PLANTED.set(name);
}

/// Whether this mistake is switched on.
#[cfg(feature = "planted-faults")]
pub fn is(name: &str) -> bool {
    PLANTED.get() == Some(name)
}

/// Whether this mistake is switched on: never.
#[cfg(not(feature = "planted-faults"))]
pub const fn is(_name: &str) -> bool {
    false
}
