// The page: who looks at it, what they may see, and which part is shown. Each part asks for what it shows while it is.

import { $, write } from "./dom.js";
import { get } from "./api.js";
import * as verdict from "./verdict.js";
import * as matrix from "./matrix.js";
import * as history from "./history.js";
import * as ticks from "./ticks.js";

const overview = {
  begin() { matrix.begin(); history.begin(); ticks.begin(); },
  start() { history.start(); ticks.start(); },
  leave() { history.leave(); ticks.leave(); },
};
// The others are loaded when they are first shown.
const parts = {
  overview: () => overview,
  keys: () => import("./keys.js"),
  tail: () => import("./tail.js"),
  clients: () => import("./clients.js"),
  slow: () => import("./slow.js"),
  settings: () => import("./settings.js"),
  events: () => import("./events.js"),
};
const loaded = {};

let me, shown = null;

async function show() {
  const [wanted, place] = location.hash.slice(1).split(/\/(.*)/s);
  const links = [...document.querySelectorAll("nav a")].filter((link) => !link.hidden);
  const link = links.find((one) => one.hash === `#${wanted}`) ?? links[0];
  if (!link) return;
  const name = link.hash.slice(1), isOther = shown !== name;
  if (isOther) {
    if (shown) { loaded[shown]?.leave?.(); $(shown).hidden = true; }
    links.forEach((one) => (one === link ? one.setAttribute("aria-current", "page") : one.removeAttribute("aria-current")));
    link.scrollIntoView({ block: "nearest", inline: "nearest" });
    $(name).hidden = false;
    if (shown) window.scrollTo(0, 0);
    shown = name;
    if (!loaded[name]) {
      const part = await load(name);
      if (!part) return;
      if (!loaded[name]) part.begin?.(me);
      loaded[name] = part;
    }
    // Somebody may have gone on meanwhile.
    if (shown !== name) return;
  }
  if (isOther || place) loaded[name]?.start?.(place);
}

// A part whose file does not come is asked for again when it is chosen again.
async function load(name) {
  try { return await parts[name](); } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    if (shown === name) shown = null;
    $(name).hidden = true;
    return null;
  }
}

async function begin() {
  me = await get("/v1/me");
  const before = sessionStorage.getItem("place");
  sessionStorage.removeItem("place");
  if (before && !location.hash) backTo(before);
  for (const node of document.querySelectorAll("[data-right]")) node.hidden = !me.may[node.dataset.right];
  document.querySelector('nav a[href="#overview"]').hidden = !me.may.info;
  write($("who"), me.user);
  $("who").title = me.is_login ? "You are logged in as this user" : "Who does not log in is this user";
  $("logout").hidden = !me.is_login;
  $("login").hidden = me.is_login;
  write($("place"), `node ${me.node} · ${me.version}`);
  verdict.begin(me);
  window.addEventListener("hashchange", show);
  await show();
}

const backTo = (hash) => window.history.replaceState(null, "", hash);

begin().catch((error) => {
  verdict.say("bad", `The page cannot begin: ${error.message}`, error.status === 0 ? "Load it again once the node runs." : "");
  if (!error.isKnown) throw error;
});
