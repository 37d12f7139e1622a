//! TLS of clients, as far as the loop has to do with it: connections go to the handshakes' thread and come back, and
//! certificates are read again elsewhere.

use mio::Token;

use super::background::{Job, Renewed};
use super::carrier::{Carrier, Expected, First};
use super::tls::files;
use super::tls::handshakes::{Failure, Handshakes, Outcome, Whose};
use super::transport::Plain;
use super::{Server, queue};
use crate::node::SessionId;
use crate::node::encryption::TlsPolicy;
use crate::protocol::{Dialect, Refusal, Reply};
use crate::replication::Channel;

impl Server {
    /// What carries the bytes of somebody who has said nothing; other nodes do not come in where HTTP alone is spoken.
    pub(super) fn stranger(&self, is_for_http: bool) -> Carrier {
        let policy = self.node.options().tls.as_ref().map(|tls| tls.policy);
        let (tls, peers) = (policy.is_some(), self.proven_links.is_some() && !is_for_http);
        if !tls && !peers {
            return Carrier::Plain(Plain);
        }
        let plain_is_refused = policy == Some(TlsPolicy::Required);
        Carrier::Stranger(Expected::new(tls, plain_is_refused, peers))
    }

    /// A read has brought nothing for the conversation: it may have brought the beginning of a handshake.
    pub(super) fn meet(&mut self, id: SessionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        match connection.carrier().take_first() {
            None => (),
            Some(First::Hello(bytes)) => self.shake_hands(id, Whose::Client(id), bytes),
            Some(First::Peer(bytes)) => self.shake_hands(id, Whose::Peer(id), bytes),
            Some(First::Refused(first)) => self.refuse_plain(id, first),
        }
    }

    fn shake_hands(&mut self, id: SessionId, whose: Whose, bytes: Vec<u8>) {
        let Some(handshakes) = &mut self.handshakes else { return };
        let connection = &mut self.connections[id];
        let deregistered = connection.socket().deregister(self.poll.registry());
        let Some(stream) = connection.socket().take() else { return };
        match deregistered {
            Ok(()) => {
                self.node.shakes_hands(id, self.now);
                *connection.carrier() = Carrier::Away(handshakes.begin(whose, stream, bytes));
            }
            Err(error) => self.drop_connection(id, &error.to_string()),
        }
    }

    /// All is said. With TLS the end is said, too: without that it might be somebody else's doing.
    pub(super) fn say_end(&mut self, id: SessionId) {
        if let Some(connection) = self.connections.get_mut(id)
            && matches!(connection.carrier(), Carrier::Tls(_))
        {
            connection.part();
        }
    }

    /// One line in the words that it used, and the end.
    fn refuse_plain(&mut self, id: SessionId, first: u8) {
        self.node.metrics().plain_refused += 1;
        let mut answer = Vec::new();
        let dialect = if self.node.speaks_http(id) { Dialect::http() } else { self.node.options().dialect };
        dialect.begun_by(first).encode(Reply::Error(Refusal::PlainText), &mut answer);
        let connection = &mut self.connections[id];
        // A socket that has taken nothing has room for one line, or its client is gone already.
        let _ = connection.send(&answer);
        connection.part();
        self.drop_connection(id, "it spoke plain text");
    }

    /// The connection is closed: nobody wants its handshake any more, if one is under way.
    pub(super) fn abandon_handshake(&mut self, carrier: &Carrier) {
        if let (Carrier::Away(number), Some(handshakes)) = (carrier, &mut self.handshakes) {
            handshakes.abandon(*number);
        }
    }

    /// Handshakes that have ended.
    pub(super) fn take_handshakes(&mut self) {
        while let Some(ended) = self.handshakes.as_mut().and_then(Handshakes::take) {
            let id = match ended.whose {
                Whose::Dial(peer) => {
                    self.take_dialed(peer, ended.outcome);
                    continue;
                }
                Whose::Peer(id) => id,
                Whose::Client(id) => {
                    let metrics = self.node.metrics();
                    match &ended.outcome {
                        Ok(_) => metrics.tls_handshakes += 1,
                        Err(Failure::GivenUp) => metrics.tls_shed += 1,
                        Err(Failure::Failed(_) | Failure::NotReached(_)) => metrics.tls_failed += 1,
                    }
                    id
                }
            };
            let Some(connection) = self.connections.get_mut(id) else { continue };
            if !matches!(connection.carrier(), Carrier::Away(number) if *number == ended.number) {
                // It was closed meanwhile, and another one has its place.
                continue;
            }
            *connection.carrier() = Carrier::Plain(Plain);
            match ended.outcome {
                Err(Failure::GivenUp) => self.drop_connection(id, "its handshake took too long"),
                Err(Failure::Failed(why) | Failure::NotReached(why)) => self.drop_connection(id, &why),
                Ok(Outcome { stream, transport, shown, binding }) => {
                    connection.socket().give(stream);
                    if let Err(error) = connection.socket().register(self.poll.registry(), Token(id)) {
                        self.drop_connection(id, &error.to_string());
                        continue;
                    }
                    *connection.carrier() = Carrier::Tls(transport);
                    queue(&mut self.ready, connection, id);
                    match binding {
                        None => self.node.encrypted(id, shown, self.now),
                        Some(binding) => {
                            let (from, _) = connection.addresses().unwrap_or_default();
                            self.node.accept_peer(id, Channel::Encrypted(binding), &from, self.now);
                        }
                    }
                }
            }
        }
    }

    /// What the node wants to be read is read elsewhere.
    pub(super) fn renew_certificates(&mut self) {
        while let Some(renewal) = self.node.next_renewal() {
            self.background.give(Job::Renew(renewal));
        }
    }

    /// What came of it.
    pub(super) fn take_renewed(&mut self, renewed: Renewed) {
        let Renewed { renewal, outcome } = renewed;
        let (generation, named) = (renewal.generation, renewal.tls.files.certificate.clone());
        let said = outcome.as_ref().map(|loaded| loaded.certificate.clone()).map_err(String::clone);
        let is_used = self.node.renewed(renewal, said);
        match (outcome, &self.handshakes) {
            (Ok(loaded), Some(handshakes)) if is_used => {
                log::info!(
                    event = "certificate_reloaded", files:% = named;
                    "TLS: {named} was read again: {}", files::describe(&loaded.certificate)
                );
                handshakes.renew(loaded);
            }
            (Ok(_), _) => {
                log::info!(
                    event = "certificate_superseded", renewal = generation;
                    "TLS: {named} as read for renewal {generation} is not used: a later one is"
                )
            }
            (Err(why), _) => {
                log::error!(event = "certificate_reload_failed", why:%; "TLS: the certificate stays as it is: {why}")
            }
        }
    }
}
