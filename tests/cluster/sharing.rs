//! What the clusters of one test process share: cores and addresses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use crate::harness::addresses::Addresses;

/// Clusters alive at once: more would only share the same cores.
const CLUSTERS_MAX: usize = 3;

/// The right to have one more cluster alive.
pub struct Permit;

static PERMITS: (Mutex<usize>, Condvar) = (Mutex::new(CLUSTERS_MAX), Condvar::new());

impl Permit {
    /// Waits until there is one.
    pub fn take() -> Permit {
        let (left, freed) = &PERMITS;
        let mut left = freed.wait_while(left.lock().expect("nobody panics here"), |left| *left == 0).expect("likewise");
        *left -= 1;
        Permit
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *PERMITS.0.lock().expect("nobody panics here") += 1;
        PERMITS.1.notify_one();
    }
}

/// Addresses that nobody else takes while a node is down: the IP is this cluster's alone, and dials come from another.
pub fn free_addresses(count: usize) -> Addresses {
    static CLUSTERS: AtomicUsize = AtomicUsize::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let cluster = 100 + (CLUSTERS.fetch_add(1, Ordering::Relaxed) % 100) as u8;
    Addresses::reserve([127, cluster, high, low].into(), count)
}
