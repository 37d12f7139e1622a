// Elements, made and changed without a word of HTML: what is shown comes from strangers.

export const $ = (id) => document.getElementById(id);

// An element of a tag with classes (`td.num`), properties, attributes (with a dash in their names, or `role`), and
// children. A child that is nothing is left out.
export function el(tag, properties, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  for (const [property, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null) continue;
    if (property.includes("-") || property === "role" || property === "scope") made.setAttribute(property, value);
    else made[property] = value;
  }
  made.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

// Writes only what differs, so that a selection and a screen reader stay where they are.
export function write(node, text) {
  const said = String(text ?? "");
  if (node.textContent !== said) node.textContent = said;
}

export function mark(node, name, value) {
  if (value === undefined || value === null || value === "") node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Rows of a table's body by key: each is made once and filled anew, so that what has the focus keeps it.
export class Rows {
  constructor(body, make, fill) {
    Object.assign(this, { body, make, fill, known: new Map() });
  }

  show(items, keyOf) {
    const seen = new Map();
    let place = this.body.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      const row = this.known.get(key) ?? this.make(item);
      this.fill(row, item);
      if (row === place) place = place.nextElementSibling;
      else this.body.insertBefore(row, place);
      seen.set(key, row);
    }
    for (const [key, row] of this.known) if (seen.get(key) !== row) row.remove();
    this.known = seen;
  }
}

// A row whose cells are these classes; `cells` are filled by `cell`.
export const row = (classes, ...last) =>
  el("tr", null, ...classes.map((name, at) => el(at === 0 ? `th.${name || "plain"}` : `td.${name || "plain"}`, at === 0 ? { scope: "row" } : null)), ...last);

export function cells(line, ...texts) {
  texts.forEach((text, at) => text !== undefined && write(line.children[at], text));
}

// What chooses one of so many databases, where there is a choice.
export function databases(select, count) {
  select.replaceChildren(...Array.from({ length: count }, (_, db) => el("option", { value: db }, `database ${db}`)));
  select.hidden = count < 2;
}

// A button that asks once more before it does what cannot be taken back.
export function twice(label, sure, act) {
  const button = el("button.quiet", { type: "button" }, label);
  let timer;
  const calm = () => { clearTimeout(timer); button.classList.remove("danger"); write(button, label); };
  button.onclick = () => {
    if (button.classList.contains("danger")) { calm(); act(); return; }
    button.classList.add("danger");
    write(button, sure);
    timer = setTimeout(calm, 4000);
  };
  button.onblur = calm;
  return button;
}

// `work`, which where it fails says in the text why, beside what its caller makes of that.
export const told = (text, work) => async () => {
  try {
    await work();
  } catch (error) {
    write(text, error.message);
    throw error;
  }
};

// Calls `work` at once and then so many milliseconds after it was done, while the page is seen, until it is stopped.
export function every(ms, work) {
  let timer, stopped = false, running = false;
  const turn = async () => {
    if (stopped || running) return;
    if (document.hidden) return;
    running = true;
    try { await work(); } catch (error) { if (!error.isKnown) console.error(error); }
    running = false;
    if (!stopped) timer = setTimeout(turn, ms);
  };
  const seen = () => { if (!document.hidden) { clearTimeout(timer); turn(); } };
  document.addEventListener("visibilitychange", seen);
  turn();
  return () => { stopped = true; clearTimeout(timer); document.removeEventListener("visibilitychange", seen); };
}
