//! Certificates that are read again, and clients that came by TLS: what the server tells the node of either.

use super::Node;
use super::encryption::{Certificate, Renewal};
use super::waiting::Reached;

impl Node {
    /// The certificates that are in use are to be read again.
    pub fn renew(&mut self) {
        if let Some(tls) = self.settings.options.tls.clone() {
            self.settings.renewals.want(tls);
        }
    }

    /// What is to be read. To be asked until there is nothing; each followed by [`Node::renewed`].
    pub fn next_renewal(&mut self) -> Option<Renewal> {
        self.settings.renewals.take_wanted()
    }

    /// What came of it: what the certificate says, or why nothing has changed. Returns whether it is to be used from
    /// here on.
    pub fn renewed(&mut self, renewal: Renewal, outcome: Result<Certificate, String>) -> bool {
        let Renewal { generation, tls } = renewal;
        let is_used = self.settings.renewals.note(generation, outcome.as_ref().map(drop).map_err(String::clone));
        if let (true, Ok(certificate)) = (is_used, outcome) {
            self.settings.options.tls = Some(super::encryption::Tls { certificate, ..tls });
        }
        self.sessions.reached(Reached::Renewed(generation));
        is_used
    }
}
