// The page: who looks at it, what they may see, and which part is shown. Each part asks for what it shows while it is.

import { $, write } from "./dom.js";
import { get } from "./api.js";
import * as verdict from "./verdict.js";
import * as matrix from "./matrix.js";
import * as history from "./history.js";
import * as ticks from "./ticks.js";
import * as keys from "./keys.js";
import * as tail from "./tail.js";
import * as clients from "./clients.js";
import * as slow from "./slow.js";
import * as settings from "./settings.js";
import * as events from "./events.js";

const overview = {
  begin() { matrix.begin(); history.begin(); ticks.begin(); },
  start() { history.start(); ticks.start(); },
  leave() { history.leave(); ticks.leave(); },
};
const parts = { overview, keys, tail, clients, slow, settings, events };

let shown = null;

function show() {
  const [wanted, place] = location.hash.slice(1).split(/\/(.*)/s);
  const links = [...document.querySelectorAll("nav a")].filter((link) => !link.hidden);
  const link = links.find((one) => one.hash === `#${wanted}`) ?? links[0];
  if (!link) return;
  const name = link.hash.slice(1);
  if (shown !== name) {
    if (shown) { parts[shown].leave?.(); $(shown).hidden = true; }
    links.forEach((one) => (one === link ? one.setAttribute("aria-current", "page") : one.removeAttribute("aria-current")));
    link.scrollIntoView({ block: "nearest", inline: "nearest" });
    $(name).hidden = false;
    if (shown) window.scrollTo(0, 0);
    shown = name;
    parts[name].start?.(place);
  } else if (place) parts[name].start?.(place);
}

async function begin() {
  const me = await get("/v1/me");
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
  Object.values(parts).forEach((part) => part.begin?.(me));
  window.addEventListener("hashchange", show);
  show();
}

const backTo = (hash) => window.history.replaceState(null, "", hash);

begin().catch((error) => {
  verdict.say("bad", `The page cannot begin: ${error.message}`, error.status === 0 ? "Load it again once the node runs." : "");
  if (!error.isKnown) throw error;
});
