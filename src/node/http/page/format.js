// Numbers, sizes and times as people read them.

const NONE = "–";
const grouped = new Intl.NumberFormat("en");

export const count = (n) => (n === null || n === undefined ? NONE : grouped.format(Math.round(n)));

export function short(n) {
  if (n === null || n === undefined) return NONE;
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (Math.abs(n) >= size) return `${digits(n / (unit === "k" ? 1e3 : size))} ${unit}`;
  }
  return Math.abs(n) < 10 && n % 1 ? n.toFixed(1) : count(n);
}

const digits = (n) => (Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(1).replace(/\.0$/, ""));

export function bytes(n) {
  if (n === null || n === undefined) return NONE;
  if (n < 1024) return `${Math.round(n)} B`;
  let unit = 0;
  for (n /= 1024; n >= 1023.5 && unit < 3; unit++) n /= 1024;
  return `${digits(n)} ${["KiB", "MiB", "GiB", "TiB"][unit]}`;
}

export function us(n) {
  if (n === null || n === undefined) return NONE;
  if (n < 1e3) return `${Math.round(n)} µs`;
  if (n < 1e6) return `${digits(n / 1e3)} ms`;
  return `${digits(n / 1e6)} s`;
}

export function ms(n) {
  if (n === null || n === undefined) return NONE;
  if (n < 1) return n === 0 ? "0 ms" : "< 1 ms";
  if (n < 1000) return `${Math.round(n)} ms`;
  if (n < 100e3) return `${digits(n / 1e3)} s`;
  if (n < 100 * 60e3) return `${Math.round(n / 60e3)} min`;
  if (n < 48 * 3600e3) return `${Math.round(n / 3600e3)} h`;
  return `${Math.round(n / 86400e3)} days`;
}

export const seconds = (n) => (n === null || n === undefined ? NONE : ms(n * 1000));

const two = (n) => String(n).padStart(2, "0");

// The time of day, with the day where it is another.
export function clock(unixMs, withMs) {
  const at = new Date(unixMs);
  const text = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const exact = withMs ? `${text}.${String(at.getMilliseconds()).padStart(3, "0")}` : text;
  return at.toDateString() === new Date().toDateString() ? exact : `${day(at)} ${exact}`;
}

export const day = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;

export const exactly = (unixMs) => `${day(new Date(unixMs))} ${clock(unixMs, true).slice(-12)}`;

// How long ago, for a table.
export const ago = (unixMs, now = Date.now()) => (now - unixMs < 1000 ? "just now" : `${ms(now - unixMs)} ago`);
