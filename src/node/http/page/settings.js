// Settings that are not as by default, and a way to change those that can be while the node runs.

import { $, cells, el, every, mark, row, Rows, told, write } from "./dom.js";
import { call, get } from "./api.js";

let me, all = [], edited = null, stop = null;

const rows = new Rows(
  $("setting-list").tBodies[0],
  ({ name }) => {
    const line = row(["key", "key", "key"]);
    line.append(el("td", null, el("button.quiet", { type: "button", onclick: () => edit(line, name), "aria-label": `Change ${name}` }, "Change")));
    return line;
  },
  (line, setting) => {
    mark(line, "class", differs(setting) ? null : "old");
    line.children[3].firstChild.hidden = !(me.may.config_set && setting.can_set);
    if (edited === setting.name) return;
    cells(line, setting.name, setting.value === "" ? "(empty)" : setting.value, setting.default === null ? "each node has its own" : setting.default || "(empty)");
  },
);

const differs = (setting) => setting.default !== null && setting.default !== setting.value;

export function begin(user) {
  me = user;
  $("settings-all").onchange = show;
}

export function start() {
  stop = every(5000, load);
}

export const leave = () => stop?.();

const load = told($("settings-state"), async () => {
  all = (await get("/v1/settings")).settings.sort((a, b) => (a.name < b.name ? -1 : 1));
  show();
});

function show() {
  const changed = all.filter(differs);
  const shown = $("settings-all").checked ? all : all.filter((one) => differs(one) || one.name === edited);
  rows.show(shown, (setting) => setting.name);
  if (!$("settings-state").dataset.said) write($("settings-state"), `${changed.length} of ${all.length} differ from their defaults`);
  $("setting-list").nextElementSibling.hidden = shown.length > 0;
}

function say(text) {
  $("settings-state").dataset.said = text ?? "";
  write($("settings-state"), text);
}

function edit(line, name) {
  if (edited) return;
  edited = name;
  const setting = all.find((one) => one.name === name);
  const isSecret = name === "requirepass";
  const input = el("input", { value: isSecret ? "" : setting.value, type: isSecret ? "password" : "text", autocomplete: isSecret ? "new-password" : "off", spellcheck: false, "aria-label": `New value of ${name}` });
  const form = el("form.inline", null, input, el("button.primary", null, "Set"), el("button", { type: "button", onclick: () => end() }, "Cancel"));
  const end = () => { edited = null; form.remove(); show(); line.querySelector("button")?.focus(); };
  form.onsubmit = async (event) => {
    event.preventDefault();
    try {
      await call("CONFIG", "SET", name, input.value);
      say(`${name} is set, until the node starts again`);
      end();
      await load();
    } catch (error) {
      say(error.message.replace(/^ERR /, ""));
      if (!error.isKnown) throw error;
    }
  };
  form.onkeydown = (event) => event.key === "Escape" && end();
  line.children[1].replaceChildren(form);
  input.focus();
}
