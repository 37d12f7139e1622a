//! Scripts in Lua 5.1: compiled, kept by their digest, and run in a state that they can neither leave nor change.
//!
//! Pure as all around it: what a script asks for is the [`Host`]'s to do, and the time comes from a clock that is handed
//! in. A script cannot hold up whoever runs it. It may take a time and a memory, and is ended where it wants more:
//!
//! - [`Limits`], `budget`: what it may take, and the looks by which that is found; `raised`: how a script is ended, past
//!   all that it can catch
//! - `machine`: the state; `prelude.lua`: what scripts find in it; `strings`, `patterns`, `tables`: functions of Lua's
//!   libraries that would run long without a look, made anew; `library`: `redis`; `arguments`: what functions are
//!   called with
//! - `json`, `packs`, `structs`, `bits`: the libraries that Redis has: `cjson`, `cmsgpack`, `struct`, `bit`
//! - `replies`: answers of commands as values, and values as answers; `numbers`: numbers as C writes them; `errors`:
//!   what went wrong, in Redis' words
//! - `cache`: scripts by their digest; `shebang`: what a script says of itself
//!
//! Example: `return redis.call('GET', KEYS[1])` has Lua call [`Host::call`] with `GET` and the key; the answer `$1 x` is
//! the text `x` to the script, and the script's result is answered as `$1 x` again.

mod arguments;
mod bits;
mod budget;
mod cache;
mod errors;
mod host;
mod json;
mod library;
mod machine;
mod numbers;
mod packs;
mod patterns;
mod raised;
mod replies;
mod shebang;
mod strings;
mod structs;
mod tables;

pub use budget::{Clock, Limits};
use cache::Cache;
pub use cache::{Digest, digest_of, parse_digest};
pub use host::{Host, Urgency};
use machine::Machine;
pub use machine::TEXT_BYTES_MAX;
pub use raised::{Cause, Failed};
pub use shebang::Shebang;

use crate::protocol::hex;

/// See the module.
#[derive(Default)]
pub struct Engine {
    /// `None` until there is a script.
    machine: Option<Machine>,
    cache: Cache,
    clock: Option<Clock>,
    redis_version: &'static str,
}

impl Engine {
    /// No script was seen yet. `redis_version` is what scripts are told.
    pub fn new(redis_version: &'static str) -> Engine {
        Engine { redis_version, ..Engine::default() }
    }

    /// What scripts are timed by, in monotonic nanoseconds. Without it they are ended after so many instructions.
    pub fn time_by(&mut self, clock: Clock) {
        self.clock = Some(clock);
        self.forget_all();
    }

    /// Compiles a script, unless it is there; why it cannot be, in Redis' words.
    pub fn compile(&mut self, digest: Digest, text: &[u8]) -> Result<(), String> {
        if self.cache.has(&digest) {
            return Ok(());
        }
        let (shebang, body) = Shebang::parse(text)?;
        let machine = match &self.machine {
            Some(machine) => machine,
            None => {
                let machine = Machine::new(self.clock.clone(), self.redis_version);
                self.machine.insert(machine.map_err(|error| format!("ERR no Lua: {error}"))?)
            }
        };
        let function = machine.compile(body)?;
        self.cache.add(digest, function, shebang, text.len());
        Ok(())
    }

    /// Compiles a script that stays until all are [forgotten](Engine::forget_all).
    pub fn load(&mut self, digest: Digest, text: &[u8]) -> Result<(), String> {
        if !self.cache.has_room_for(text.len()) {
            return Err("ERR too many scripts are loaded: SCRIPT FLUSH forgets them".to_owned());
        }
        self.compile(digest, text)?;
        self.cache.keep(&digest);
        Ok(())
    }

    /// Whether the script is there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.cache.has(digest)
    }

    /// What the script says of itself, which is about to be run.
    pub fn shebang(&mut self, digest: &Digest) -> Option<Shebang> {
        self.cache.find(digest).map(|script| script.shebang)
    }

    /// Runs a script that is there, and answers with what it returns. So much of its time is gone already. Where it
    /// fails, what it has answered so far is to be taken back.
    pub fn run(
        &mut self,
        digest: &Digest,
        arguments: (&[&[u8]], &[&[u8]]),
        host: &mut dyn Host,
        limits: Limits,
        spent_ns: u64,
    ) -> Result<(), Failed> {
        let (Some(script), Some(machine)) = (self.cache.find(digest), &self.machine) else {
            return Err(Failed::Raised(NO_SCRIPT.to_owned()));
        };
        machine.run(&script.function, arguments, host, limits, spent_ns).map_err(|(failed, place)| match failed {
            Failed::Raised(words) => Failed::Raised(match place {
                Some(place) => format!("{words} script: {}, on {}:{}.", hex::written(digest), place.source, place.line),
                None => words,
            }),
            ended @ Failed::Ended(_) => ended,
        })
    }

    /// Forgets all scripts, and gives their memory back.
    pub fn forget_all(&mut self) {
        self.cache.clear();
        self.machine = None;
    }

    /// How many scripts there are.
    pub fn scripts(&self) -> usize {
        self.cache.len()
    }

    /// Bytes of their texts.
    pub fn text_bytes(&self) -> usize {
        self.cache.text_bytes()
    }

    /// Scripts that were forgotten to make room.
    pub fn evicted(&self) -> u64 {
        self.cache.evicted()
    }

    /// Memory of Lua, with all that is compiled.
    pub fn memory_bytes(&self) -> usize {
        self.machine.as_ref().map_or(0, Machine::memory_bytes)
    }

    /// Looks by which scripts are bounded, so far.
    pub fn looks(&self) -> u64 {
        self.machine.as_ref().map_or(0, Machine::looks)
    }
}

/// What is said where a script is not there.
pub const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";
