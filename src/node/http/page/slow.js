// Requests that took long, each with the tick that it was in.

import { $, cells, every, mark, row, Rows, told, twice, write } from "./dom.js";
import { call, pairs, shown } from "./api.js";
import * as format from "./format.js";

const ENTRIES = 128;
const NOT_PHASES = ["tick", "tick_us", "off_cpu_us"];

let stop = null;

const rows = new Rows(
  $("slow-list").tBodies[0],
  () => row(["when", "num", "key", "plain", "num", "num", "plain"]),
  (line, [, unixS, us, words, address, name, figures]) => {
    const tick = pairs(figures ?? []);
    const phases = Object.entries(tick).filter(([name, value]) => !NOT_PHASES.includes(name) && value > 0);
    const most = phases.sort(([, a], [, b]) => b - a).slice(0, 2).map(([name, value]) => `${name.replace(/_us$/, "")} ${format.us(value)}`);
    if (tick.off_cpu_us) most.push(`no processor ${format.us(tick.off_cpu_us)}`);
    const request = words.map((word) => shown(word)).join(" ");
    mark(line.children[2], "title", request);
    cells(line, format.clock(unixS * 1000), format.us(us), request, name ? `${address} ${name}` : address, tick.tick === undefined ? "–" : format.count(tick.tick), format.us(tick.tick_us), most.join(" · "));
  },
);

export function begin() {
  const button = twice("Clear the log", "Clear it?", async () => { await call("SLOWLOG", "RESET"); await load(); });
  button.id = "slow-reset";
  button.hidden = $("slow-reset").hidden;
  $("slow-reset").replaceWith(button);
}

export function start() {
  stop = every(2000, load);
}

export const leave = () => stop?.();

const load = told($("slow-state"), async () => {
  const all = await call("SLOWLOG", "GET", ENTRIES, "TICK");
  rows.show(all, ([id]) => id);
  write($("slow-state"), all.length < ENTRIES ? `${format.count(all.length)} ${all.length === 1 ? "request" : "requests"}` : `the last ${ENTRIES} requests`);
  $("slow-list").nextElementSibling.hidden = all.length > 0;
});
