//! Addresses that a test has chosen before the node that is to listen there runs, and that stay its own.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};

/// Addresses of one IP.
///
/// Each is held by a socket that is bound and does not listen. While it lives the system gives the port to nobody who
/// asks for any, and whoever names it may listen there, as with `SO_REUSEADDR` only one that listens is in the way of
/// another. A listener that finds a free port and is closed does neither: the port is anybody's between that and the
/// node's start, and the listener lives on in every process that another test begins meanwhile, until that has become its
/// program.
pub struct Addresses {
    pub all: Vec<SocketAddr>,
    held: Vec<OwnedFd>,
}

impl Addresses {
    /// So many ports that were free.
    pub fn reserve(ip: Ipv4Addr, count: usize) -> Addresses {
        let held: Vec<OwnedFd> = (0..count).map(|_| hold(ip)).collect();
        let address = |socket: &OwnedFd| {
            let name = getsockname(socket).expect("it is bound");
            SocketAddr::try_from(name).expect("it has an IP")
        };
        Addresses { all: held.iter().map(address).collect(), held }
    }

    /// What a process that begins meanwhile has of this one's descriptors.
    pub fn held_elsewhere(&self) -> Vec<OwnedFd> {
        self.held.iter().map(|socket| socket.try_clone().expect("it is ours")).collect()
    }
}

fn hold(ip: Ipv4Addr) -> OwnedFd {
    let held = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let held = held.expect("there are sockets");
    sockopt::set_socket_reuseaddr(&held, true).expect("an option can be set");
    bind(&held, &SocketAddrV4::new(ip, 0)).expect("the system has free ports");
    held
}
