// The history that the node keeps, in charts: asked as a whole once, and then what came after.

import { $, every, write } from "./dom.js";
import { get } from "./api.js";
import { Chart, onCursor } from "./charts.js";
import * as format from "./format.js";

const SPANS = { 1: 900, 10: 2160 };
const SPAN_MIN = 60;
const COLORS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];

let step = 1, kept = null, stop = null;
const charts = [];

function chart(title, options) {
  const made = new Chart(title, { format: format.short, ...options });
  charts.push(made);
  $("charts").append(made.host);
  return made;
}

const lines = (...all) => all.map(([key, label], at) => ({ key, label, color: COLORS[at] }));

function build() {
  chart("Requests/s", { series: lines(["reads", "reads"], ["writes", "writes"], ["others", "others"]) });
  chart("Hit rate", { series: lines(["hit_rate", "of reads"]), format: (n) => (n === null ? "–" : `${+n.toFixed(1)} %`), max: 100 });
  chart("Tick", { series: lines(["tick_us_p50", "p50"], ["tick_us_p99", "p99"], ["tick_us_max", "longest"]), format: format.us, isLog: true });
  chart("Memory", { series: lines(["memory_bytes", "keys and values"]), format: format.bytes });
  chart("Network", { series: lines(["bytes_in", "in"], ["bytes_out", "out"]), format: format.bytes, unit: "/s" });
  chart("Snapshot age", { series: lines(["snapshot_age_ms", "since the last"]), format: format.ms });
  chart("Lag until acknowledged", { series: [], format: format.ms }).isLag = true;
  chart("Conflicts", { series: lines(["conflicts", "own writes that met another"]) });
}

export function begin() {
  build();
  onCursor((at) => write($("charts-time"), at === null ? "" : `at ${format.clock(at)}`));
  for (const button of document.querySelectorAll("#charts-card [data-step]")) {
    button.onclick = () => {
      step = Number(button.dataset.step);
      document.querySelectorAll("#charts-card [data-step]").forEach((one) => (one.ariaPressed = String(one === button)));
      kept = null;
      if (stop) { stop(); start(); }
    };
  }
}

export function start() {
  stop = every(step * 1000, load);
}

export function leave() {
  stop?.();
  stop = null;
}

async function load() {
  const wanted = step;
  try {
    const after = kept ? `&after=${kept.unixMs}` : "";
    const said = await get(`/v1/history?step=${wanted}${after}`);
    if (wanted !== step) return;
    // The node's clock was set back, or another's history begins: all of it is asked for anew.
    if (kept && said.unix_ms < kept.unixMs - 2 * kept.stepMs) {
      kept = null;
      return;
    }
    take(said);
    $("charts-note").hidden = true;
    $("charts").hidden = false;
    show();
  } catch (error) {
    if (error.status && error.isKnown) {
      $("charts-note").hidden = false;
      $("charts").hidden = !kept;
      write($("charts-note"), `No history: ${error.message}`);
    }
    throw error;
  }
}

// Puts what came to what is there. What lies between is not known.
function take(said) {
  const stepMs = said.step_ms, lengths = Object.values(said.columns).map((column) => column.length);
  const length = Math.max(0, ...lengths);
  if (!kept || kept.stepMs !== stepMs) kept = { unixMs: said.unix_ms - length * stepMs, stepMs, columns: {} };
  const missing = Math.max(0, Math.min(SPANS[step], Math.round((said.unix_ms - kept.unixMs) / stepMs) - length));
  const before = Math.max(0, ...Object.values(kept.columns).map((column) => column.length));
  const names = new Set([...Object.keys(kept.columns), ...Object.keys(said.columns)]);
  for (const name of names) {
    const old = kept.columns[name] ?? Array(before).fill(null);
    const all = [...old, ...Array(missing).fill(null), ...(said.columns[name] ?? Array(length).fill(null))];
    kept.columns[name] = all.slice(-SPANS[step]);
  }
  if (length > 0) kept.unixMs = said.unix_ms;
}

function show() {
  const s = kept.stepMs / 1000, { columns } = kept;
  const rate = (column = []) => (s === 1 ? column : column.map((n) => (n === null ? null : n / s)));
  const shown = { ...columns };
  for (const name of ["reads", "writes", "others", "bytes_in", "bytes_out"]) shown[name] = rate(columns[name]);
  const { hits = [], misses = [] } = columns;
  shown.hit_rate = hits.map((n, at) => (n === null || n + misses[at] === 0 ? null : (100 * n) / (n + misses[at])));
  // A node that has not run for long has a chart of its own width.
  const known = Math.max(0, ...Object.values(columns).map((column) => column.length));
  const points = { unixMs: kept.unixMs, stepMs: kept.stepMs, columns: shown, span: Math.min(SPANS[step], Math.max(SPAN_MIN, known)) };
  const lags = Object.keys(columns).filter((name) => /^lag_ms_\d+$/.test(name));
  for (const one of charts) {
    if (one.isLag) {
      one.host.hidden = lags.length === 0;
      one.show(points, lags.map((key, at) => ({ key, label: `node ${key.slice(7)}`, color: COLORS[at % COLORS.length] })));
    } else one.show(points);
  }
}
