//! Links that are proven: the cluster's secret, as the node is told it and told it again.

use std::sync::Arc;

use super::background::Job;
use super::tls::handshakes::Handshakes;
use super::tls::peers::PeerEnds;
use super::{Server, process};
use crate::config::ProvenLinks;
use crate::replication::Trust;
use crate::secrets::Reading;

impl Server {
    /// From here on links are proven like this. An error is a sentence.
    pub fn prove_links(&mut self, mut links: ProvenLinks) -> Result<(), String> {
        let ends = PeerEnds::make()?;
        if self.handshakes.is_none() {
            let wake = Arc::clone(&self.wake);
            let started = Handshakes::start(None, move || wake());
            self.handshakes = Some(started.map_err(|error| format!("cannot start: {}", process::explain(&error)))?);
        }
        self.handshakes.iter().for_each(|handshakes| handshakes.prove_links(ends.clone()));
        let Reading { secrets, warning } = links.file.read_again();
        // Once more, as a SIGHUP that came since the first time is one for this, too.
        links.secrets = secrets.unwrap_or(links.secrets);
        warning.iter().for_each(|warning| log::warn!(event = "secret_unsafe"; "{warning}"));
        log::info!(
            event = "links_proven", peer_tls:% = links.tls;
            "links between nodes go over TLS and prove the cluster's secret: {}", links.tls
        );
        self.node.trust(Trust::in_proof(links.tls, Box::new(links.secrets.clone())));
        self.proven_links = Some(links);
        Ok(())
    }

    /// The file of the secret may be another.
    pub(super) fn read_secrets_again(&mut self) {
        if let Some(links) = &self.proven_links {
            self.background.give(Job::ReadSecrets(links.file.clone()));
        }
    }

    pub(super) fn take_secrets(&mut self, read: Reading) {
        let Some(links) = &mut self.proven_links else { return };
        read.warning.iter().for_each(|warning| log::warn!(event = "secret_unsafe"; "{warning}"));
        match read.secrets {
            Ok(secrets) => {
                log::info!(
                    event = "secret_reloaded", known = links.secrets.count();
                    "the cluster's secret was read again: {} known; links stay", secrets.count()
                );
                links.secrets = secrets;
                self.node.trust(Trust::in_proof(links.tls, Box::new(links.secrets.clone())));
            }
            Err(why) => {
                log::error!(event = "secret_reload_failed", why:%; "the cluster's secret stays as it is: {why}")
            }
        }
    }
}
