//! Memory of large values that nobody has any more: a thread gives its pages back to the system.
//!
//! The loop's thread hands it over where that would take long. What is left without its pages comes back, to be freed
//! by the thread whose allocator has it: that of many freed elsewhere would fall to it at once.

use std::cell::OnceCell;
use std::sync::mpsc::Sender;

use bytes::{Bytes, BytesMut};

use crate::allocator;

thread_local! {
    /// Where this thread hands it over.
    static SLOW: OnceCell<Sender<BytesMut>> = const { OnceCell::new() };
}

/// From here on this thread hands memory that is slow to free to the other end. Only the first call counts.
pub(super) fn hand_over(to: Sender<BytesMut>) {
    SLOW.with(|slow| drop(slow.set(to)));
}

/// Frees a large value that nobody has any more; given to the store.
pub fn free(value: Bytes) {
    if !allocator::is_slow_to_free(value.len()) {
        return;
    }
    let Ok(memory) = value.try_into_mut() else { return };
    // A thread at its end frees it itself, as do those that hand nothing over.
    let _ = SLOW.try_with(|slow| slow.get().map(|slow| slow.send(memory)));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn memory_that_is_slow_to_free_is_handed_over_and_no_other() {
        let (to, handed_over) = channel();
        hand_over(to);
        free(Bytes::from(vec![1; 64]));
        free(Bytes::from(vec![2; 64 << 20]));
        let whole = Bytes::from(vec![3; 64 << 20]);
        free(whole.slice(1..));
        let memory = handed_over.try_iter().map(|memory| (memory.len(), memory[0])).collect::<Vec<_>>();
        assert_eq!(memory, [(64 << 20, 2)], "what somebody has beside us is not");
        assert_eq!(whole.len(), 64 << 20);
    }
}
