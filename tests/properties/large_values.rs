//! Who frees the memory of large values, and how often.

use std::cell::RefCell;
use std::num::NonZeroU64;

use bytes::Bytes;
use kvstoreapp::store::value::SHARED_BYTES_MIN;
use kvstoreapp::store::{Change, Database, Restore, Stamp, Store, Value};

thread_local! {
    /// Lengths of what was freed.
    static FREED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn free(value: Bytes) {
    FREED.with_borrow_mut(|freed| freed.push(value.len()));
    // Nobody has it beside us.
    value.try_into_mut().expect("it is the last of it");
}

fn freed() -> Vec<usize> {
    FREED.take()
}

fn stamp(clock: u64) -> Stamp {
    Stamp { clock, node: 0 }
}

fn store() -> Store {
    Store::new([1, 2], 0, 1).freeing_by(free)
}

#[test]
fn a_large_value_is_freed_once_by_whom_the_store_was_given() {
    let mut store = store();
    let large = |more: usize| vec![b'x'; SHARED_BYTES_MIN + more];
    // Copied, a part of a request, taken over where it lies, and of another node.
    store.set(b"a", &large(1), stamp(1)).expect("there is room");
    let request = Bytes::from(large(20));
    store.set(b"b", Value::from(&request).part(10..SHARED_BYTES_MIN + 12), stamp(2)).expect("there is room");
    let own = store.own(large(3));
    let place = own.as_ptr();
    store.set(b"c", &own, stamp(3)).expect("there is room");
    store.apply(b"d", Some(Value::from(&large(4))), None, stamp(4)).expect("there is room");
    drop((request, own));
    assert_eq!(store.get(b"c").map(<[u8]>::as_ptr), Some(place), "no copy");
    assert!(freed().is_empty());

    store.set(b"a", b"small", stamp(5)).expect("there is room");
    assert_eq!(freed(), [SHARED_BYTES_MIN + 1]);
    // Whoever still sends it is the last to have it.
    let lent = store.value(b"b").expect("it is there").lend();
    store.delete(b"b", stamp(6));
    assert!(freed().is_empty());
    drop(lent);
    assert_eq!(freed(), [SHARED_BYTES_MIN + 2]);
    store.apply(b"c", None, None, stamp(7)).expect("there is room");
    assert_eq!(freed(), [SHARED_BYTES_MIN + 3]);
    drop(store);
    assert_eq!(freed(), [SHARED_BYTES_MIN + 4]);
}

#[test]
fn a_value_that_moves_from_key_to_key_is_not_owned_again() {
    let mut store = store();
    store.set(b"0", &vec![b'x'; SHARED_BYTES_MIN], stamp(1)).expect("there is room");
    // Owners around owners would be as many to go through at the end.
    for clock in 2..100_000 {
        let value = store.value(b"0").expect("it is there").lend();
        store.set_expiring(b"0", Value::from(&value), clock, stamp(clock)).expect("there is room");
    }
    assert!(freed().is_empty());
    drop(store);
    assert_eq!(freed(), [SHARED_BYTES_MIN]);
}

#[test]
fn small_values_and_small_parts_are_copied_and_freed_with_their_entry() {
    let mut store = store();
    let whole = Bytes::from(vec![b'x'; 10 * SHARED_BYTES_MIN]);
    store.set(b"a", Value::from(&whole).part(0..SHARED_BYTES_MIN - 1), stamp(1)).expect("there is room");
    let part = Value::from(&whole).part(0..SHARED_BYTES_MIN);
    store.set(b"b", part, stamp(2)).expect("there is room");
    assert_ne!(store.get(b"b").map(<[u8]>::as_ptr), Some(part.as_ptr()), "too small a part to keep the whole");
    assert!(whole.is_unique());
    drop(store);
    assert_eq!(freed(), [SHARED_BYTES_MIN]);
}

#[test]
fn what_was_restored_is_freed_so_too() {
    let mut restore = Restore::new([1, 2], 0).freeing_by(free);
    let value = vec![b'x'; SHARED_BYTES_MIN];
    let expiry = NonZeroU64::new(7);
    let database = Database::ZERO;
    restore.add(Change {
        slot: 3,
        position: 5,
        stamp: stamp(1),
        database,
        key: b"a",
        value: Some(&value),
        shared: None,
        expiry,
    });
    let mut store = restore.finish(10).expect("one row");
    store.delete(b"a", stamp(2));
    assert_eq!(freed(), [SHARED_BYTES_MIN]);
}
