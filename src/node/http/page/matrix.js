// Who sees whom: a row for each node that says something, a column for each that it says it of.

import { $, el, mark, write } from "./dom.js";
import { isFresh, onStatus } from "./verdict.js";
import * as format from "./format.js";

let shape = "";
const known = new Map();

export const begin = () => onStatus(show);

function show(status) {
  const ids = status.nodes.map((node) => node.id);
  $("matrix-card").hidden = ids.length < 2;
  if (shape !== ids.join()) build(ids);
  shape = ids.join();
  for (const node of status.nodes) {
    for (const id of ids) {
      const cell = known.get(`${node.id}-${id}`);
      const { level, word, why } = id === node.id ? { level: "self", word: "", why: "" } : judge(node, id, node.id === status.asked);
      mark(cell.td, "data-level", level);
      write(cell.word, word);
      write(cell.why, why);
    }
  }
}

function build(ids) {
  known.clear();
  const head = el("tr", null, el("td", null, el("span.aside", null, "sees")), ...ids.map((id) => el("th", { scope: "col" }, `node ${id}`)));
  const lines = ids.map((own) =>
    el("tr", null, el("th", { scope: "row" }, `node ${own}`), ...ids.map((id) => {
      const word = el("span.word"), why = el("span.why"), td = el("td", null, word, why);
      known.set(`${own}-${id}`, { td, word, why });
      return td;
    })),
  );
  $("matrix").replaceChildren(el("caption.aside", null, "What each node says of its links to the others"), el("thead", null, head), el("tbody", null, ...lines));
}

const lag = (row) => (row.lag_ms === null ? "no lag known yet" : `${format.ms(row.lag_ms)} · ${format.ms(row.lag_ms_durable)}`);

// How a node says that it stands with another, and what is wrong with it.
function judge(node, id, isOwn) {
  if (!node.status) return { level: "none", word: "not known", why: "" };
  if (!isOwn && !isFresh(node)) return { level: "none", word: "not heard", why: `for ${format.ms(node.age_ms)}` };
  const row = node.status.peers.find((peer) => peer.id === id);
  if (!row) return { level: "none", word: "not in its list", why: "" };
  const isLinked = row.state === "linked" || row.state === "catching up";
  if (!isLinked) {
    const word = row.is_refused ? "refused" : "no link";
    return { level: "bad", word: `${word} for ${format.ms(row.since_ms)}`, why: row.error ?? row.difference ?? row.state };
  }
  const notes = [row.difference, Math.abs(row.skew_ms ?? 0) > 1000 ? `clock ${format.ms(Math.abs(row.skew_ms))} ${row.skew_ms > 0 ? "ahead" : "behind"}` : null];
  const note = notes.filter(Boolean).join("; ");
  if (row.agreement === "DIVERGED") return { level: "bad", word: "data differs", why: note || "both are still, and their data is not the same" };
  if (row.state === "catching up") return { level: "warn", word: "catching up", why: `${format.count(row.lag_changes)} changes to go${note && `; ${note}`}` };
  if (row.agreement === "agrees") return { level: note ? "warn" : "ok", word: "agrees", why: note ? `${note}; ${lag(row)}` : lag(row) };
  // Under load a peer is always a little behind: trouble is what does not get less.
  const isLate = (row.lag_ms ?? 0) > 2000;
  const word = row.agreement.startsWith("behind by") ? `${format.count(row.lag_changes)} behind` : row.agreement === "unknown" ? "linked" : row.agreement;
  return { level: isLate || note ? "warn" : "ok", word, why: note ? `${note}; ${lag(row)}` : lag(row) };
}
