//! What may take long and is no business of the loop: looking up host names, reading the config file again, giving the
//! memory of large values back.
//!
//! A thread that is given jobs and gives results back, and one for memory, which should not wait for names. They end
//! with the process.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::memory;
use super::tls::files::{self, Loaded};
use crate::allocator;
use crate::auth::file::Loaded as LoadedUsers;
use crate::config::users::UsersFile;
use crate::config::{Said, WatchedFile};
use crate::node::UsersJob;
use crate::node::encryption::Renewal;
use crate::replication::Way;
use crate::secrets::{Reading, SecretFile};
use crate::store::NodeId;

/// What is to be done.
pub(super) enum Job {
    /// Look up this `host:port` for a node, which is to be dialed like this.
    LookUp(NodeId, String, Way),
    /// Read the config file again.
    Reload,
    /// ... and tell what it says where that is something else.
    Look,
    /// Read certificates again, or others.
    Renew(Renewal),
    /// Read or write the file of users.
    Users(UsersJob),
    /// Read the file of the cluster's secret again.
    ReadSecrets(SecretFile),
    /// Nothing: whoever gives it wants to know when all is done that was given before.
    Mark,
}

/// What came of it.
pub(super) enum Result {
    /// The addresses of a node, or why there are none.
    Found(NodeId, Way, std::result::Result<Vec<SocketAddr>, String>),
    /// The nodes, or what is wrong with the file.
    Reloaded(Said),
    /// What the certificates are, or what is wrong with them.
    Renewed(Box<Renewed>),
    /// All users, or what is wrong with their file.
    UsersLoaded(std::result::Result<LoadedUsers, String>),
    /// Whether their file was written.
    UsersSaved(std::result::Result<(), String>),
    /// The cluster's secret, or what is wrong with its file.
    SecretsRead(Reading),
    /// What was given before is done.
    Marked,
    /// What is left of a large value without its pages: see [`memory`].
    GivenBack(BytesMut),
}

/// Certificates that were read, or why they do not hold.
pub(super) struct Renewed {
    pub(super) renewal: Renewal,
    pub(super) outcome: std::result::Result<Loaded, String>,
}

/// The threads.
pub(super) struct Background {
    jobs: Sender<Job>,
    results: Receiver<Result>,
    /// The nodes that are being looked up.
    looked_up: Vec<NodeId>,
}

impl Background {
    /// Starts them. `wake` is called whenever [`Background::take`] has something new.
    pub(super) fn start(
        mut config: WatchedFile,
        users: Option<UsersFile>,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> std::io::Result<Background> {
        let (jobs, to_do) = channel();
        let (done, results) = channel();
        let to_do = Jobs { given: to_do, period: config.period(), looked: Instant::now() };
        let run = move |job| match job {
            Job::LookUp(node, address, way) => Some(Result::Found(node, way, look_up(&address))),
            Job::Reload => Some(Result::Reloaded(config.read())),
            Job::Look => config.look().map(Result::Reloaded),
            Job::Renew(renewal) => {
                let outcome = files::load(&renewal.tls);
                Some(Result::Renewed(Box::new(Renewed { renewal, outcome })))
            }
            Job::Users(UsersJob::Load) => {
                Some(Result::UsersLoaded(users.as_ref().map_or(Ok(Vec::new()), UsersFile::read)))
            }
            Job::Users(UsersJob::Save(text)) => {
                Some(Result::UsersSaved(users.as_ref().map_or(Ok(()), |users| users.write(&text))))
            }
            Job::ReadSecrets(file) => Some(Result::SecretsRead(file.read_again())),
            Job::Mark => Some(Result::Marked),
        };
        start_thread("background", to_do, run, done.clone(), wake.clone())?;
        let (freed, to_give_back) = channel();
        let give_back = |mut memory: BytesMut| {
            allocator::give_pages_back(&mut memory);
            Some(Result::GivenBack(memory))
        };
        start_thread("memory", to_give_back, give_back, done, wake)?;
        memory::hand_over(freed);
        Ok(Background { jobs, results, looked_up: Vec::new() })
    }

    /// A node that is being looked up is not looked up a second time: where names take longer than the pause between
    /// dials, all else would wait behind an ever longer row of them.
    pub(super) fn give(&mut self, job: Job) {
        if let Job::LookUp(node, ..) = job {
            if self.looked_up.contains(&node) {
                return;
            }
            self.looked_up.push(node);
        }
        self.jobs.send(job).expect("the thread lives as long as this");
    }

    pub(super) fn take(&mut self) -> Option<Result> {
        let result = self.results.try_recv().ok()?;
        if let Result::Found(node, ..) = result {
            self.looked_up.retain(|&other| other != node);
        }
        Some(result)
    }
}

/// What is given to be done, and between that a look at the config file whenever it is time for one.
struct Jobs {
    given: Receiver<Job>,
    period: Option<Duration>,
    looked: Instant,
}

impl Iterator for Jobs {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        let Some(period) = self.period else { return self.given.recv().ok() };
        match self.given.recv_timeout(period.saturating_sub(self.looked.elapsed())) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => {
                self.looked = Instant::now();
                Some(Job::Look)
            }
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

/// Does what there is to do, one after the other, as long as somebody wants the results.
fn start_thread<T: Send + 'static>(
    name: &str,
    to_do: impl IntoIterator<Item = T> + Send + 'static,
    run: impl FnMut(T) -> Option<Result> + Send + 'static,
    done: Sender<Result>,
    wake: impl Fn() + Send + 'static,
) -> std::io::Result<()> {
    let work = move || to_do.into_iter().filter_map(run).try_for_each(|result| done.send(result).map(|()| wake()));
    thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

fn look_up(address: &str) -> std::result::Result<Vec<SocketAddr>, String> {
    let found: Vec<SocketAddr> = address.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    if found.is_empty() { Err("the name has no address".to_owned()) } else { Ok(found) }
}
