// One key: its value as text, JSON or hex, what is known of it, and what may be done with it.

import { $, el, twice, write } from "./dom.js";
import { ask, callIn, get, keyPath, percent, placeOf, shown } from "./api.js";
import * as undo from "./undo.js";
import * as format from "./format.js";

// More of a value is shown, or can be edited, only where somebody asks for it.
const SHOWN_BYTES = 64 << 10, EDITED_BYTES = 1 << 20;
const OCTETS = { "Content-Type": "application/octet-stream" };

let me, changed, opened = 0, now = null;

export function begin(user, onChange) {
  [me, changed] = [user, onChange];
  undo.begin(({ key, db }) => { changed(); if (!now) open(key, db); });
}

// The key that a percent-encoded text stands for.
export function decode(text) {
  const bytes = Uint8Array.from(text.match(/%[0-9a-f]{2}|[^]/gi) ?? [], (one) => (one.length === 3 ? parseInt(one.slice(1), 16) : one.charCodeAt(0)));
  try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); } catch { return { base64: btoa(String.fromCharCode(...bytes)) }; }
}

export async function open(key, db, bytesMax = SHOWN_BYTES) {
  const mine = ++opened;
  // A browser takes these two for other paths.
  if (key === "." || key === "..") return say(key, "A browser cannot ask for a key of this name; kvstoreapp cli can.");
  try {
    const [details] = (await get(`/v1/keys?db=${db}&details=1&key=${percent(key)}`)).keys;
    if (mine !== opened) return;
    if (!details) return say(key, "There is no such key, or it has expired.");
    if (details.etag === undefined) return say(key, `${me.user} may not read this key.`);
    const read = await readValue(key, db, bytesMax);
    if (mine !== opened) return;
    now = { ...details, ...read, key, db };
    show();
  } catch (error) {
    if (!error.isKnown) throw error;
    if (mine === opened) say(key, error.status === 404 ? "There is no such key, or it has expired." : error.message);
  }
}

// The value, or its beginning: what is not wanted is not sent.
async function readValue(key, db, bytesMax) {
  const stop = new AbortController();
  const answer = await ask(keyPath(key, db), { signal: stop.signal });
  const reader = answer.body?.getReader();
  const parts = [];
  let length = 0, isWhole = true;
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) break;
    parts.push(value);
    length += value.length;
    if (length > bytesMax) { isWhole = false; stop.abort(); break; }
  }
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer()).slice(0, bytesMax);
  return { value: bytes, isWhole, etag: answer.headers.get("ETag") };
}

const heading = (key) => el("h2.key", { title: shown(key) }, shown(key) || "(empty)");

function say(key, text) {
  now = null;
  $("value").replaceChildren(heading(key), el("p.empty", null, text));
}

function textOf({ value, isWhole }) {
  // What is cut may end within a character.
  try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value, { stream: !isWhole }); } catch { return null; }
}

function show() {
  const { key, db, bytes, isWhole } = now;
  const text = textOf(now);
  const hasControls = text !== null && /[\u0000-\u0008\u000e-\u001f]/.test(text);
  const json = text !== null && isWhole && pretty(text);
  const kinds = { Text: text !== null && text, JSON: json, Hex: hex(now.value) };
  const shownFirst = json ? "JSON" : text !== null && !hasControls ? "Text" : "Hex";
  const pre = el("pre", { tabIndex: 0, "aria-label": "The value" });
  const choice = el("span.choice", { role: "group", "aria-label": "Show as" });
  const choose = (name) => {
    write(pre, kinds[name]);
    for (const one of choice.children) one.ariaPressed = String(one.textContent === name);
  };
  choice.append(...Object.keys(kinds).map((name) => el("button", { type: "button", disabled: kinds[name] === false, onclick: () => choose(name) }, name)));
  choose(shownFirst);
  const cut = !isWhole && el("p.legend", null, `The first ${format.bytes(now.value.length)} of ${format.bytes(bytes)}. `,
    bytes <= 16 << 20 && el("button.quiet", { type: "button", onclick: () => open(key, db, bytes) }, "Show all"));
  const download = el("a", { href: keyPath(key, db), download: shown(key).replace(/[^\w.-]+/g, "_").slice(-80) || "value" }, "Download");
  const note = el("p.legend", { role: "status" });
  $("value").replaceChildren(heading(key), facts(), el("div.tools", null, choice, download, ...actions(text, note)), note, ...[cut].filter(Boolean), pre);
}

function facts() {
  const { db, bytes, expires_unix_ms, ttl_ms, written_unix_ms, node } = now;
  const fact = (name, ...said) => el("div", null, el("dt", null, name), el("dd", null, ...said));
  return el("dl.facts", null,
    db > 0 && fact("Database", db),
    fact("Size", `${format.bytes(bytes)}${bytes > 1023 ? ` (${format.count(bytes)})` : ""}`),
    fact("Expires", ttl_ms === null ? "never" : `in ${format.ms(ttl_ms)}, ${format.exactly(expires_unix_ms)}`),
    fact("Written", `${format.exactly(written_unix_ms)} by node ${node}`));
}

function actions(text, note) {
  const { key, db } = now;
  const again = async () => { await open(key, db); changed(); };
  // What goes wrong is said where it was tried.
  const act = (work) => async () => {
    try { await work(); } catch (error) {
      if (!error.isKnown) throw error;
      write(note, error.status === 412 ? "Somebody has written it meanwhile: nothing was done. Open it again to see what it is." : error.message);
    }
  };
  const all = [];
  if (me.may.set && text !== null && now.isWhole && now.bytes <= EDITED_BYTES) all.push(el("button", { type: "button", onclick: () => edit(text, act) }, "Edit"));
  if (me.may.set) {
    const file = el("input.aside", { type: "file", tabIndex: -1, "aria-hidden": "true" });
    file.onchange = act(async () => { if (file.files[0]) await replace(file.files[0]); });
    all.push(file, el("button.quiet", { type: "button", onclick: () => file.click() }, "Replace by a file…"));
  }
  if (me.may.expire) {
    const after = el("input", { type: "number", min: 1, max: 1e10, required: true, placeholder: "seconds", "aria-label": "Seconds until it expires" });
    const form = el("form.inline", null, after, el("button", null, "Expire"));
    form.onsubmit = (event) => {
      event.preventDefault();
      act(async () => { await callIn(db, "PEXPIRE", key, Math.round(after.value * 1000)); await again(); })();
    };
    all.push(form);
    if (now.ttl_ms !== null && me.may.persist) all.push(el("button.quiet", { type: "button", onclick: act(async () => { await callIn(db, "PERSIST", key); await again(); }) }, "Never expire"));
  }
  if (me.may.del) all.push(el("button.danger", { type: "button", onclick: act(remove) }, "Delete"));
  return all;
}

const expiring = ({ expires_unix_ms }) => (expires_unix_ms === null ? "" : `expires_unix_ms=${expires_unix_ms}`);

async function replace(body) {
  await ask(keyPath(now.key, now.db, expiring(now)), { method: "PUT", headers: { ...OCTETS, "If-Match": now.etag }, body });
  await open(now.key, now.db);
  changed();
}

// The value is kept here before it goes, as it was when it went.
async function remove() {
  const gone = now;
  const held = me.may.set ? await (await ask(keyPath(gone.key, gone.db), { headers: { "If-Match": gone.etag } })).blob() : null;
  const answer = await ask(keyPath(gone.key, gone.db, "undoable"), { method: "DELETE", headers: { "If-Match": gone.etag } });
  if (held) undo.offer({ key: gone.key, db: gone.db, value: held, expires_unix_ms: gone.expires_unix_ms, tag: answer.headers.get("ETag") });
  say(gone.key, "It was deleted.");
  changed();
}

function edit(text, act) {
  const area = el("textarea", { value: text, spellcheck: false, "aria-label": "The new value", rows: Math.min(24, text.split("\n").length + 2) });
  const note = el("p.legend", { role: "status" });
  const save = act(async () => replace(new Blob([area.value])));
  const form = el("form", null, area, el("div.tools", null, el("button.primary", null, "Save"), el("button", { type: "button", onclick: show }, "Cancel"), note));
  form.onsubmit = (event) => { event.preventDefault(); save(); };
  area.onkeydown = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); };
  $("value").querySelector("pre").replaceWith(form);
  area.focus();
}

export function create(db) {
  now = null;
  opened++;
  const key = el("input", { required: true, autocomplete: "off", autocapitalize: "none", spellcheck: false });
  const ttl = el("input", { type: "number", min: 1, max: 1e10, placeholder: "never" });
  const area = el("textarea", { rows: 8, spellcheck: false });
  const note = el("p.legend", { role: "status" });
  const form = el("form.fields", null, el("h2", null, db ? `New key in database ${db}` : "New key"), el("label", null, "Key", key), el("label", null, "Value", area), el("label", null, "Expires after seconds", ttl),
    el("div.tools", null, el("button.primary", null, "Set"), note));
  form.onsubmit = async (event) => {
    event.preventDefault();
    try {
      const expiry = ttl.value ? `&ttl_ms=${Math.round(ttl.value * 1000)}` : "";
      await ask(keyPath(key.value, db, `nx${expiry}`), { method: "PUT", headers: OCTETS, body: new Blob([area.value]) });
      changed();
      location.hash = placeOf(key.value, db);
    } catch (error) {
      if (!error.isKnown) throw error;
      write(note, error.status === 412 ? "There is such a key already." : error.message);
    }
  };
  $("value").replaceChildren(form);
  key.focus();
}

// JSON with its lines parted, and each number and text as it was; `false`: it is none, or only one word of it.
function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return false;
  try { JSON.parse(text); } catch { return false; }
  let out = "", depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    if (token === "{" || token === "[") { depth++; out += token + line(); }
    else if (token === "}" || token === "]") { depth--; out = /[[{]\s*$/.test(out.slice(-200)) ? out.trimEnd() + token : out + line() + token; }
    else if (token === ",") out += token + line();
    else out += token === ":" ? ": " : token;
  }
  return out;
}

function hex(bytes) {
  const lines = [], width = matchMedia("(max-width: 52rem)").matches ? 8 : 16;
  for (let at = 0; at < bytes.length; at += width) {
    const part = Array.from(bytes.subarray(at, at + width));
    const codes = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(3 * width - 1);
    lines.push(`${at.toString(16).padStart(8, "0")}  ${codes}  ${part.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·")).join("")}`);
  }
  return lines.join("\n") || "(no bytes)";
}
