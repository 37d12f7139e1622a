// Deletions that can be undone for a minute, where nobody has written the key since: the node knows that by the stamp of
// the deletion. The value waits here.

import { $, el, write } from "./dom.js";
import { ask, keyPath, shown } from "./api.js";

// Within what the node remembers a deletion for, from its own clock on.
const KEPT_S = 59;

let done;

export const begin = (onUndone) => { done = onUndone; };

export function offer(gone) {
  const until = performance.now() + KEPT_S * 1000;
  const text = el("span.grow", { role: "status" }, `Deleted ${shown(gone.key)}`);
  const left = el("span.num");
  const undo = el("button.primary", { type: "button" }, "Undo");
  const close = el("button.quiet", { type: "button", "aria-label": "Close" }, "✕");
  const line = el("div.toast", null, text, left, undo, close);
  const end = () => { clearInterval(timer); line.remove(); };
  const tick = () => {
    const seconds = Math.ceil((until - performance.now()) / 1000);
    if (seconds <= 0) return end();
    write(left, `${seconds} s`);
  };
  const timer = setInterval(tick, 500);
  tick();
  close.onclick = end;
  undo.onclick = async () => {
    undo.disabled = true;
    try {
      await bringBack(gone);
      end();
      done(gone);
    } catch (error) {
      if (!error.isKnown) throw error;
      clearInterval(timer);
      left.remove();
      undo.remove();
      write(text, error.status === 412 ? `${shown(gone.key)} was written since, and stays as it is` : `${shown(gone.key)} is not back: ${error.message}`);
    }
  };
  $("undo").append(line);
  undo.focus({ preventScroll: true });
}

async function bringBack({ key, db, value, expires_unix_ms, tag }) {
  const expiry = expires_unix_ms === null ? "" : `&expires_unix_ms=${expires_unix_ms}`;
  const path = keyPath(key, db, `undo=${encodeURIComponent(tag)}${expiry}`);
  await ask(path, { method: "PUT", headers: { "Content-Type": "application/octet-stream" }, body: value });
}
