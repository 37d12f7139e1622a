//! TLS as a node knows it: what clients may and must do, where the certificate lies, what it says, and its renewal.
//!
//! Files are read and understood elsewhere: a node says which it wants, and is told what came of it.

use std::fmt::{Display, Formatter, Result as Formatted};

const SECONDS_PER_DAY: i64 = 86_400;
/// So many days before its end a certificate is warned of.
pub const WARNING_DAYS: i64 = 30;
/// What came of renewals whose clients have not asked.
const OUTCOMES_MAX: usize = 64;

/// What clients may do without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// What they like.
    Optional,
    /// Nothing.
    Required,
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    No,
    /// They may; one that does not hold ends the connection.
    Optional,
    /// They must.
    Required,
}

/// Which part of a client's certificate is the name of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserFrom {
    /// The subject's common name.
    CommonName,
    /// The first alternative name of the subject: a DNS name, a mail address or a URI.
    AlternativeName,
}

/// How clients come by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// What they may do without.
    pub policy: TlsPolicy,
    /// Whether they show a certificate.
    pub client_auth: ClientAuth,
    /// Whether that names a user.
    pub user_from: Option<UserFrom>,
    /// Where the certificates are.
    pub files: TlsFiles,
    /// What the certificate in use says.
    pub certificate: Certificate,
}

/// Where the certificates are, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The node's, followed by those that it depends on.
    pub certificate: String,
    /// The key to it.
    pub key: String,
    /// Whose certificates clients may show; empty: nobody's.
    pub client_ca: String,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// Its number among those of the issuer, in hexadecimal digits.
    pub serial: String,
    /// Its end, in seconds since 1970.
    pub ends_unix_s: i64,
}

/// What is wanted of whoever reads files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Its number: what is read for a later one is never replaced by what is read for an earlier one.
    pub generation: u64,
    /// What is to be the case; what the certificate says comes with the answer.
    pub tls: Tls,
}

/// Renewals that are wanted, and what came of earlier ones.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    generation: u64,
    wanted: Vec<Renewal>,
    /// The number of the one that is in use.
    in_use: u64,
    outcomes: Vec<(u64, Result<(), String>)>,
}

impl Renewals {
    /// Wants this to be the case. Returns the renewal's number.
    pub(super) fn want(&mut self, tls: Tls) -> u64 {
        self.generation += 1;
        self.wanted.push(Renewal { generation: self.generation, tls });
        self.generation
    }

    /// What is wanted since the last call.
    pub(super) fn take_wanted(&mut self) -> Option<Renewal> {
        (!self.wanted.is_empty()).then(|| self.wanted.remove(0))
    }

    /// Something came of a renewal. Returns whether it is to be used: no later one is in use.
    pub(super) fn note(&mut self, generation: u64, outcome: Result<(), String>) -> bool {
        let is_newest = outcome.is_ok() && generation > self.in_use;
        if is_newest {
            self.in_use = generation;
        }
        if self.outcomes.len() == OUTCOMES_MAX {
            drop(self.outcomes.remove(0));
        }
        self.outcomes.push((generation, outcome));
        is_newest
    }

    /// What came of it, if it is known, for whoever wanted it.
    pub(super) fn take_outcome(&mut self, generation: u64) -> Option<Result<(), String>> {
        let place = self.outcomes.iter().position(|(number, _)| *number == generation)?;
        Some(self.outcomes.remove(place).1)
    }
}

impl Certificate {
    /// Whole days until its end, fewer than none after it.
    pub fn days_left(&self, unix_ms: u64) -> i64 {
        (self.ends_unix_s - (unix_ms / 1_000).cast_signed()).div_euclid(SECONDS_PER_DAY)
    }

    /// What is to be said of it to those who run the node, where its end is near.
    pub fn warning(&self, unix_ms: u64) -> Option<String> {
        let Certificate { subject, .. } = self;
        match self.days_left(unix_ms) {
            days if days >= WARNING_DAYS => None,
            days if days < 0 => Some(format!(
                "the certificate of {subject} has expired: new clients will not take it, those connected stay; put a \
                 new one in its place and send SIGHUP"
            )),
            days => Some(format!(
                "the certificate of {subject} ends in {days} days: put a new one in its place and send SIGHUP"
            )),
        }
    }
}

impl Display for TlsPolicy {
    fn fmt(&self, out: &mut Formatter<'_>) -> Formatted {
        out.write_str(match self {
            TlsPolicy::Optional => "optional",
            TlsPolicy::Required => "required",
        })
    }
}

impl ClientAuth {
    /// As Redis names it.
    pub fn redis_name(self) -> &'static str {
        match self {
            ClientAuth::No => "no",
            ClientAuth::Optional => "optional",
            ClientAuth::Required => "yes",
        }
    }
}

impl Display for ClientAuth {
    fn fmt(&self, out: &mut Formatter<'_>) -> Formatted {
        out.write_str(match self {
            ClientAuth::No => "no",
            ClientAuth::Optional => "optional",
            ClientAuth::Required => "required",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_is_near_is_warned_of_from_thirty_days_on() {
        let certificate = Certificate { subject: "CN=here".to_owned(), ends_unix_s: 40 * 86_400, ..Default::default() };
        let on_day = |day: u64| certificate.warning(day * 86_400_000);
        assert_eq!(on_day(9), None);
        assert_eq!(on_day(10), None);
        let warning = certificate.warning(10 * 86_400_000 + 1_000).expect("fewer than 30 days are left");
        assert!(warning.contains("CN=here ends in 29 days"), "{warning}");
        assert_eq!(certificate.days_left(40 * 86_400_000), 0);
        assert_eq!(certificate.days_left(40 * 86_400_000 + 1_000), -1);
        assert!(on_day(41).is_some_and(|warning| warning.contains("has expired")));
    }

    #[test]
    fn what_an_earlier_renewal_brings_never_replaces_a_later_ones() {
        let mut renewals = Renewals::default();
        let tls = Tls {
            policy: TlsPolicy::Optional,
            client_auth: ClientAuth::No,
            user_from: None,
            files: TlsFiles::default(),
            certificate: Certificate::default(),
        };
        let [first, second, third] = [(); 3].map(|()| renewals.want(tls.clone()));
        assert_eq!(renewals.take_wanted().map(|renewal| renewal.generation), Some(first));
        assert!(renewals.note(second, Ok(())));
        assert!(!renewals.note(first, Ok(())), "the second is in use");
        assert!(!renewals.note(third, Err("the file is cut short".to_owned())));
        assert_eq!(renewals.take_outcome(third), Some(Err("the file is cut short".to_owned())));
        assert_eq!(renewals.take_outcome(third), None);
    }
}
