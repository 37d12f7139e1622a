// A chart: lines over time on a canvas. What is not known is a gap. A pointer, or the arrow keys, show the values of a
// time in all charts at once.

import { el, mark, write } from "./dom.js";
import { bytes, clock } from "./format.js";

const all = new Set();
const cursor = { at: null, listeners: [] };
export const onCursor = (listener) => cursor.listeners.push(listener);

function point(at) {
  if (cursor.at === at) return;
  cursor.at = at;
  all.forEach((chart) => chart.plan());
  cursor.listeners.forEach((listener) => listener(at));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all.forEach((chart) => chart.plan()));
const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => target.chart.plan()));

// Times that a chart may have lines at.
const EVERY_MS = [10e3, 30e3, 60e3, 300e3, 900e3, 3600e3, 2 * 3600e3];
const HEIGHT = 104, LEFT = 46, BOTTOM = 15, TOP = 5, RIGHT = 4;

export class Chart {
  // `series`: `{key, label, color}`; `format` writes a value; `isLog`: a decade is as high as the next; `max`: the top.
  constructor(title, { series, format, isLog = false, max, unit = "" }) {
    Object.assign(this, { title, series, format, isLog, max, unit, points: null, isPlanned: false });
    this.canvas = el("canvas", { role: "img", tabIndex: 0 });
    this.canvas.chart = this;
    this.legend = el("span.legend");
    this.host = el("figure.chart", null, el("figcaption", null, el("strong", null, title), this.legend), this.canvas);
    this.canvas.onpointermove = (event) => this.hover(event.offsetX);
    this.canvas.onpointerleave = () => point(null);
    this.canvas.onblur = () => point(null);
    this.canvas.onkeydown = (event) => this.step(event);
    all.add(this);
    resized.observe(this.canvas);
  }

  // `{unixMs, stepMs, columns}`: the last value of each column belongs to that time.
  show(points, series = this.series) {
    Object.assign(this, { points, series });
    this.plan();
  }

  plan() {
    if (this.isPlanned) return;
    this.isPlanned = true;
    requestAnimationFrame(() => { this.isPlanned = false; this.draw(); });
  }

  get length() { return this.points.span; }

  column(key) { return this.points.columns[key] ?? []; }

  // The value of a place; columns may be shorter than the span, and are then not known at its beginning.
  value(key, place) {
    const column = this.column(key);
    return column[place - (this.length - column.length)] ?? null;
  }

  placeOf(at) { return this.length - 1 - Math.round((this.points.unixMs - at) / this.points.stepMs); }

  hover(x) {
    if (!this.points) return;
    const width = this.canvas.clientWidth - LEFT - RIGHT;
    const place = Math.round(((x - LEFT) / width) * (this.length - 1));
    this.pointTo(place);
  }

  pointTo(place) {
    const held = Math.max(0, Math.min(this.length - 1, place));
    point(this.points.unixMs - (this.length - 1 - held) * this.points.stepMs);
  }

  step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -60, PageDown: 60 }[event.key];
    if (event.key === "Escape") point(null);
    if (!by || !this.points) return;
    event.preventDefault();
    this.pointTo((cursor.at === null ? this.length - 1 : this.placeOf(cursor.at)) + by);
  }

  // The ends of the scale.
  scale() {
    let most = 0, least = Infinity;
    for (const { key } of this.series) {
      for (const value of this.column(key)) {
        if (value === null) continue;
        if (value > most) most = value;
        if (value > 0 && value < least) least = value;
      }
    }
    if (this.isLog) {
      const low = Math.floor(Math.log10(Number.isFinite(least) ? Math.max(least, 1) : 1));
      const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(most, 1))));
      return { low, high, lines: Array.from({ length: high - low + 1 }, (_, at) => low + at).filter((at) => high - low < 5 || (at - low) % 2 === 0).map((at) => [at, 10 ** at]) };
    }
    if (this.max) return { low: 0, high: this.max, lines: [0, this.max / 2, this.max].map((at) => [at, at]) };
    const top = this.format === bytes ? niceBytes(most) : nice(most);
    return { low: 0, high: top, lines: [0, top / 2, top].map((at) => [at, at]) };
  }

  draw() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    if (!this.points || width === 0) return;
    const ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(HEIGHT * ratio);
    }
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    const ink = canvas.getContext("2d");
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, width, HEIGHT);
    ink.font = `10px ${style.fontFamily}`;
    const { low, high, lines } = this.scale();
    const inner = width - LEFT - RIGHT, tall = HEIGHT - TOP - BOTTOM;
    const x = (place) => LEFT + (this.length < 2 ? inner : (place / (this.length - 1)) * inner);
    const level = (value) => (this.isLog ? Math.max(low, Math.log10(Math.max(value, 1e-9))) : value);
    const y = (value) => TOP + tall - ((value - low) / (high - low || 1)) * tall;
    // The lines to read it by.
    ink.textBaseline = "middle";
    ink.textAlign = "right";
    ink.lineWidth = 1;
    for (const [at, shown] of lines) {
      ink.strokeStyle = color("--line");
      ink.beginPath();
      ink.moveTo(LEFT, Math.round(y(at)) + 0.5);
      ink.lineTo(width - RIGHT, Math.round(y(at)) + 0.5);
      ink.stroke();
      ink.fillStyle = color("--muted");
      ink.fillText(this.format(shown), LEFT - 5, Math.max(TOP + 2, y(at)));
    }
    const span = (this.length - 1) * this.points.stepMs;
    const every = EVERY_MS.find((ms) => (ms / span) * inner > 56) ?? 3 * 3600e3;
    ink.textAlign = "center";
    ink.textBaseline = "bottom";
    // Whole hours are those of the clock on the wall.
    const zone = new Date(this.points.unixMs).getTimezoneOffset() * 60e3;
    for (let at = Math.floor((this.points.unixMs - zone) / every) * every + zone; at > this.points.unixMs - span; at -= every) {
      const place = x(this.placeOf(at));
      ink.strokeStyle = color("--line");
      ink.beginPath();
      ink.moveTo(Math.round(place) + 0.5, TOP);
      ink.lineTo(Math.round(place) + 0.5, TOP + tall);
      ink.stroke();
      if (place > LEFT + 12 && place < width - 14) ink.fillText(every < 60e3 ? clock(at).slice(-8) : clock(at).slice(-8, -3), place, HEIGHT);
    }
    // What is longest is drawn first, so that the others lie on it.
    for (const { key, color: name } of [...this.series].reverse()) {
      const column = this.column(key), begin = this.length - column.length;
      ink.strokeStyle = ink.fillStyle = color(name);
      ink.lineWidth = 1.25;
      ink.lineJoin = "round";
      ink.beginPath();
      let isDown = false;
      column.forEach((value, at) => {
        if (value === null) { isDown = false; return; }
        const [px, py] = [x(begin + at), y(level(value))];
        if (isDown) ink.lineTo(px, py);
        else if (column[at + 1] === null || at === column.length - 1) ink.rect(px - 0.5, py - 0.5, 1, 1);
        else ink.moveTo(px, py);
        isDown = column[at + 1] !== null;
      });
      ink.stroke();
    }
    const place = cursor.at === null ? null : this.placeOf(cursor.at);
    const isThere = place !== null && place >= 0 && place < this.length;
    if (isThere) {
      ink.strokeStyle = color("--muted");
      ink.lineWidth = 1;
      ink.beginPath();
      ink.moveTo(Math.round(x(place)) + 0.5, TOP);
      ink.lineTo(Math.round(x(place)) + 0.5, TOP + tall);
      ink.stroke();
      for (const { key, color: name } of this.series) {
        const value = this.value(key, place);
        if (value === null) continue;
        ink.fillStyle = color(name);
        ink.beginPath();
        ink.arc(x(place), y(level(value)), 2.5, 0, 7);
        ink.fill();
      }
    }
    this.say(isThere ? place : this.length - 1);
  }

  // The values of a time, in words.
  say(place) {
    const said = this.series.map(({ key, label, color: name }) => [label, name, this.format(this.value(key, place))]);
    if (this.legend.childElementCount !== said.length) {
      this.legend.replaceChildren(...said.map(([label, name]) => el(`span.${name.slice(2)}`, null, el("i", { "aria-hidden": "true" }), `${label} `, el("b"))));
    }
    said.forEach(([, , value], at) => write(this.legend.children[at].lastElementChild, value + this.unit));
    const at = clock(this.points.unixMs - (this.length - 1 - place) * this.points.stepMs);
    mark(this.canvas, "aria-label", `${this.title} at ${at}: ${said.map(([label, , value]) => `${label} ${value}${this.unit}`).join(", ")}`);
  }
}

// The next number above that is easy to halve and to read.
function nice(most) {
  if (most <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 6, 8, 10].map((factor) => factor * size).find((top) => top >= most);
}

function niceBytes(most) {
  const unit = most < 1024 ? 1 : 1024 ** Math.floor(Math.log2(most) / 10);
  return most / unit > 512 ? unit * 1024 : nice(most / unit) * unit;
}
