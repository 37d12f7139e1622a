//! Outbound connections: the server's part in links to other nodes.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use mio::Token;
use mio::net::TcpStream;

use super::acceptor::origin_of;
use super::background::{Job, Result};
use super::connection::Connection;
use super::tls::handshakes::{Failure, Outcome, Whose};
use super::{Server, process, queue};
use crate::config::members;
use crate::metrics::ticks::Phase;
use crate::replication::{Channel, DueDial, Way};
use crate::store::NodeId;

/// Time of a tick that goes to results of jobs in the background, but for the last: some 10 us for what is left of a
/// large value.
const RESULTS_US: u64 = 150;

impl Server {
    /// Dials the peers that it is time for.
    pub(super) fn dial_peers(&mut self) {
        while let Some(DueDial { peer, address, way }) = self.node.next_dial(self.now) {
            match address.parse() {
                Ok(address) => self.dial(peer, address, way),
                Err(_) => self.background.give(Job::LookUp(peer, address, way)),
            }
        }
    }

    pub(super) fn take_results(&mut self) {
        let until_us = self.node.spent(Phase::Intake) + RESULTS_US;
        while self.node.spent(Phase::Intake) <= until_us {
            let Some(result) = self.background.take() else { return };
            match result {
                Result::GivenBack(memory) => drop(memory),
                Result::Marked => self.end_reload(),
                Result::SecretsRead(read) => self.take_secrets(read),
                Result::Found(peer, way, Ok(addresses)) => {
                    // A name with several addresses: each dial tries another one.
                    self.dials += 1;
                    self.dial(peer, addresses[self.dials % addresses.len()], way);
                }
                Result::Found(peer, _, Err(why)) => self.node.dial_failed(peer, &why, self.now),
                Result::Reloaded(Ok(nodes)) => match self.node.reload(members(&nodes), self.now) {
                    Ok(()) => {
                        let nodes = nodes.iter().flatten().count();
                        log::info!(event = "config_reloaded", nodes; "the config file was read again: {nodes} nodes");
                    }
                    Err(why) => {
                        log::error!(
                            event = "config_reload_failed", why:%;
                            "the config file was read again, and nothing was changed: {why}"
                        )
                    }
                },
                Result::Renewed(renewed) => self.take_renewed(*renewed),
                Result::UsersLoaded(loaded) => self.node.users_loaded(loaded),
                Result::UsersSaved(saved) => self.node.users_saved(saved),
                Result::Reloaded(Err(why)) => {
                    log::error!(event = "config_reload_failed", why:%; "the cluster stays as it is: {why}")
                }
            }
        }
        // There may be more.
        (self.wake)();
    }

    fn dial(&mut self, peer: NodeId, address: SocketAddr, way: Way) {
        if let Some(why) = self.node.refuses_far_peers().filter(|_| way == Way::Plain && origin_of(address).is_far()) {
            self.node.note_refused_peer(&format!("node {peer} at {address}"), why, self.now);
            return self.node.dial_failed(peer, why, self.now);
        }
        let set_up = TcpStream::connect(address).and_then(|stream| {
            process::set_up(&stream)?;
            Ok(OwnedFd::from(stream))
        });
        match (set_up, way, &mut self.handshakes) {
            (Ok(stream), Way::Plain, _) => self.take_up(peer, Connection::dialing(stream), Channel::Plain),
            (Ok(stream), Way::Encrypted, Some(handshakes)) => {
                handshakes.begin(Whose::Dial(peer), stream, Vec::new());
            }
            (Ok(_), Way::Encrypted, None) => self.node.dial_failed(peer, "this node speaks no TLS", self.now),
            (Err(error), ..) => self.node.dial_failed(peer, &error.to_string(), self.now),
        }
    }

    /// A handshake with a node that was dialed has ended.
    pub(super) fn take_dialed(&mut self, peer: NodeId, outcome: std::result::Result<Outcome, Failure>) {
        match outcome {
            Ok(Outcome { stream, transport, binding: Some(binding), .. }) => {
                self.take_up(peer, Connection::encrypted(stream, transport), Channel::Encrypted(binding));
            }
            Ok(Outcome { binding: None, .. }) => self.node.dial_failed(peer, "its connection has no name", self.now),
            Err(Failure::NotReached(why)) => self.node.dial_failed(peer, &why, self.now),
            Err(Failure::Failed(why)) => self.node.not_encrypted(peer, &why, self.now),
            Err(Failure::GivenUp) => self.node.not_encrypted(peer, "its handshake took too long", self.now),
        }
    }

    /// From here on the loop looks after a connection to a peer.
    fn take_up(&mut self, peer: NodeId, mut connection: Connection, channel: Channel) {
        let id = self.connections.vacant_key();
        match connection.socket().register(self.poll.registry(), Token(id)) {
            Ok(()) => {
                if connection.is_readable() {
                    queue(&mut self.ready, &mut connection, id);
                }
                self.connections.insert(connection);
                self.node.dialing(id, peer, channel, self.now);
            }
            Err(error) => self.node.dial_failed(peer, &error.to_string(), self.now),
        }
    }
}
