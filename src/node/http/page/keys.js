// Keys, found by how they begin, by a pattern or as they are, in pages.

import { $, cells, databases, mark, row, Rows, write } from "./dom.js";
import { get, percent, placeOf, shown } from "./api.js";
import * as value from "./value.js";
import * as format from "./format.js";

const PAGE = 100;

// The cursors that led to the page that is shown, whose last is its own.
let cursors = ["0"], next = null, asking = null, chosen = null, hasAsked = false;

const order = new Intl.Collator("en", { numeric: true });

const idOf = ({ key, db }) => `${db}${typeof key === "string" ? `t${key}` : `b${key.base64}`}`;

const database = () => Number($("find-db").value);

const rows = new Rows(
  $("key-list").tBodies[0],
  ({ key, db }) => {
    const line = row(["key", "num", "num", "num", "num"]);
    const link = document.createElement("a");
    link.href = placeOf(key, db);
    write(link, shown(key) || "(empty)");
    link.title = shown(key);
    line.children[0].append(link);
    return line;
  },
  (line, item) => {
    const isKnown = item.bytes !== undefined;
    mark(line, "class", chosen === idOf(item) ? "own" : null);
    mark(line.children[3], "title", isKnown ? format.exactly(item.written_unix_ms) : null);
    const [size, ttl] = isKnown ? [format.bytes(item.bytes), item.ttl_ms === null ? "never" : `in ${format.ms(item.ttl_ms)}`] : ["", ""];
    cells(line, undefined, size, ttl, isKnown ? format.ago(item.written_unix_ms) : "may not be read", isKnown ? item.node : "");
  },
);

export function begin(me) {
  value.begin(me, () => hasAsked && look());
  databases($("find-db"), me.databases);
  $("find").onsubmit = (event) => { event.preventDefault(); lookAnew(); };
  $("find-db").onchange = lookAnew;
  $("find-new").onclick = () => { choose(null); value.create(database()); };
  $("page-back").onclick = () => { cursors.pop(); look(); };
  $("page-next").onclick = () => { cursors.push(next); look(); };
}

// `place`: the key that is to be seen, percent-encoded, and its database.
export function start(place) {
  const [, text, number] = place?.match(/^(.*?)(?:\?db=(\d+))?$/s) ?? [];
  const db = Number(number ?? 0);
  if (place && db !== database()) { $("find-db").value = db; lookAnew(); }
  if (!hasAsked) look();
  if (!place) return;
  const key = value.decode(text);
  choose({ key, db });
  value.open(key, db);
}

export const leave = () => asking?.abort();

function choose(item) {
  chosen = item && idOf(item);
  rows.known.forEach((line, id) => mark(line, "class", id === chosen ? "own" : null));
}

function lookAnew() {
  cursors = ["0"];
  look();
}

async function look() {
  hasAsked = true;
  asking?.abort();
  const mine = (asking = new AbortController());
  const [by, text, db] = [$("find-by").value, $("find-text").value, database()];
  const wanted = text && `&${by}=${percent(text)}`;
  write($("find-state"), "Looking…");
  const begun = performance.now();
  try {
    const list = await get(`/v1/keys?db=${db}&details=1&count=${PAGE}&cursor=${cursors.at(-1)}${wanted}`, { signal: mine.signal });
    list.keys.forEach((item) => { item.db = db; });
    show(list, text, performance.now() - begun);
  } catch (error) {
    if (error.name === "AbortError") return;
    write($("find-state"), error.message);
    if (!error.isKnown) throw error;
  }
}

function show(list, text, tookMs) {
  list.keys.sort((a, b) => order.compare(shown(a.key), shown(b.key)));
  // A key may be met twice while others are written.
  const all = [...new Map(list.keys.map((item) => [idOf(item), item])).values()];
  rows.show(all, idOf);
  next = list.cursor;
  $("page-back").disabled = cursors.length < 2;
  $("page-next").disabled = next === null;
  $("key-empty").hidden = all.length > 0;
  write($("key-empty"), next !== null ? "None in this part: go on with Next." : text ? "No key is like that." : "There are no keys yet.");
  write($("page-state"), `page ${cursors.length}${next === null ? ", the last" : ""}`);
  write($("find-state"), `${format.count(all.length)} ${all.length === 1 ? "key" : "keys"} in ${format.ms(tookMs)}`);
  $("key-list").closest(".wide").scrollTop = 0;
}
