//! Scripts that mean no good: each is ended or refused, in a number of looks that is bounded, and nothing of it has
//! happened. Time is counted: it passes with each look at the clock, so that no machine is too slow for this.

use std::cell::Cell;
use std::rc::Rc;

use kvstoreapp::node::{Node, Origin};

use crate::pure::{NOW, node, options, say};

/// What passes between two looks at the clock.
const NS_PER_LOOK: u64 = 1_000;
/// Looks in the time that a script may take.
const LOOKS_MAX: u64 = 5_000_000 / NS_PER_LOOK;
/// Instructions between two looks, at most.
const INSTRUCTIONS_PER_LOOK: u64 = 50;

/// Those that never end, or not in time, or take more than there is; each begins with a write, which is undone.
const HOSTILE: &[&str] = &[
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "local function f() while true do pcall(f) end end f()",
    "while true do redis.call('set', 'h' .. math.random(), 'x') end",
    "redis.call('flushall') while true do end",
    "while true do redis.call('publish', 'a', 'b') end",
    "local t = {} while true do t[#t + 1] = {} end",
    "local s = 'x' while true do s = s .. s end",
    "local s = 'x' while true do pcall(function() s = s .. s end) end",
    "return string.rep('x', 1e9)",
    "return string.find(string.rep('a', 200), string.rep('a?', 150) .. string.rep('a', 150))",
    "return string.find(string.rep('a', 5000), '.-.-.-.-.-.-b')",
    "return string.rep('a', 100000):match('(a*a*a*a*a*)b')",
    "return string.gsub(string.rep('a', 100000), 'a-a-a-b', 'x')",
    "for w in string.gmatch(string.rep('a', 5000), '.-.-.-.-b') do end",
    "return (string.gsub(string.rep('a', 1000000), '.', pcall))",
    "return string.gsub(string.rep('a', 100000), '.', function() while true do end end)",
    "local t = {} for i = 1, 50000 do t[i] = -i end table.sort(t)",
    "local t = {} for i = 1, 1e6 do table.insert(t, 1, i) end",
    "local t = {1, 2, 3} table.insert(t, -1e15, 1)",
    "local t = {} for i = 1, 100000 do t[i] = '' end while true do table.concat(t) end",
    "local a, b = string.rep('a', 2000000) .. 'b', string.rep('a', 2000000) .. 'c' while true do local x = a < b end",
    "local s = string.rep('a', 2000000) while true do local x = s .. 'b' end",
    "local s = string.rep('a', 2000000) while true do s:upper() end",
    "local s = string.rep('9', 1000000) while true do tonumber(s) end",
    "local t = {} for i = 1, 100000 do t[i] = 1 end while true do table.maxn(t) end",
    "local t = {} for i = 1, 7000 do t[i] = 'x' end while true do select('#', unpack(t)) end",
    "local t = {} for i = 1, 7000 do t[i] = 'k' .. i end while true do redis.pcall('mget', unpack(t)) end",
    "local t, m = {}, {} for i = 1, 7900 do t[i] = 'k' .. i end for i = 1, 500 do m[i] = string.rep(i .. '', 9000) \
     redis.pcall('mget', unpack(t)) end",
    "local s, t = string.rep('x', 1000000), {} for i = 1, 10000 do t[i] = s end return t",
    "local t = {} t[1] = t t[2] = t return t",
    "local t = {1} for i = 1, 40 do t = {t, t} end return t",
    "while true do loadstring(string.rep('x=1 ', 2000)) end",
    "while true do collectgarbage() end",
    "while true do tostring(setmetatable({}, {__tostring = function() while true do end end})) end",
    "while true do redis.call('keys', '*') end",
    "while true do redis.call('append', 'long', string.rep('x', 100000)) end",
    "local function f(s) return (string.gsub(s, '.', f)) end while true do f('a') end",
    "local s, t = string.rep('x', 1000000), {} for i = 1, 4000 do t[i] = s end \
     return #struct.pack(string.rep('s', 4000), unpack(t))",
    "while true do cjson.encode({string.rep('\\1', 1000000)}) end",
];

/// Those that are answered or refused at once, and reach nothing that is not theirs.
const REFUSED: &[&str] = &[
    "return 1 + os.time()",
    "return io.open('/etc/passwd')",
    "return require('os')",
    "return dofile('/etc/passwd')",
    "return loadfile('/etc/passwd')",
    "return debug.getregistry()",
    "return package.path",
    "return getfenv(0)",
    "return newproxy(true)",
    "return coroutine.create(print)",
    "return loadstring('\\27Lua')()",
    "return string.dump(function() end)",
    "_G.leaked = 1",
    "leaked = 1",
    "rawset(_G, 'leaked', 1)",
    "setmetatable(_G, {})",
    "string.rep = nil",
    "rawset(string, 'rep', nil)",
    "table.insert(string, 1)",
    "table.remove(redis)",
    "table.sort(string)",
    "setmetatable(redis, nil)",
    "getmetatable('').__index = nil",
    "getmetatable(_G).__index = nil",
    "redis.call = nil",
    "KEYS = 1",
    "local function f() return 1 + f() end return f()",
    "return string.format('%s', string.rep('x', 300000))",
    "return string.rep('(', 300) .. loadstring(string.rep('(', 300))",
    "error({})",
    "error(function() end)",
    "return struct.unpack(string.rep('b', 3000000), string.rep('b', 3000000))",
    "return struct.size(string.rep('b', 7000000))",
];

struct Guarded {
    node: Node,
    looks: Rc<Cell<u64>>,
}

impl Guarded {
    /// A node with one key, and a clock that counts.
    fn new() -> Guarded {
        let (mut node, looks) = (node(options()), Rc::new(Cell::new(0)));
        let counted = looks.clone();
        node.time_by(move || {
            counted.set(counted.get() + 1);
            counted.get() * NS_PER_LOOK
        });
        for id in 0..2 {
            node.open(id, Origin::Loopback, NOW).expect("two are not too many");
        }
        let mut guarded = Guarded { node, looks };
        assert_eq!(guarded.say(&["SET", "kept", "1"]), "+OK\r\n");
        guarded
    }

    fn say(&mut self, words: &[&str]) -> String {
        let mut request = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        String::from_utf8_lossy(&say(&mut self.node, 0, request.as_bytes())).into_owned()
    }

    fn assert_unchanged(&mut self, script: &str) {
        assert_eq!(self.say(&["KEYS", "*"]), "*1\r\n$4\r\nkept\r\n", "{script}");
        assert_eq!(self.say(&["GET", "kept"]), "$1\r\n1\r\n", "{script}");
        assert_eq!(say(&mut self.node, 1, b"*1\r\n$4\r\nPING\r\n"), b"+PONG\r\n", "another client is served");
        // Scripts after it find what they should.
        let check =
            "return {string.rep('a', 3), tostring(rawget(_G, 'leaked')), #string.format('%d', 5), type(redis.call)}";
        assert_eq!(
            self.say(&["EVAL", check, "0"]),
            "*4\r\n$3\r\naaa\r\n$3\r\nnil\r\n:1\r\n$8\r\nfunction\r\n",
            "{script}"
        );
    }
}

#[test]
fn a_hostile_script_is_ended_and_nothing_of_it_has_happened() {
    let mut guarded = Guarded::new();
    for script in HOSTILE {
        let before = guarded.looks.get();
        let text = format!("redis.call('set', 'kept', 'lost') redis.call('set', 'other', 'lost') {script}");
        let answer = guarded.say(&["EVAL", &text, "0"]);
        let looks = guarded.looks.get() - before;
        assert!(answer.starts_with("-ERR the script took "), "{script}: {answer}");
        assert!(answer.ends_with("it was ended, and nothing of it has happened\r\n"), "{script}: {answer}");
        // And one for each of the calls that it is within, of which C allows 200, and for who times the request.
        assert!(looks <= LOOKS_MAX + 220, "{script} was ended after {looks} looks");
        guarded.assert_unchanged(script);
    }
    assert_eq!(guarded.node.metrics().scripts_ended, HOSTILE.len() as u64);
}

#[test]
fn what_a_script_must_not_do_is_refused() {
    let mut guarded = Guarded::new();
    for script in REFUSED {
        let answer = guarded.say(&["EVAL", &script.replace("\\27", "\x1b"), "0"]);
        assert!(answer.starts_with("-ERR "), "{script}: {answer}");
        guarded.assert_unchanged(script);
    }
}

#[test]
fn what_a_script_is_given_counts_against_its_time() {
    let mut guarded = Guarded::new();
    let args: Vec<String> = (0..60_000).map(|number| number.to_string()).collect();
    let words: Vec<&str> = ["EVAL", "return #ARGV", "0"].into_iter().chain(args.iter().map(String::as_str)).collect();
    assert_eq!(guarded.say(&words[..1_003]), ":1000\r\n");
    let answer = guarded.say(&words);
    assert!(answer.starts_with("-ERR the script took longer"), "{answer}");
}

#[test]
fn a_script_works_with_no_value_that_takes_longer_than_it_may() {
    let mut guarded = Guarded::new();
    let long = "x".repeat((4 << 20) + 1);
    assert_eq!(guarded.say(&["SET", "long", &long]), "+OK\r\n");
    let calls = [
        "'get', 'long'",
        "'mget', 'kept', 'long'",
        "'append', 'long', 'y'",
        "'set', 'long', 'y', 'get'",
        "'setrange', 'long', 1, 'y'",
        "'setrange', 'other', 60000000, 'y'",
        "'setbit', 'other', 480000000, 1",
        "'bitcount', 'long'",
        "'bitop', 'not', 'other', 'long'",
    ];
    for call in calls {
        let answer = guarded.say(&["EVAL", &format!("return redis.call({call})"), "0"]);
        assert!(answer.starts_with("-ERR a value of more than 4 MiB"), "{call}: {answer}");
    }
    // What does not touch the value's bytes is done.
    for (call, answer) in
        [("'strlen', 'long'", ":4194305\r\n"), ("'set', 'long', 'y'", "+OK\r\n"), ("'del', 'long'", ":1\r\n")]
    {
        assert_eq!(guarded.say(&["EVAL", &format!("return redis.call({call})"), "0"]), answer);
    }
    guarded.assert_unchanged("long values");
}

#[test]
fn calls_within_calls_are_ended_by_lua_and_abort_no_build() {
    let mut guarded = Guarded::new();
    let answer = guarded.say(&["EVAL", "local function f() return pcall(f) end return f()", "0"]);
    assert_eq!(answer, ":1\r\n");
    guarded.assert_unchanged("nested pcall");
}

#[test]
fn a_script_whose_time_earlier_ones_used_is_told_so() {
    let mut guarded = Guarded::new();
    let half = "for i = 1, 160000 do end return 1";
    for words in [&["MULTI"][..], &["EVAL", half, "0"], &["EVAL", half, "0"]] {
        guarded.say(words);
    }
    let answer = guarded.say(&["EXEC"]);
    assert!(answer.starts_with("*2\r\n:1\r\n-ERR the scripts of this transaction took longer together"), "{answer}");
}

#[test]
fn the_words_of_an_error_are_told_as_far_as_somebody_reads_them() {
    let mut guarded = Guarded::new();
    for script in ["error(string.rep('a', 1000000))", "return redis.call(string.rep('a', 1000000))"] {
        let answer = guarded.say(&["EVAL", script, "0"]);
        assert!(answer.starts_with("-ERR ") && answer.len() < 5_000, "{} bytes", answer.len());
    }
}

#[test]
fn a_script_that_was_ended_ends_its_clients_turn() {
    let mut guarded = Guarded::new();
    let request = b"*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n".repeat(3);
    guarded.node.receive(0, &request, NOW);
    for _ in 0..3 {
        let answer = String::from_utf8_lossy(guarded.node.sendable(0)).into_owned();
        assert_eq!(answer.matches("-ERR the script took").count(), 1, "one in each turn: {answer}");
        guarded.node.sent(0, answer.len());
        guarded.node.resume(0, NOW);
    }
}

#[test]
fn a_script_is_looked_at_every_few_instructions() {
    let mut guarded = Guarded::new();
    let before = guarded.looks.get();
    // A turn of this loop is one instruction.
    assert_eq!(guarded.say(&["EVAL", "for i = 1, 100000 do end return 1", "0"]), ":1\r\n");
    let looks = guarded.looks.get() - before;
    assert!(looks >= 100_000 / INSTRUCTIONS_PER_LOOK, "{looks} looks in 100,000 instructions");
    assert!(looks < LOOKS_MAX, "and it had the time");
}

#[test]
fn without_a_clock_a_script_is_ended_after_so_many_instructions() {
    let mut node = node(options());
    node.open(0, Origin::Loopback, NOW).expect("one is not too many");
    let answer = say(&mut node, 0, b"*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n");
    assert!(answer.starts_with(b"-ERR the script took longer"), "{}", answer.escape_ascii());
}

#[test]
fn many_scripts_are_kept_within_a_bound_and_loaded_ones_stay() {
    let mut guarded = Guarded::new();
    let loaded = guarded.say(&["SCRIPT", "LOAD", "return 'loaded'"]);
    let digest = loaded.lines().nth(1).expect("a digest").to_owned();
    let first = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    assert_eq!(guarded.say(&["EVAL", "return 1", "0"]), ":1\r\n");
    for number in 0..1_000 {
        assert_eq!(guarded.say(&["EVAL", &format!("return {number} + 1"), "0"]), format!(":{}\r\n", number + 1));
    }
    assert_eq!(guarded.say(&["EVALSHA", &digest, "0"]), "$6\r\nloaded\r\n");
    assert!(guarded.say(&["EVALSHA", first, "0"]).starts_with("-NOSCRIPT"));
    let memory = guarded.say(&["INFO", "memory"]);
    assert!(memory.contains("number_of_cached_scripts:501\r\n"), "{memory}");
    let stats = guarded.say(&["INFO", "stats"]);
    assert!(stats.contains("evicted_scripts:501\r\n"), "{stats}");
    let long = format!("return 1 --{}", "x".repeat(64 << 10));
    assert!(guarded.say(&["EVAL", &long, "0"]).starts_with("-ERR script too long"));
}
