// What all nodes come to, in words, and the figures of each: asked once a second, told to whoever shows a part of it.

import { $, el, every, mark, write, Rows, row, cells } from "./dom.js";
import { get, reach } from "./api.js";
import * as format from "./format.js";

// A node that is stopped takes the question and does not answer.
const PATIENCE_MS = 4000;

const listeners = [];
let told = "";

export const onStatus = (listener) => listeners.push(listener);

// What is older says nothing of how a node is.
export const FRESH_MS = 5000;
export const isFresh = (node) => node.status !== null && node.age_ms !== null && node.age_ms <= FRESH_MS;

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function say(level, text, advice) {
  $("verdict").dataset.level = level;
  write($("verdict-text"), sentence(text));
  write($("verdict-advice"), advice);
  // The sentence changes each second, and is said aloud where it is another one.
  const gist = `${level} ${text.replace(/\d[\d.,]*/g, "")}`;
  if (gist !== told) write($("announcer"), advice ? `${text}. ${advice}` : text);
  told = gist;
}

function sayLost() {
  document.body.classList.toggle("lost", reach.since !== null);
  if (reach.since !== null) {
    say("bad", `This node has not answered since ${format.clock(reach.since)}`, "What is below is as it was then. Look at the node's log, or open another node's page.");
  }
}

export function begin(me) {
  reach.listeners.push(sayLost);
  if (!me.may.info) return say("none", `Logged in as ${me.user}, who may not see how the nodes are (INFO)`, "");
  return every(1000, async () => {
    try {
      const status = await get("/v1/status", { signal: AbortSignal.timeout(PATIENCE_MS) });
      const { level, text, advice } = status.verdict;
      say(level, text, advice);
      showFigures(status, me.node);
      showProblems(status.verdict);
      showNodes(status);
      listeners.forEach((listener) => listener(status));
    } catch (error) {
      if (!error.isKnown) throw error;
      if (error.status) say("bad", `How the nodes are is not known: ${error.message}`, "");
    }
  });
}

let figures;

function showFigures(status, own) {
  const node = status.nodes.find((one) => one.id === (status.asked ?? own));
  const now = node?.status;
  if (!now) return;
  document.title = `${["ok", "none"].includes(status.verdict.level) ? "" : "⚠ "}node ${node.id} · kvstoreapp`;
  write($("place"), `node ${node.id} · ${node.address} · ${now.version}`);
  const asked = now.hits + now.misses;
  const limit = now.memory_bytes_max ? `of ${format.bytes(now.memory_bytes_max)}` : "no limit";
  const all = [
    ["Keys", format.count(now.keys), `${format.count(now.conflicts)} conflicts`],
    ["Requests/s", format.count(now.requests_per_s), asked ? `${((100 * now.hits) / asked).toFixed(1)} % hits` : "no reads yet"],
    ["Clients", format.count(now.clients), `${now.durability} durability`],
    ["Memory", format.bytes(now.memory_bytes), limit],
    ["Tick p50 · p99", `${format.us(now.tick_us_p50)} · ${format.us(now.tick_us_p99)}`, `longest ${format.us(now.longest_tick_recent_us)} in 1 min`],
    ["Network in · out", `${format.bytes(now.bytes_in_per_s)}/s`, `${format.bytes(now.bytes_out_per_s)}/s out`],
    ["Not on disk", now.unsaved_changes ? format.ms(now.unsaved_ms) : "nothing", now.unsaved_changes ? `${format.count(now.unsaved_changes)} keys` : `last snapshot ${format.ms(now.snapshot_age_ms)} ago`],
    ["Up", format.seconds(now.uptime_s), now.ready ? "ready" : "not ready"],
  ];
  figures ??= all.map(([name]) => {
    const value = el("dd"), note = el("dd.note");
    $("figures").append(el("div", null, el("dt", null, name), value, note));
    return [value, note];
  });
  all.forEach(([, value, note], at) => { write(figures[at][0], value); write(figures[at][1], note); });
}

function showProblems({ text, problems = [] }) {
  const others = problems.filter((problem) => problem.text !== text);
  const list = $("problems");
  list.hidden = others.length === 0;
  const said = JSON.stringify(others);
  if (list.dataset.said === said) return;
  list.dataset.said = said;
  list.replaceChildren(...others.map((problem) => el(`li.${problem.level}`, null, el("strong", null, sentence(problem.text)), ` ${problem.advice ?? ""}`)));
}

const nodes = new Rows(
  $("nodes").tBodies[0],
  () => row(["plain", "address", "state", "num", "num", "num", "num", "num", "num", "num", "plain", "plain"]),
  (line, { node, asked }) => {
    const now = node.status, [, address, state] = line.children;
    const isOwn = node.id === asked;
    mark(line, "class", isOwn ? "own" : isFresh(node) || isOwn ? null : "old");
    if (address.dataset.to !== node.address) {
      address.dataset.to = node.address;
      // The page of another node is a page of its own.
      address.replaceChildren(isOwn ? node.address : el("a", { href: `${location.protocol}//${node.address}/` }, node.address));
    }
    const [level, text] = stateOf(node, isOwn);
    mark(state, "data-level", level);
    const unsaved = now && (now.disk_error ? "disk fails" : now.unsaved_changes ? format.ms(now.unsaved_ms) : "nothing");
    const known = now && [format.count(now.keys), format.count(now.requests_per_s), format.count(now.clients), format.bytes(now.memory_bytes), format.us(now.tick_us_p99), format.us(now.longest_tick_recent_us), unsaved, format.seconds(now.uptime_s)];
    const heard = isOwn ? "asked" : node.age_ms === null ? "never" : `${format.ms(node.age_ms)} ago${node.via === null ? "" : ` by node ${node.via}`}`;
    cells(line, node.id, undefined, text, ...(known || Array(8).fill("–")), heard);
  },
);

function stateOf(node, isOwn) {
  const now = node.status;
  if (!now) return ["warn", "has not said yet how it is"];
  if (!isOwn && !isFresh(node)) return ["bad", `silent for ${format.ms(node.age_ms)}`];
  if (now.ending) return ["warn", "shutting down"];
  if (now.disk_error) return ["bad", `disk: ${now.disk_error}`];
  return now.ready ? ["ok", "ready"] : ["warn", now.unready_why ?? "not ready"];
}

const showNodes = (status) => nodes.show(status.nodes.map((node) => ({ node, asked: status.asked })), ({ node }) => node.id);
