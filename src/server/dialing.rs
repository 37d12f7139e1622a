//! Outbound connections: the server's part in links to other nodes.

use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::background::{Job, Result};
use super::connection::Connection;
use super::{Server, process};
use crate::config::members;
use crate::metrics::ticks::Phase;
use crate::replication::{Channel, DueDial};
use crate::store::NodeId;

/// Time of a tick that goes to results of jobs in the background, but for the last: some 10 us for what is left of a
/// large value.
const RESULTS_US: u64 = 150;

impl Server {
    /// Dials the peers that it is time for.
    pub(super) fn dial_peers(&mut self) {
        while let Some(DueDial { peer, address, .. }) = self.node.next_dial(self.now) {
            match address.parse() {
                Ok(address) => self.dial(peer, address),
                Err(_) => self.background.give(Job::LookUp(peer, address)),
            }
        }
    }

    pub(super) fn take_results(&mut self) {
        let until_us = self.node.spent(Phase::Intake) + RESULTS_US;
        while self.node.spent(Phase::Intake) <= until_us {
            let Some(result) = self.background.take() else { return };
            match result {
                Result::GivenBack(memory) => drop(memory),
                Result::Found(peer, Ok(addresses)) => {
                    // A name with several addresses: each dial tries another one.
                    self.dials += 1;
                    self.dial(peer, addresses[self.dials % addresses.len()]);
                }
                Result::Found(peer, Err(why)) => self.node.dial_failed(peer, &why, self.now),
                Result::Reloaded(Ok(nodes)) => match self.node.reload(members(&nodes), self.now) {
                    Ok(()) => log::info!("the config file was read again: {} nodes", nodes.iter().flatten().count()),
                    Err(why) => log::error!("the config file was read again, and nothing was changed: {why}"),
                },
                Result::Renewed(renewed) => self.take_renewed(*renewed),
                Result::UsersLoaded(loaded) => self.node.users_loaded(loaded),
                Result::UsersSaved(saved) => self.node.users_saved(saved),
                Result::Reloaded(Err(why)) => log::error!("the cluster stays as it is: {why}"),
            }
        }
        // There may be more.
        (self.wake)();
    }

    fn dial(&mut self, peer: NodeId, address: SocketAddr) {
        let id = self.connections.vacant_key();
        let set_up = TcpStream::connect(address).and_then(|mut stream| {
            stream.set_nodelay(true)?;
            process::keep_alive(&stream)?;
            self.poll.registry().register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        match set_up {
            Ok(stream) => {
                self.connections.insert(Connection::dialing(stream));
                self.node.dialing(id, peer, Channel::Plain, self.now);
            }
            Err(error) => self.node.dial_failed(peer, &error.to_string(), self.now),
        }
    }
}
