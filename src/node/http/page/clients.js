// Who is connected, and an end to that.

import { $, cells, el, every, mark, row, Rows, told, twice, write } from "./dom.js";
import { call } from "./api.js";
import * as format from "./format.js";

const SHOWN_MAX = 500;

let me, all = [], stop = null;

const rows = new Rows(
  $("client-list").tBodies[0],
  ({ id, addr }) => {
    const line = row(["num", "address", "plain", "key", "plain", "num", "num", "num", "num", "plain"]);
    if (me.may.client_kill) {
      const kill = twice("Kill", "Kill it?", () => end(id));
      kill.setAttribute("aria-label", `Kill client ${id}, ${addr}`);
      line.append(el("td", null, kill));
    }
    return line;
  },
  (line, client) => {
    mark(line.children[8], "data-level", client.obl > 1 << 20 ? "warn" : null);
    const library = [client["lib-name"], client["lib-ver"]].filter(Boolean).join(" ");
    cells(line, client.id, client.addr, client.user, client.name, client.cmd === "NULL" ? "–" : client.cmd, age(client.age), age(client.idle), format.bytes(Number(client["tot-mem"])), format.bytes(Number(client.obl)), library);
  },
);

const age = (s) => (s === "0" ? "0 s" : format.seconds(Number(s)));

export function begin(user) {
  me = user;
  $("clients-text").oninput = show;
}

export function start() {
  stop = every(2000, load);
}

export const leave = () => stop?.();

const load = told($("clients-state"), async () => {
  const text = await call("CLIENT", "LIST");
  all = text.split("\n").filter(Boolean).map((line) => Object.fromEntries(line.split(" ").map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)])));
  show();
});

function show() {
  const text = $("clients-text").value.toLowerCase();
  const wanted = all.filter((client) => ["addr", "user", "name", "cmd", "lib-name"].some((field) => client[field]?.toLowerCase().includes(text)));
  rows.show(wanted.slice(0, SHOWN_MAX), (client) => client.id);
  const more = wanted.length > SHOWN_MAX ? `, of which ${SHOWN_MAX} are shown` : "";
  write($("clients-state"), `${format.count(wanted.length)} of ${format.count(all.length)} clients${more}`);
  $("client-list").nextElementSibling.hidden = wanted.length > 0;
}

async function end(id) {
  try {
    const killed = await call("CLIENT", "KILL", "ID", id);
    await load();
    write($("clients-state"), killed ? `Client ${id} was killed` : `Client ${id} was gone already`);
  } catch (error) {
    write($("clients-state"), error.message);
    if (!error.isKnown) throw error;
  }
}
