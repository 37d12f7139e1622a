//! Who a client is, and what it does beside its requests.

use std::rc::Rc;

use super::http::conversation::Conversation;
use super::listening::Listening;
use super::origin::{Crowd, Origin, Source};
use super::strangers::Standing;
use super::transaction::{Queue, Watched};
use super::waiting::Causes;
use super::waits::Waits;
use crate::auth::Access;
use crate::http::body::Receiving;
use crate::protocol::Command;
use crate::store::Database;

/// See the module.
pub(super) struct Client {
    /// Its number among all clients there ever were.
    pub(super) number: u64,
    /// Where it comes from.
    pub(super) origin: Origin,
    /// With whom.
    pub(super) crowd: Crowd,
    /// Whether it may speak.
    pub(super) standing: Standing,
    /// Which user it is, and what that may do.
    pub(super) access: Access,
    /// Its address and the one it reached, as the server knows them.
    pub(super) addresses: (String, String),
    /// Whether it came by TLS.
    pub(super) is_encrypted: bool,
    /// Whether its certificate says which user it is.
    pub(super) is_vouched: bool,
    /// What it calls itself, its library, and the library's version.
    pub(super) name: Vec<u8>,
    pub(super) library: (Vec<u8>, Vec<u8>),
    pub(super) begun_us: u64,
    /// When bytes last came, in monotonic microseconds.
    pub(super) active_us: u64,
    /// The beginning of a request whose end has not come, or requests that wait for their turn.
    pub(super) inbox: Vec<u8>,
    /// Where the room for the next bytes begins.
    pub(super) room_start: usize,
    /// Whether it has said all it will say.
    pub(super) ended: bool,
    pub(super) waits: Waits,
    /// What answers of it wait for: the node's lists of waiters hold them.
    pub(super) gated: Causes,
    /// Whether the node's list of sessions with something to send holds it.
    pub(super) touched: bool,
    /// The command that came last, and its subcommand where it has some.
    pub(super) command: Option<Command>,
    pub(super) subcommand: Option<&'static str>,
    /// The database that its requests are about.
    pub(super) database: Database,
    /// The database that it asked for and could not have; until it asks for one that there is it gets no data.
    pub(super) refused_database: Option<Box<str>>,
    /// The transaction that is being put together.
    pub(super) queue: Option<Box<Queue>>,
    pub(super) watched: Watched,
    /// The position of its last write; 0: none.
    pub(super) written: u64,
    /// What it listens to.
    pub(super) listening: Listening,
    /// Whether it is told of every request.
    pub(super) is_monitor: bool,
    /// How often it has said a password that was none.
    pub(super) failed_proofs: u8,
    /// What it watches by prefix; how far it was told of that the node's list of watchers knows.
    pub(super) watch: Option<Rc<[u8]>>,
    /// How far it is where it speaks HTTP; `None` before its first request.
    pub(super) http: Option<Box<Conversation>>,
}

impl Client {
    /// The `number`th.
    pub(super) fn new(number: u64, source: Source, standing: Standing, access: Access, now_us: u64) -> Client {
        let Source { origin, crowd } = source;
        Client {
            number,
            origin,
            crowd,
            standing,
            access,
            addresses: Default::default(),
            is_encrypted: false,
            is_vouched: false,
            name: Vec::new(),
            library: Default::default(),
            begun_us: now_us,
            active_us: now_us,
            inbox: Vec::new(),
            room_start: 0,
            ended: false,
            waits: Waits::ForInput,
            gated: Causes::default(),
            touched: false,
            command: None,
            subcommand: None,
            database: Database::ZERO,
            refused_database: None,
            queue: None,
            watched: Watched::default(),
            written: 0,
            listening: Listening::default(),
            is_monitor: false,
            failed_proofs: 0,
            watch: None,
            http: None,
        }
    }

    /// The body of a request that is being received.
    pub(super) fn body_under_way(&mut self) -> Option<&mut Receiving> {
        self.http.as_mut()?.body()
    }

    /// Memory that its request of HTTP has.
    pub(super) fn http_bytes(&self) -> usize {
        self.http.as_ref().map_or(0, |http| http.bytes())
    }

    /// Whether it has authenticated, or is nobody again, since its standing was noted.
    pub(super) fn has_changed_standing(&self) -> bool {
        match self.standing {
            Standing::Admitted => !self.access.is_authenticated(),
            Standing::Unproven { .. } => self.access.is_authenticated(),
            Standing::Denied { .. } | Standing::Leaving => false,
        }
    }

    /// Whether it listens to anything.
    pub(super) fn is_listening(&self) -> bool {
        !self.listening.is_empty()
    }
}
