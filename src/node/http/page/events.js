// The last log lines that have a code, the newest first.

import { $, cells, el, every, mark, row, Rows, told, write } from "./dom.js";
import { call, pairs } from "./api.js";
import * as format from "./format.js";

const EVENTS = 500;
const RANK = { error: 3, warn: 2, info: 1 };
const LEVELS = { error: "bad", warn: "warn" };

let all = [], stop = null;

const rows = new Rows(
  $("event-list").tBodies[0],
  () => row(["when", "plain", "key", "message"]),
  (line, event) => {
    mark(line.children[1], "data-level", LEVELS[event.level]);
    mark(line.children[0], "title", format.exactly(event.unix_ms));
    const fields = Object.entries(event.fields).map(([name, value]) => `${name}=${value}`).join(" ");
    cells(line, format.clock(event.unix_ms), event.level, event.event, undefined);
    if (line.children[3].childElementCount === 0) line.children[3].append(event.message, " ", el("small", null, fields));
  },
);

export function begin() {
  $("events-level").onchange = show;
}

export function start() {
  stop = every(2000, load);
}

export const leave = () => stop?.();

// Numbers go on from one start of the node to the next time that it is asked, and begin anew with it.
const load = told($("events-state"), async () => {
  const after = all[0]?.number ?? 0;
  const said = (await call("EVENTS", "COUNT", EVENTS, "AFTER", after)).map(read);
  if (said.length === 0 && after > 0 && (await call("EVENTS", "COUNT", 1)).map(read)[0]?.number < after) all = [];
  all = [...said.reverse(), ...all].slice(0, EVENTS);
  show();
});

function read(list) {
  const event = pairs(list);
  return { ...event, level: event.level.toLowerCase(), fields: pairs(event.fields) };
}

function show() {
  const least = RANK[$("events-level").value] ?? 0;
  const wanted = all.filter((event) => (RANK[event.level] ?? 1) >= least);
  rows.show(wanted, (event) => `${event.number} ${event.unix_ms}`);
  write($("events-state"), `${format.count(wanted.length)} of the last ${format.count(all.length)} events`);
  $("event-list").nextElementSibling.hidden = wanted.length > 0;
}
