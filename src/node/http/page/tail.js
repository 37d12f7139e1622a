// Changes of keys as they happen. The browser goes on where it was when the connection broke; what comes faster than
// anybody reads is counted and not shown.

import { $, databases, el, write } from "./dom.js";
import { get, percent, placeOf, shown } from "./api.js";
import * as format from "./format.js";

const ROWS_MAX = 250;
// Rows made in a second, more than anybody reads, beside those of a burst; and how often.
const ROWS_PER_S = 125, TURN_MS = 200;
const VALUE_CHARS = 160;

let source = null, db = 0, held = [], isPaused = false, isPlanned = false, lastTurn = 0;
let room = ROWS_MAX;
let came = 0, skipped = 0, rate = 0, cameBefore = 0, timer = null;

export function begin(me) {
  databases($("follow-db"), me.databases);
  // What is of another database does not stay among what comes.
  $("follow-db").onchange = () => { clear(); follow(); };
  $("follow").onsubmit = (event) => { event.preventDefault(); follow(); };
  $("follow-pause").onclick = () => {
    isPaused = !isPaused;
    $("follow-pause").ariaPressed = String(isPaused);
    write($("follow-pause"), isPaused ? "Go on" : "Pause");
    if (!isPaused) plan();
    count();
  };
  $("follow-clear").onclick = clear;
}

function clear() {
  $("changes").tBodies[0].replaceChildren();
  [held, came, skipped, cameBefore] = [[], 0, 0, 0];
  count();
}

export const start = () => { if (!source) follow(); };

function follow() {
  source?.close();
  held = [];
  db = Number($("follow-db").value);
  source = new EventSource(`/v1/watch?db=${db}&prefix=${percent($("follow-prefix").value)}`);
  const mine = source;
  write($("follow-state"), "Connecting…");
  mine.onopen = () => write($("follow-state"), "Following");
  mine.onmessage = take;
  mine.onerror = async () => {
    if (mine !== source) return;
    if (mine.readyState !== EventSource.CLOSED) return write($("follow-state"), "The connection broke: going on where it was…");
    // The node has refused. Asking says why, or leads to the login.
    write($("follow-state"), "The node ended the stream");
    source = null;
    try { await get("/v1/me"); } catch (error) { write($("follow-state"), error.message); if (!error.isKnown) throw error; }
  };
  $("follow-pause").disabled = $("follow-clear").disabled = false;
  clearInterval(timer);
  timer = setInterval(() => { rate = came - cameBefore; cameBefore = came; count(); }, 1000);
}

function take(event) {
  came++;
  held.push(event.data);
  // While it is paused, or the page is not seen, the newest are kept.
  if (held.length > 2 * ROWS_MAX) skipped += held.splice(0, held.length - ROWS_MAX).length;
  if (!isPaused) plan();
}

// What came since the last turn is shown with the next frame.
function plan() {
  if (isPlanned) return;
  isPlanned = true;
  const wait = Math.max(0, lastTurn + TURN_MS - performance.now());
  setTimeout(() => requestAnimationFrame(turn), wait);
}

function turn() {
  isPlanned = false;
  if (isPaused) return;
  const now = performance.now();
  room = Math.min(ROWS_MAX, room + ((now - lastTurn) * ROWS_PER_S) / 1000);
  lastTurn = now;
  const shownNow = held.slice(-Math.max(1, Math.ceil(room)));
  room -= shownNow.length;
  skipped += held.length - shownNow.length;
  held = [];
  const body = $("changes").tBodies[0];
  body.prepend(...shownNow.map(line).reverse());
  while (body.rows.length > ROWS_MAX) body.rows[body.rows.length - 1].remove();
  count();
}

function line(data) {
  const change = JSON.parse(data);
  const isText = change.key_encoding !== "base64";
  const key = isText ? change.key : { base64: change.key };
  const unixMs = Number(BigInt(change.stamp.clock) >> 16n);
  const kind = change.event === "delete" ? el("td.plain", { "data-level": "warn" }, "deleted") : el("td.plain", null, "set");
  return el("tr", null,
    el("td.when", null, format.clock(unixMs, true)),
    el("td.num", null, change.stamp.node),
    kind,
    el("td.key", null, el("a", { href: placeOf(key, db), title: shown(key) }, shown(key))),
    el("td.preview", null, preview(change)));
}

function preview({ event, value, encoding, value_bytes }) {
  if (event === "delete") return "";
  if (value_bytes !== undefined) return `${format.bytes(value_bytes)}, too long to be shown here`;
  if (encoding === "base64") return shown({ base64: value.slice(0, VALUE_CHARS - (VALUE_CHARS % 4)) });
  return value.length > VALUE_CHARS ? `${shown(value.slice(0, VALUE_CHARS))}… ${format.count(value.length)} characters` : shown(value);
}

function count() {
  const waiting = isPaused && held.length ? `${format.count(held.length)} wait` : "";
  const parts = [`${format.count(came)} changes`, `${format.count(rate)} in the last second`, skipped ? `${format.count(skipped)} of them not shown` : "all shown", waiting];
  write($("follow-count"), came ? parts.filter(Boolean).join(" · ") : "");
  $("changes-empty").hidden = $("changes").tBodies[0].rows.length > 0;
}
