//! Clients that write all the time, each to one pod, and come back when that does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use redis::{Client, Connection, RedisResult, TlsCertificates};

use crate::pods::Pods;

/// How clients reach a node.
pub struct Access {
    /// User and password.
    pub login: Option<(&'static str, String)>,
    /// Who vouches for the nodes, in PEM.
    pub authority: Option<Vec<u8>>,
}

/// What came of one client's work.
#[derive(Debug, Default)]
pub struct Report {
    /// Keys and values that were answered `OK`.
    pub answered: BTreeMap<String, String>,
    /// Connections that ended, or could not be made.
    pub reconnects: usize,
    /// Errors that were answered.
    pub errors: Vec<String>,
}

impl Access {
    /// A connection with a pod, from the host that this thread is on.
    pub fn connect(&self, pods: &Pods, number: usize) -> RedisResult<Connection> {
        let address = pods.address(number).ok_or(std::io::Error::other("there is no such pod"))?;
        let login = self.login.as_ref().map(|(user, password)| format!("{user}:{password}@")).unwrap_or_default();
        let client = match &self.authority {
            None => Client::open(format!("redis://{login}{address}"))?,
            Some(authority) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(authority.clone()) };
                Client::build_with_tls(format!("rediss://{login}{address}"), certificates)?
            }
        };
        let connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(connection)
    }
}

/// Writes ever new keys to a pod until it is told to end.
pub fn write_to(pods: &Pods, number: usize, access: &Access, ends: &AtomicBool) -> Report {
    pods.outside(|| {
        let (mut report, mut count) = (Report::default(), 0);
        while !ends.load(Ordering::Relaxed) {
            let Ok(mut connection) = access.connect(pods, number) else {
                report.reconnects += 1;
                thread::sleep(Duration::from_millis(20));
                continue;
            };
            while !ends.load(Ordering::Relaxed) {
                count += 1;
                let (key, value) = (format!("key-{number}-{count}"), format!("value {count}"));
                match redis::cmd("SET").arg(&key).arg(&value).query::<String>(&mut connection) {
                    Ok(_) => {
                        report.answered.insert(key, value);
                    }
                    Err(error) if error.is_io_error() || error.is_connection_dropped() => {
                        report.reconnects += 1;
                        break;
                    }
                    Err(error) => {
                        report.errors.push(error.to_string());
                        break;
                    }
                }
                // Enough to be always at it; the machine is for the nodes.
                thread::sleep(Duration::from_millis(1));
            }
        }
        report
    })
}

/// What of these keys and values a pod does not have.
pub fn missing<'a>(
    pods: &Pods,
    number: usize,
    access: &Access,
    expected: impl Iterator<Item = (&'a String, &'a String)>,
) -> Vec<String> {
    let expected: Vec<(&String, &String)> = expected.collect();
    pods.outside(|| {
        let mut connection = access.connect(pods, number).expect("the pod takes clients");
        let mut missing = Vec::new();
        for some in expected.chunks(500) {
            let keys: Vec<&String> = some.iter().map(|(key, _)| *key).collect();
            let values: Vec<Option<String>> =
                redis::cmd("MGET").arg(&keys).query(&mut connection).expect("an answer comes");
            let lost = some.iter().zip(&values).filter(|((_, value), has)| has.as_ref() != Some(value));
            missing.extend(lost.map(|((key, _), has)| format!("{key}: {has:?}")));
        }
        missing
    })
}
