//! Handshakes, on a thread of their own.
//!
//! Each costs a signature and a key exchange, some 0.2 to 2 ms; on the loop a few hundred new clients a second would
//! take a third of everybody's time. So a socket whose first bytes are a handshake's comes here with them, and goes back
//! with the state of its session. The loop hears nothing of it in between.
//!
//! Who does not go on costs others nothing but their place: at most [`UNDER_WAY_MAX`] are under way, each for at most
//! [`PATIENCE`]. The rest wait, and the newest of them is next: in a queue that has grown longer than its clients'
//! patience, whoever is first has given up already. While others wait, a place is kept for [`STALL`] without progress.
//!
//! A socket is here that the loop has closed the connection of: it says so ([`Handshakes::abandon`]), and takes no
//! further client while this thread has [too many](Handshakes::is_behind) such sockets to close. So descriptors stay
//! within what the limit on clients allows.

use std::collections::{HashSet, VecDeque};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::{Events, Poll, Token, Waker};
use slab::Slab;

use super::failures::Failures;
use super::files::{self, Loaded};
use super::peers::{self, PeerEnds};
use super::{Handshake, TlsTransport};
use crate::node::{Certificate, SessionId};
use crate::replication::Binding;
use crate::replication::wire::TLS_GREETING;
use crate::server::socket::Socket;
use crate::store::NodeId;

#[cfg(test)]
mod tests;

/// Handshakes under way at once.
pub(in crate::server) const UNDER_WAY_MAX: usize = 256;
/// Handshakes that wait for a place: more than this thread gets through in [`PATIENCE`]. With 16 KiB of first bytes each
/// they are 64 MiB.
const WAITING_MAX: usize = 4_096;
/// Sockets here that nobody wants any more, before the loop waits for their end.
const ABANDONED_MAX: usize = 8;
/// The time that a client has from its first bytes to its last.
pub(in crate::server) const PATIENCE: Duration = Duration::from_secs(5);
/// So long a handshake that waits for its client keeps its place from others.
const STALL: Duration = Duration::from_secs(1);
/// Handshakes begun between two looks at those under way.
const BEGUN_AT_ONCE: usize = 16;
/// Between two looks at the end of the own certificate.
const DAY: Duration = Duration::from_secs(86_400);
const WAKER: Token = Token(usize::MAX);

/// The thread, as the loop sees it.
pub(in crate::server) struct Handshakes {
    jobs: Sender<Job>,
    waker: Waker,
    ended: Receiver<Ended>,
    /// What each may take.
    patience: Duration,
    begun: u64,
    /// The numbers of those that nobody wants and that have not ended.
    abandoned: HashSet<u64>,
}

/// Whose a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Whose {
    /// A client's, which the loop knows by this number.
    Client(SessionId),
    /// Another node's, which has dialed.
    Peer(SessionId),
    /// This node's, which dials that one.
    Dial(NodeId),
}

/// A handshake that has ended.
pub(in crate::server) struct Ended {
    /// Whose it was.
    pub(in crate::server) whose: Whose,
    /// Its number.
    pub(in crate::server) number: u64,
    pub(in crate::server) outcome: Result<Outcome, Failure>,
}

/// What a handshake that is done brings.
pub(in crate::server) struct Outcome {
    pub(in crate::server) stream: OwnedFd,
    pub(in crate::server) transport: Box<TlsTransport>,
    /// What the client has shown.
    pub(in crate::server) shown: Certificate,
    /// What both ends of a connection between nodes call it.
    pub(in crate::server) binding: Option<Binding>,
}

/// Why there is no session.
pub(in crate::server) enum Failure {
    /// It took too long, or others waited.
    GivenUp,
    /// Nobody was reached.
    NotReached(String),
    /// One side would not have it.
    Failed(String),
}

enum Job {
    Begin(Beginning),
    Abandon(u64),
    Renew(Loaded),
    ProveLinks(PeerEnds),
}

/// A handshake that has not begun.
struct Beginning {
    whose: Whose,
    number: u64,
    stream: OwnedFd,
    /// What was read of it.
    bytes: Vec<u8>,
    until: Instant,
}

struct UnderWay {
    whose: Whose,
    number: u64,
    transport: Box<TlsTransport>,
    socket: Socket,
    /// Whether this node has dialed, and the other side has yet to hear what for.
    owes_greeting: bool,
    until: Instant,
    moved: Instant,
}

struct Worker<W> {
    poll: Poll,
    jobs: Receiver<Job>,
    ended: Sender<Ended>,
    wake: W,
    /// Where clients may speak TLS.
    loaded: Option<Loaded>,
    /// Where links are proven.
    peers: Option<PeerEnds>,
    under_way: Slab<UnderWay>,
    /// The newest last.
    waiting: VecDeque<Beginning>,
    /// When to look at the own certificate again.
    look_at: Instant,
    failures: Failures,
}

impl Handshakes {
    /// Starts the thread. `wake` is called whenever [`Handshakes::take`] has something new.
    pub(in crate::server) fn start(
        loaded: Option<Loaded>,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Handshakes> {
        Handshakes::start_with_patience(loaded, PATIENCE, wake)
    }

    /// The same, where each handshake may take so long.
    fn start_with_patience(
        loaded: Option<Loaded>,
        patience: Duration,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Handshakes> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (jobs, to_do) = channel();
        let (ended, results) = channel();
        let worker = Worker {
            poll,
            jobs: to_do,
            ended,
            wake,
            loaded,
            peers: None,
            under_way: Slab::new(),
            waiting: VecDeque::new(),
            look_at: Instant::now(),
            failures: Failures::default(),
        };
        thread::Builder::new().name("handshakes".into()).spawn(move || worker.run())?;
        Ok(Handshakes { jobs, waker, ended: results, patience, begun: 0, abandoned: HashSet::new() })
    }

    /// Hands over a connection that has said these bytes, or that is being set up. Returns the handshake's number.
    pub(in crate::server) fn begin(&mut self, whose: Whose, stream: OwnedFd, bytes: Vec<u8>) -> u64 {
        self.begun += 1;
        let (number, until) = (self.begun, Instant::now() + self.patience);
        self.give(Job::Begin(Beginning { whose, number, stream, bytes, until }));
        number
    }

    /// Nobody wants the handshake of this number any more: its socket is to be closed.
    pub(in crate::server) fn abandon(&mut self, number: u64) {
        self.abandoned.insert(number);
        self.give(Job::Abandon(number));
    }

    /// Whether so many sockets are here that nobody wants that no further client is to be taken in.
    pub(in crate::server) fn is_behind(&self) -> bool {
        self.abandoned.len() >= ABANDONED_MAX
    }

    /// From here on handshakes begin with this.
    pub(in crate::server) fn renew(&self, loaded: Loaded) {
        self.give(Job::Renew(loaded));
    }

    /// From here on there are links to be proven, and this is what they begin with.
    pub(in crate::server) fn prove_links(&self, ends: PeerEnds) {
        self.give(Job::ProveLinks(ends));
    }

    /// One that has ended, also where nobody wants it.
    pub(in crate::server) fn take(&mut self) -> Option<Ended> {
        let ended = self.ended.try_recv().ok()?;
        self.abandoned.remove(&ended.number);
        Some(ended)
    }

    fn give(&self, job: Job) {
        self.jobs.send(job).expect("the thread lives as long as this");
        self.waker.wake().expect("its poll does, too");
    }
}

impl<W: Fn()> Worker<W> {
    fn run(mut self) {
        let mut events = Events::with_capacity(UNDER_WAY_MAX);
        while self.take_jobs() {
            self.give_up();
            self.fill_up();
            let now = Instant::now();
            self.look_at_certificate(now);
            let timeout = self.due().saturating_duration_since(now);
            match self.poll.poll(&mut events, Some(timeout)) {
                Ok(()) => (),
                Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
                Err(error) => panic!("cannot wait for events: {error}"),
            }
            for event in events.iter().filter(|event| event.token() != WAKER) {
                let Token(place) = event.token();
                if let Some(one) = self.under_way.get_mut(place) {
                    one.socket.note(event);
                    self.go_on(place, &[]);
                }
                // Each may have taken a millisecond, and the loop may wait for those that nobody wants.
                self.take_jobs();
            }
        }
    }

    /// Whether there may be more.
    fn take_jobs(&mut self) -> bool {
        loop {
            match self.jobs.try_recv() {
                Ok(Job::Begin(beginning)) => self.waiting.push_back(beginning),
                Ok(Job::Abandon(number)) => self.abandon(number),
                Ok(Job::Renew(loaded)) => {
                    self.loaded = Some(loaded);
                    self.look_at = Instant::now();
                }
                Ok(Job::ProveLinks(ends)) => self.peers = Some(ends),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Nobody wants it any more. It has ended already where it is not here.
    fn abandon(&mut self, number: u64) {
        // Their numbers rise.
        if let Ok(place) = self.waiting.binary_search_by_key(&number, |one| one.number) {
            let one = self.waiting.remove(place).expect("it was found");
            return self.give_up_on(one);
        }
        let place = self.under_way.iter().find(|(_, one)| one.number == number).map(|(place, _)| place);
        if let Some(place) = place {
            let UnderWay { whose, number, .. } = self.remove(place);
            self.end(whose, number, Err(Failure::GivenUp));
        }
    }

    /// It has not begun, and never will.
    fn give_up_on(&self, beginning: Beginning) {
        let Beginning { whose, number, stream, .. } = beginning;
        // Before the loop hears of it: it may take in another client then.
        drop(stream);
        self.end(whose, number, Err(Failure::GivenUp));
    }

    /// Those whose time is over end, and those that stand still where others wait.
    fn give_up(&mut self) {
        let now = Instant::now();
        let is_over = |waiting: &VecDeque<Beginning>| {
            waiting.len() > WAITING_MAX || waiting.front().is_some_and(|oldest| oldest.until <= now)
        };
        while is_over(&self.waiting)
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.give_up_on(oldest);
        }
        let is_crowded = !self.waiting.is_empty() && self.under_way.len() >= UNDER_WAY_MAX;
        let is_over = |one: &UnderWay| one.until <= now || is_crowded && one.moved + STALL <= now;
        let over: Vec<usize> = self.under_way.iter().filter(|(_, one)| is_over(one)).map(|(place, _)| place).collect();
        for place in over {
            let UnderWay { whose, number, owes_greeting, .. } = self.remove(place);
            let failure = match owes_greeting {
                true => Failure::NotReached(format!("nobody answers within {} s", PATIENCE.as_secs())),
                false => Failure::GivenUp,
            };
            self.end(whose, number, Err(failure));
        }
    }

    /// The newest begin, as far as there are places.
    fn fill_up(&mut self) {
        for _ in 0..BEGUN_AT_ONCE {
            if self.under_way.len() >= UNDER_WAY_MAX {
                return;
            }
            let Some(beginning) = self.waiting.pop_back() else { return };
            self.begin(beginning);
            self.take_jobs();
        }
    }

    fn begin(&mut self, beginning: Beginning) {
        let Beginning { whose, number, stream, bytes, until } = beginning;
        let owes_greeting = matches!(whose, Whose::Dial(_));
        let socket = if owes_greeting { Socket::dialing(stream) } else { Socket::new(stream) };
        let place = self.under_way.vacant_key();
        let registered = socket.register(self.poll.registry(), Token(place));
        let transport = match registered.and_then(|()| self.transport(whose)) {
            Ok(transport) => Box::new(transport),
            Err(error) => return self.fail(whose, number, &error),
        };
        let moved = Instant::now();
        self.under_way.insert(UnderWay { whose, number, transport, socket, owes_greeting, until, moved });
        self.go_on(place, &bytes);
    }

    fn transport(&self, whose: Whose) -> std::io::Result<TlsTransport> {
        let none = || ErrorKind::Unsupported.into();
        match (whose, &self.loaded, &self.peers) {
            (Whose::Client(_), Some(loaded), _) => TlsTransport::server(Arc::clone(&loaded.config)),
            (Whose::Peer(_), _, Some(peers)) => peers.accepting(),
            (Whose::Dial(_), _, Some(peers)) => peers.dialing(),
            (Whose::Client(_), None, _) | (Whose::Peer(_) | Whose::Dial(_), _, None) => Err(none()),
        }
    }

    /// These bytes have come, or there may be others.
    fn go_on(&mut self, place: usize, bytes: &[u8]) {
        let UnderWay { whose, number, transport, socket, owes_greeting, moved, .. } = &mut self.under_way[place];
        let (whose, number) = (*whose, *number);
        if *owes_greeting {
            match socket.send(TLS_GREETING) {
                Ok(0) => return,
                // A fresh socket has room for that.
                Ok(_) => *owes_greeting = false,
                Err(error) => {
                    self.remove(place);
                    return self.end(whose, number, Err(Failure::NotReached(error.to_string())));
                }
            }
        }
        match transport.feed(socket, bytes).and_then(|()| transport.shake_hands(socket)) {
            Ok(Handshake::UnderWay) => *moved = Instant::now(),
            Ok(Handshake::Done) => {
                let UnderWay { transport, mut socket, .. } = self.remove(place);
                let stream = socket.take().expect("nobody else has it");
                let outcome = match whose {
                    Whose::Client(_) => {
                        let own = transport.certificates().first();
                        let from = self.loaded.as_ref().and_then(|loaded| loaded.user_from);
                        let shown = match (own, from) {
                            (None, _) => Certificate::None,
                            (Some(_), None) => Certificate::Valid,
                            (Some(own), Some(from)) => Certificate::OfUser(files::user(own, from).unwrap_or_default()),
                        };
                        Ok(Outcome { stream, transport, shown, binding: None })
                    }
                    Whose::Peer(_) | Whose::Dial(_) => peers::binding(&transport).map(|binding| Outcome {
                        stream,
                        transport,
                        shown: Certificate::None,
                        binding: Some(binding),
                    }),
                };
                match outcome {
                    Ok(outcome) => self.end(whose, number, Ok(outcome)),
                    Err(error) => self.fail(whose, number, &error),
                }
            }
            Err(error) => {
                self.remove(place);
                self.fail(whose, number, &error);
            }
        }
    }

    fn remove(&mut self, place: usize) -> UnderWay {
        let one = self.under_way.remove(place);
        // The loop's poll is to hear of it, and this one no more.
        let _ = one.socket.deregister(self.poll.registry());
        one
    }

    fn fail(&mut self, whose: Whose, number: u64, why: &std::io::Error) {
        match whose {
            Whose::Client(_) | Whose::Peer(_) => self.failures.note(why),
            // Whoever dials says it.
            Whose::Dial(_) => (),
        }
        self.end(whose, number, Err(Failure::Failed(format!("its handshake failed: {why}"))));
    }

    fn end(&self, whose: Whose, number: u64, outcome: Result<Outcome, Failure>) {
        // At the end of the process nobody listens.
        let _ = self.ended.send(Ended { whose, number, outcome });
        (self.wake)();
    }

    /// When to look again where nothing happens before.
    fn due(&self) -> Instant {
        let has_room = self.under_way.len() < UNDER_WAY_MAX;
        if has_room && !self.waiting.is_empty() {
            return Instant::now();
        }
        let due = |one: &UnderWay| if self.waiting.is_empty() { one.until } else { one.until.min(one.moved + STALL) };
        let first = self.under_way.iter().map(|(_, one)| due(one));
        first.chain(self.waiting.front().map(|oldest| oldest.until)).fold(self.look_at, Instant::min)
    }

    fn look_at_certificate(&mut self, now: Instant) {
        if self.look_at <= now {
            self.look_at = now + DAY;
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let warning = self.loaded.as_ref().and_then(|loaded| loaded.certificate.warning(unix.as_millis() as u64));
            if let Some(warning) = warning {
                log::warn!(event = "certificate_warning"; "TLS: {warning}");
            }
        }
    }
}
