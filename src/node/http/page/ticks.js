// The longest ticks of the last hour: a bar for the phases, and one below for the time in which the loop had no
// processor, which belongs to no phase.

import { $, cells, el, every, mark, row, Rows, write } from "./dom.js";
import { get } from "./api.js";
import * as format from "./format.js";

const FEW = 8;
const PHASES = { expiry: "c6", intake: "c5", clients: "c1", peers: "c4", snapshot: "c2", replies: "c3" };

let all = [], isAll = false, stop = null;

const rows = new Rows(
  $("ticks").tBodies[0],
  () => {
    const line = row(["when", "num", "bars", "num", "num", "num", "num"]);
    line.children[2].append(el("div.bar", { "aria-hidden": "true" }), el("div.bar.off", { "aria-hidden": "true" }), el("span.phases"));
    return line;
  },
  (line, { tick, longest }) => {
    const [bar, off, said] = line.children[2].children;
    const phases = Object.entries(tick.phases_us).filter(([, us]) => us > 0);
    const width = (us) => `${Math.max(0, Math.min(100, (100 * us) / longest)).toFixed(2)}%`;
    if (bar.childElementCount !== phases.length) bar.replaceChildren(...phases.map(() => el("span")));
    phases.forEach(([name, us], at) => {
      const part = bar.children[at];
      part.className = PHASES[name] ?? "c6";
      part.title = `${name} ${format.us(us)}`;
      part.style.width = width(us);
    });
    off.style.width = width(tick.off_cpu_us);
    off.title = `no processor ${format.us(tick.off_cpu_us)}`;
    const most = phases.sort(([, a], [, b]) => b - a).slice(0, 3);
    write(said, most.map(([name, us]) => `${name} ${format.us(us)}`).join(" · "));
    mark(line, "data-number", tick.number);
    cells(line, format.clock(tick.unix_ms), format.us(tick.us), undefined, tick.off_cpu_us ? format.us(tick.off_cpu_us) : "none", format.count(tick.requests), format.bytes(tick.bytes_in), format.bytes(tick.bytes_out));
  },
);

export function begin() {
  const kinds = Object.entries(PHASES).map(([name, color]) => el(`span.${color}`, null, el("i", { "aria-hidden": "true" }), name));
  $("ticks-legend").append(...kinds, el("span.off", null, el("i", { "aria-hidden": "true" }), "no processor"));
  $("ticks-more").onclick = () => { isAll = !isAll; show(); };
}

export function start() {
  stop = every(5000, async () => {
    all = (await get("/v1/ticks")).ticks;
    $("ticks-empty").hidden = all.length > 0;
    show();
  });
}

export const leave = () => stop?.();

function show() {
  const longest = Math.max(1, ...all.map((tick) => Math.max(tick.us, tick.off_cpu_us)));
  const shown = isAll ? all : all.slice(0, FEW);
  rows.show(shown.map((tick) => ({ tick, longest })), ({ tick }) => tick.number);
  $("ticks-more").hidden = all.length <= FEW;
  write($("ticks-more"), isAll ? "Show fewer" : `Show all ${all.length}`);
}
