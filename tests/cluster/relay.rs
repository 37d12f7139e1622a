//! A relay between nodes; what goes towards its target passes no faster than the relay is told.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub struct Relay {
    /// Bytes that have gone to the target.
    passed: AtomicU64,
    connections: AtomicU64,
    /// When the next byte may go, whatever connection it comes over.
    free: Mutex<Instant>,
    bytes_per_s: Option<u64>,
}

impl Relay {
    /// Accepts for as long as the process lasts.
    pub fn start(address: SocketAddr, target: SocketAddr, bytes_per_s: Option<u64>) -> Arc<Relay> {
        let listener = TcpListener::bind(address).expect("nobody else has the address");
        let relay = Arc::new(Relay {
            passed: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            free: Mutex::new(Instant::now()),
            bytes_per_s,
        });
        let server = Arc::clone(&relay);
        thread::spawn(move || {
            for inner in listener.incoming().map_while(Result::ok) {
                let Ok(outer) = TcpStream::connect(target) else { continue };
                server.connections.fetch_add(1, Ordering::Relaxed);
                let (back_from, back_to) = (outer.try_clone().expect("a socket"), inner.try_clone().expect("a socket"));
                let relay = Arc::clone(&server);
                thread::spawn(move || pass(inner, outer, |count| relay.pause(count)));
                thread::spawn(move || pass(back_from, back_to, |_| ()));
            }
        });
        relay
    }

    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    fn pause(&self, count: usize) {
        self.passed.fetch_add(count as u64, Ordering::Relaxed);
        let Some(bytes_per_s) = self.bytes_per_s else { return };
        let due = {
            let mut free = self.free.lock().expect("nobody panics here");
            let due = (*free).max(Instant::now());
            *free = due + Duration::from_secs_f64(count as f64 / bytes_per_s as f64);
            due
        };
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, pause: impl Fn(usize)) {
    // Small frames wait for nothing but the pause.
    let _ = to.set_nodelay(true);
    let mut buffer = [0; 8 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        pause(count);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
