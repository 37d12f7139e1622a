//! One state of Lua in which scripts run one after another, and none leaves anything behind.
//!
//! What they find is what `prelude.lua` gives them. Not there: `os`, `io`, `package`, `require`, `dofile`, `loadfile`,
//! `debug`, `print`, `newproxy`, coroutines, and anything compiled before. Values that outlive a script are frozen.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::debug::HookTriggers;
use mlua::state::{GcIncParams, GcMode};
use mlua::{Function, LightUserData, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};

use super::arguments::{Arguments, PRELUDE, Place, add};
use super::budget::{Budget, Clock, Limits, Pace};
use super::errors::{self, Report, judge, report, tame};
use super::host::Host;
use super::library::{self, Switches};
use super::numbers::{Random, SEED};
use super::raised::{Cause, Failed, Raised};
use super::replies::{Call, Reading, Writing};
use super::{bits, json, packs, strings, structs, tables};

/// Longest script. To compile one of so many bytes takes some two milliseconds.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Longest text that a script compiles.
const LOADED_BYTES_MAX: usize = 8 << 10;
/// Texts that a script is given between two looks.
const TEXTS_PER_LOOK: usize = 8;
/// What a script is called in errors, as in Redis.
const SCRIPT_NAME: &str = "@user_script";

/// Instructions between two looks, while a script has no more memory than that: an instruction takes longer the longer
/// the texts and tables are that it works with.
const PACES: [(usize, u32); 4] = [(64 << 10, 50), (512 << 10, 20), (2 << 20, 5), (usize::MAX, 1)];

/// What all functions of a state share.
struct Shared {
    budget: Rc<Budget>,
    random: Rc<RefCell<Random>>,
    switches: Rc<Switches>,
    json: Rc<json::Chosen>,
    /// What the script under way failed with.
    report: RefCell<Option<Report>>,
    /// Memory in use when it began.
    memory_before: std::cell::Cell<usize>,
    /// Which of the paces it has.
    pace: std::cell::Cell<usize>,
}

/// See the module.
pub(super) struct Machine {
    lua: Lua,
    shared: Rc<Shared>,
    globals: Table,
    /// The globals as they can be changed.
    scripts: Table,
    run: Function,
    call: RefCell<(Call, Vec<u8>)>,
}

impl Machine {
    pub(super) fn new(clock: Option<Clock>, redis_version: &str) -> mlua::Result<Machine> {
        let lua = Lua::new_with(StdLib::STRING | StdLib::TABLE | StdLib::MATH, LuaOptions::default())?;
        let shared = Rc::new(Shared {
            budget: Rc::new(Budget::new(clock)),
            random: Rc::new(RefCell::new(Random::new(SEED))),
            switches: Rc::default(),
            json: Rc::default(),
            report: RefCell::default(),
            memory_before: std::cell::Cell::new(0),
            pace: std::cell::Cell::new(0),
        });
        let redis = library::redis(&lua, &shared.switches, redis_version)?;
        let given = given(&lua, &shared)?;
        for question in [Question::AclCheckCmd, Question::Log] {
            redis.raw_set(question.name(), asking(&lua, &redis, question)?)?;
        }
        given.raw_set("redis", redis)?;
        given.raw_set("questions", questions(&lua)?)?;
        given.raw_set("libraries", libraries(&lua, &shared)?)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name(format!("={PRELUDE}"));
        let (globals, scripts, run): (Table, Table, Function) = prelude.into_function()?.call(given)?;
        lua.set_globals(globals.clone())?;
        set_pace(&lua, &shared, 0)?;
        lua.gc_collect()?;
        Ok(Machine { lua, shared, globals, scripts, run, call: RefCell::default() })
    }

    /// A script that was compiled, or why it cannot be.
    pub(super) fn compile(&self, text: &[u8]) -> Result<Function, String> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!("ERR script too long: at most {TEXT_BYTES_MAX} bytes"));
        }
        let chunk = self.lua.load(text).set_name(SCRIPT_NAME).set_mode(ChunkMode::Text);
        let function = chunk.set_environment(self.globals.clone()).into_function();
        function.map_err(|error| format!("ERR Error compiling script (new function): {}", errors::first_line(&error)))
    }

    /// Runs a script that was compiled, and answers with what it returns. So much of its time is gone. Returns its
    /// error with where it was raised.
    pub(super) fn run(
        &self,
        script: &Function,
        (keys, args): (&[&[u8]], &[&[u8]]),
        host: &mut dyn Host,
        limits: Limits,
        spent_ns: u64,
    ) -> Result<(), (Failed, Option<Place>)> {
        let Machine { lua, shared, .. } = self;
        let budget = &shared.budget;
        shared.memory_before.set(lua.used_memory());
        shared.switches.resp3.set(false);
        shared.json.reset();
        shared.report.replace(None);
        *shared.random.borrow_mut() = Random::new(SEED);
        budget.begin(limits, spent_ns);
        let ran = self.run_within(script, keys, args, host, limits);
        let _before = lua.set_memory_limit(0);
        let ended = self.leave_nothing(ran.is_err()).and(ran);
        match (budget.ended(), ended) {
            (Some(cause), _) => Err((Failed::Ended(cause), None)),
            (None, Ok(None)) => Ok(()),
            (None, Ok(Some(Report { words, place }))) => {
                Err((Failed::Raised(String::from_utf8_lossy(&words).into_owned()), place))
            }
            (None, Err(mlua::Error::MemoryError(_) | mlua::Error::StackError)) => {
                Err((Failed::Ended(Cause::Memory), None))
            }
            (None, Err(error)) => Err((Failed::Raised(format!("ERR {}", errors::first_line(&error))), None)),
        }
    }

    fn run_within(
        &self,
        script: &Function,
        keys: &[&[u8]],
        args: &[&[u8]],
        host: &mut dyn Host,
        limits: Limits,
    ) -> mlua::Result<Option<Report>> {
        let Machine { lua, shared, run, .. } = self;
        let list = |texts: &[&[u8]]| -> mlua::Result<Table> {
            let table = lua.create_table_with_capacity(texts.len(), 0)?;
            for (index, text) in texts.iter().enumerate() {
                // Lua hashes long texts by a few of their bytes: it may have to compare one with all before it.
                if index.is_multiple_of(TEXTS_PER_LOOK) {
                    shared.budget.look()?;
                }
                table.raw_set(index + 1, lua.create_string(text)?)?;
            }
            Ok(table)
        };
        // What is bounded beforehand is made without a limit: with one, Lua is asked for each text in a call of its own.
        let bytes: usize = keys.iter().chain(args).map(|text| text.len() + TEXT_COSTS).sum();
        shared.budget.allow_bytes(bytes)?;
        let (keys, argv) = (list(keys)?, list(args)?);
        quicken(lua, shared)?;
        let host = RefCell::new(host);
        let returned = lua.scope(|scope| {
            // One function for all questions: what is made for a script is paid for by each.
            let ask = scope.create_function(|lua, mut values: MultiValue| {
                let host = &mut **host.borrow_mut();
                let Some(question) = Question::take(&mut values) else {
                    return match self.call(lua, &values, host)? {
                        Value::Table(table) => match table.raw_get("err")? {
                            Value::String(words) => Err(Raised::Refusal(words.as_bytes().to_vec()).into()),
                            _ => Ok(Value::Table(table)),
                        },
                        other => Ok(other),
                    };
                };
                match question {
                    Question::Pcall => self.call(lua, &values, host),
                    Question::AclCheckCmd => self.allows(&values, host).map(Value::Boolean),
                    Question::Log => {
                        let (urgency, line) = library::line_of_log(lua, values)?;
                        host.log(urgency, &line);
                        Ok(Value::Nil)
                    }
                }
            })?;
            let _before = lua.set_memory_limit(shared.memory_before.get() + limits.memory_bytes);
            run.call::<(bool, Value)>((script, ask, keys, argv))
        })?;
        match returned {
            (true, value) => {
                let (budget, resp3) = (&shared.budget, shared.switches.resp3.get());
                let mut host = host.borrow_mut();
                let mut writing = Writing { host: &mut **host, budget, resp3, pace: Pace::default(), bytes: 0 };
                writing.value(&value, 0)?;
                budget.look()?;
                Ok(None)
            }
            (false, value) => Ok(Some(shared.report.take().unwrap_or_else(|| report(lua, &shared.budget, &value)))),
        }
    }

    /// What the last script had is no longer to be found. The prelude forgets what it was given, unless it is ended.
    fn leave_nothing(&self, is_ended: bool) -> mlua::Result<()> {
        if is_ended {
            self.scripts.raw_set("KEYS", false)?;
            self.scripts.raw_set("ARGV", false)?;
        }
        let (call, reply) = &mut *self.call.borrow_mut();
        call.text.shrink_to(KEPT_BYTES);
        reply.shrink_to(KEPT_BYTES);
        if self.shared.pace.get() > 0 {
            set_pace(&self.lua, &self.shared, 0)?;
        }
        Ok(())
    }

    fn call(&self, lua: &Lua, values: &MultiValue, host: &mut dyn Host) -> mlua::Result<Value> {
        let (call, reply) = &mut *self.call.borrow_mut();
        let budget = &self.shared.budget;
        if let Err(raised) = call.fill(values) {
            return match raised {
                Raised::Refusal(words) => Ok(Value::Table(errors::refusal(lua, &words)?)),
                other => Err(other.into()),
            };
        }
        budget.allow_bytes(call.text.len())?;
        let owed_ns = host.call(&call.text, &call.spans, self.shared.switches.resp3.get(), reply);
        budget.owe(owed_ns);
        // The same as a hundred instructions.
        budget.look()?;
        budget.allow_bytes(reply.len())?;
        let value = Reading::new(lua, budget, reply).value();
        quicken(lua, &self.shared)?;
        value
    }

    fn allows(&self, values: &MultiValue, host: &mut dyn Host) -> mlua::Result<bool> {
        let (call, _) = &mut *self.call.borrow_mut();
        call.fill(values)?;
        let allowed = host.allows(&call.text, &call.spans);
        let unknown = b"ERR Invalid command passed to redis.acl_check_cmd()";
        allowed.ok_or_else(|| Raised::Refusal(unknown.to_vec()).into())
    }

    /// Memory that the state has, with all that was compiled.
    pub(super) fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Looks in all scripts so far.
    pub(super) fn looks(&self) -> u64 {
        self.shared.budget.looks()
    }
}

/// What a text costs beside its bytes, at most: its head, and its place in a table.
const TEXT_COSTS: usize = 64;

/// What scripts ask the node, but for `redis.call`; each is told by a mark before the arguments, which no script has.
#[derive(Clone, Copy)]
enum Question {
    Pcall = 1,
    AclCheckCmd,
    Log,
}

impl Question {
    const ALL: [Question; 3] = [Question::Pcall, Question::AclCheckCmd, Question::Log];

    fn name(self) -> &'static str {
        match self {
            Question::Pcall => "pcall",
            Question::AclCheckCmd => "acl_check_cmd",
            Question::Log => "log",
        }
    }

    fn mark(self) -> LightUserData {
        LightUserData(std::ptr::without_provenance_mut(self as usize))
    }

    /// Takes its mark from the arguments; `None`: it is a call.
    fn take(values: &mut MultiValue) -> Option<Question> {
        let Some(Value::LightUserData(mark)) = values.front() else { return None };
        let question = Question::ALL.into_iter().find(|question| question.mark() == *mark)?;
        let _mark = values.pop_front();
        Some(question)
    }
}

/// Their marks, by name.
fn questions(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    Question::ALL
        .into_iter()
        .try_for_each(|question| table.raw_set(question.name(), Value::LightUserData(question.mark())))?;
    Ok(table)
}

/// The script's way to a question that may be refused. It is none of Lua's functions: who returns what such a one
/// returns leaves his place to it, and an error could not say where it was raised.
fn asking(lua: &Lua, redis: &Table, question: Question) -> mlua::Result<Function> {
    let redis = redis.clone();
    lua.create_function(move |_, mut values: MultiValue| {
        values.push_front(Value::LightUserData(question.mark()));
        redis.raw_get::<Function>("call")?.call::<Value>(values)
    })
}

/// Memory for a call's texts that stays.
const KEPT_BYTES: usize = 16 << 10;

/// What the prelude is handed.
fn given(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let given = lua.create_table()?;
    let budget = &shared.budget;
    given.raw_set("string", strings::functions(lua, budget)?)?;
    given.raw_set("table", tables::functions(lua, budget)?)?;
    given.raw_set("math", tables::random_functions(lua, &shared.random)?)?;
    let of = budget.clone();
    add(lua, &given, "find_from", move |args| strings::find_from(&of, args))?;
    let of = budget.clone();
    given.raw_set("judge", lua.create_function(move |lua, caught: Value| judge(lua, &of, caught))?)?;
    let of = budget.clone();
    given.raw_set("tame", lua.create_function(move |lua, caught: Value| tame(lua, &of, caught))?)?;
    let of = shared.clone();
    let handle = move |lua: &Lua, raised: Value| {
        let found = report(lua, &of.budget, &raised);
        of.report.replace(Some(found));
        Ok(())
    };
    given.raw_set("handle", lua.create_function(handle)?)?;
    let refuse_frozen = |lua: &Lua, table: Table| tables::refuse_frozen(lua, &table);
    given.raw_set("refuse_frozen", lua.create_function(refuse_frozen)?)?;
    let of = budget.clone();
    let load = move |lua: &Lua, values: MultiValue| load(lua, &of, values);
    given.raw_set("load", lua.create_function(load)?)?;
    let base = lua.create_table()?;
    base.raw_set("collectgarbage", lua.create_function(collect_garbage)?)?;
    base.raw_set("gcinfo", lua.create_function(|lua, ()| Ok(lua.used_memory() / 1024))?)?;
    given.raw_set("base", base)?;
    Ok(given)
}

/// What scripts find beside Lua's own libraries and `redis`.
fn libraries(lua: &Lua, shared: &Shared) -> mlua::Result<Table> {
    let libraries = lua.create_table()?;
    libraries.raw_set("bit", bits::library(lua)?)?;
    libraries.raw_set("cjson", json::library(lua, &shared.budget, &shared.json)?)?;
    libraries.raw_set("cmsgpack", packs::library(lua, &shared.budget)?)?;
    libraries.raw_set("struct", structs::library(lua, &shared.budget)?)?;
    Ok(libraries)
}

/// Text that is a chunk of Lua as a function; nil, and why, where it is none. Nothing that was compiled before.
fn load(lua: &Lua, budget: &Budget, values: MultiValue) -> mlua::Result<(Value, Value)> {
    let args = Arguments::new(lua, "loadstring", values);
    let text = args.text(1)?;
    let text = text.as_bytes();
    let refuse = |why: &str| Ok((Value::Nil, Value::String(lua.create_string(why)?)));
    if text.first() == Some(&0x1b) {
        return refuse("attempt to load chunk with wrong mode");
    }
    if text.len() > LOADED_BYTES_MAX {
        return refuse("chunk too long: at most 8192 bytes");
    }
    budget.look()?;
    let name = match args.get(2) {
        Value::String(name) => name.to_string_lossy(),
        _ => String::from_utf8_lossy(&text).into_owned(),
    };
    let chunk = lua.load(&text[..]).set_name(name).set_mode(ChunkMode::Text);
    match chunk.set_environment(lua.globals()).into_function() {
        Ok(function) => Ok((Value::Function(function), Value::Nil)),
        Err(error @ mlua::Error::MemoryError(_)) => Err(error),
        Err(error) => refuse(&errors::first_line(&error)),
    }
}

/// How much memory is in use. It is collected in steps, as scripts go: to collect all at once would take too long.
fn collect_garbage(lua: &Lua, values: MultiValue) -> mlua::Result<f64> {
    let args = Arguments::new(lua, "collectgarbage", values);
    match args.get(1) {
        Value::String(what) if what.as_bytes() == *b"count" => Ok(lua.used_memory() as f64 / 1024.0),
        _ => Ok(0.0),
    }
}

/// The more memory the script has, the more often it is looked at, and the sooner memory is collected.
fn quicken(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<()> {
    let pace = shared.pace.get();
    let memory = lua.used_memory().saturating_sub(shared.memory_before.get());
    if memory <= PACES[pace].0 {
        return Ok(());
    }
    let faster = PACES.iter().position(|(most, _)| memory <= *most).unwrap_or(PACES.len() - 1);
    set_pace(lua, shared, faster)
}

fn set_pace(lua: &Lua, shared: &Rc<Shared>, pace: usize) -> mlua::Result<()> {
    shared.pace.set(pace);
    let (pause, multiplier) = if pace < 2 { (200, 200) } else { (110, 800) };
    let params = GcIncParams::default().pause(pause).step_multiplier(multiplier);
    let _before = lua.gc_set_mode(GcMode::Incremental(params));
    let of = shared.clone();
    let triggers = HookTriggers::new().every_nth_instruction(PACES[pace].1);
    lua.set_global_hook(triggers, move |lua, _| {
        of.budget.look()?;
        quicken(lua, &of)?;
        Ok(VmState::Continue)
    })
}
