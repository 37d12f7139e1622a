// What the node is asked. Every request goes to the node that the page came from.

// Something that a person is told in a sentence.
export class Refused extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
    this.isKnown = true;
  }
}

// Whoever wants to hear that the node answers, or does not.
export const reach = { since: null, listeners: [] };

function reached(isReached) {
  if (isReached === (reach.since === null)) return;
  reach.since = isReached ? null : Date.now();
  reach.listeners.forEach((listener) => listener());
}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", redirect: "error", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw Object.assign(error, { isKnown: true });
    reached(false);
    throw new Refused(0, "the node does not answer");
  }
  reached(true);
  if (answer.status === 401) return logIn();
  if (answer.ok) return answer;
  throw new Refused(answer.status, await why(answer));
}

async function why(answer) {
  try { return (await answer.json()).error ?? answer.statusText; } catch { return answer.statusText || `status ${answer.status}`; }
}

export const get = async (path, options) => (await ask(path, options)).json();

// Runs a command and returns what it was answered. A word that is no text is `{base64: ...}`.
export const call = (...words) => callIn(0, ...words);

// The same in a database.
export async function callIn(db, ...words) {
  const body = JSON.stringify(words);
  const answer = await ask(`/?db=${db}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  return (await answer.json()).result;
}

// Nobody knows who asks: the form takes over, and comes back to where the page was.
async function logIn() {
  const form = await fetch("/login", { cache: "no-store" });
  if (!form.ok) throw new Refused(401, await why(form));
  sessionStorage.setItem("place", location.hash);
  location.assign("/login");
  return new Promise(() => {});
}

// A key as the node writes it is a text, or `{base64: ...}` where it is none.
export const bytesOf = (key) => (typeof key === "string" ? new TextEncoder().encode(key) : fromBase64(key.base64));

export const fromBase64 = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));

// A key of a database, with what else is asked.
export const keyPath = (key, db, query = "") => `/v1/keys/${percent(key)}?db=${db}${query && `&${query}`}`;

// Where the page shows it.
export const placeOf = (key, db) => `#keys/${percent(key)}${db ? `?db=${db}` : ""}`;

export const percent = (key) =>
  Array.from(bytesOf(key), (byte) => {
    const one = String.fromCharCode(byte);
    return /[A-Za-z0-9_.~-]/.test(one) ? one : `%${byte.toString(16).padStart(2, "0")}`;
  }).join("");

// A key as a person reads it: what cannot be seen is escaped.
export function shown(key) {
  if (typeof key === "string") return key.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return Array.from(fromBase64(key.base64), (byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`)).join("");
}

// `[name, value, name, value]`, as maps come.
export const pairs = (list) => Object.fromEntries(Array.from({ length: list.length / 2 }, (_, at) => [list[2 * at], list[2 * at + 1]]));
