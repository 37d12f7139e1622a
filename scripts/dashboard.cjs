// What scripts/dashboard.sh does once it knows where: see there.
"use strict";
const assert = require("node:assert");
const { execFile, spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [, , work, binary, executablePath, pictures, count] = process.argv;
const NODES = Number(count), KEYS = 20_000;
const NASTY = "<img src=x onerror=alert(1)>";
const LONG = `long:${"a-key-that-goes-on-and-on-".repeat(9)}`;
const PARTS = ["overview", "keys", "tail", "clients", "slow", "settings", "events"];

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const run = (file, ...args) => new Promise((done, fail) => execFile(file, args, (error, out, err) => (error ? fail(new Error(`${file} ${args.join(" ")}: ${err || error}`)) : done(out))));
const cluster = (...args) => run("scripts/cluster.sh", ...args, "--dir", `${work}/cluster`, "--config", `${work}/config.json`, "--binary", binary);
const step = (text) => console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${text}`);
const begun = Date.now();
const ports = [];

async function until(what, look, patienceMs = Number(process.env.PATIENCE ?? 60) * 1000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not so after ${patienceMs / 1000} s: ${typeof what === "string" ? what : what()}`);
    await sleep(100);
  }
}

// Ports that are free, held until all are known.
async function freePorts() {
  const servers = [];
  for (let at = 0; at < NODES; at++) {
    const server = net.createServer();
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    servers.push(server);
    ports.push(server.address().port);
  }
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
}

// A command in RESP on a connection of its own, and its answer as it is.
function say(node, ...words) {
  return new Promise((done, fail) => {
    const socket = net.connect(ports[node], "127.0.0.1");
    let said = "";
    socket.on("error", fail);
    socket.on("data", (data) => (said += data));
    socket.on("close", () => done(said));
    const request = (all) => `*${all.length}\r\n${all.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join("")}`;
    socket.write(request(words) + request(["QUIT"]));
  }).then((said) => said.replace(/\+OK\r\n$/, ""));
}
const bulk = (said) => said.slice(said.indexOf("\r\n") + 2).replace(/\r\n$/, "");
async function info(node) {
  return Object.fromEntries(bulk(await say(node, "INFO", "ALL")).split("\r\n").filter((line) => /^\w+:/.test(line)).map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
}

const errors = [];
// What the browser says of requests that are meant to fail is no error, while they are.
let isBroken = false;

async function watched(browser, options) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("console", (message) => message.type() === "error" && !(isBroken && /Failed to load resource|ERR_/.test(message.text())) && errors.push(`console: ${message.text()} ${message.location().url}`));
  page.on("pageerror", (error) => errors.push(`page: ${error.stack ?? error}`));
  page.on("dialog", (dialog) => { errors.push("a dialog"); dialog.dismiss(); });
  page.on("request", (request) => ["127.0.0.1"].includes(new URL(request.url()).hostname) || errors.push(`outside: ${request.url()}`));
  return page;
}

async function logIn(page, user, password) {
  await page.goto(`http://127.0.0.1:${ports[0]}/login`);
  await page.fill("input[name=user]", user);
  await page.fill("input[name=password]", password);
  await page.click("button");
}

const texts = (page, selector) => page.$$eval(selector, (all) => all.map((one) => one.textContent));
const number = (text) => Number(text.replaceAll(",", ""));
const level = (page) => page.getAttribute("#verdict", "data-level");
// On a machine that has much to do a loop waits for a processor, and the verdict says so.
const isWell = async (page) => (await level(page)) === "ok" || /for one turn|snapshot/.test(await page.textContent("#verdict-text"));
const part = async (page, name) => { await page.click(`nav a[href="#${name}"]`); await page.waitForSelector(`#${name}:not([hidden])`); };

async function picture(page, name) {
  await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
}

async function main() {
  await freePorts();
  fs.writeFileSync(`${work}/config.json`, JSON.stringify(ports.map((port) => ({ ip: "127.0.0.1", port }))));
  await cluster("start");
  for (let node = 0; node < NODES; node++) {
    await say(node, "ACL", "SETUSER", "reader", "on", ">look", "~*", "+@read", "+info", "+config|get", "+client|list", "+slowlog|get", "+events", "+watch-prefix", "-@write");
    await say(node, "CONFIG", "SET", "slowlog-log-slower-than", "2000");
  }
  step(`a cluster of ${NODES}`);
  const load = spawn(path.join(path.dirname(binary), "kvbench"), ["--address", `127.0.0.1:${ports[0]}`, "--dialect", "resp", "--rate", "3000", "--clients", "20", "--keys", String(KEYS), "--reads", "0.7", "--seconds", "600"], { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  load.stderr.on("data", (data) => (complaint += data));
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    await look(browser, load);
    if (complaint && load.exitCode) throw new Error(`kvbench: ${complaint}`);
    assert.deepEqual(errors, []);
  } finally {
    load.kill();
    await browser.close();
  }
}

async function look(browser, load) {
  const page = await watched(browser, { colorScheme: "light" });
  await page.goto(`http://127.0.0.1:${ports[0]}/`);
  await until("all is well", () => isWell(page));
  step(`verdict: ${await page.textContent("#verdict-text")}`);

  await overview(page, load);
  await breakage(page, browser);
  await keys(page);
  await tail(page);
  await rest(page, load);
  await album(browser, page);
  await reader(browser);
}

// What is shown of each node is what that node says of itself.
async function overview(page, load) {
  await until("reads and writes are in the charts", async () => (await texts(page, ".chart figcaption"))[0]?.match(/reads [1-9]/));
  await until("a rate of 3,000 is shown", async () => {
    const rate = number((await texts(page, "#nodes tbody tr:first-child td"))[3]);
    return rate > 2_000 && rate < 4_500;
  });
  const [shownMs, askedMs] = [await page.textContent("#figures div:nth-child(5) .note"), (await info(0)).longest_tick_recent_us];
  step(`longest tick shown: ${shownMs}; by INFO ${askedMs} us`);
  // A time is chosen in one chart, and all show what was then.
  await page.hover("#charts canvas >> nth=0", { position: { x: 250, y: 40 } });
  assert.match(await page.textContent("#charts-time"), /^at \d\d:\d\d:\d\d$/);
  await page.mouse.move(5, 5);
  const history = await (await page.request.get(`http://127.0.0.1:${ports[0]}/v1/history?step=1`)).json();
  const isDrawn = await page.$$eval("#charts canvas", (all) => all.map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let colored = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 128 && Math.max(data[at], data[at + 1], data[at + 2]) - Math.min(data[at], data[at + 1], data[at + 2]) > 60) colored++;
    return colored;
  }));
  assert.ok(isDrawn.every((pixels, at) => pixels > 0 || at === 7), `charts without a line: ${isDrawn}`);
  step(`charts: ${Object.keys(history.columns).length} columns, ${history.columns.reads.length} s`);
  // The longest ticks, as the node tells them.
  await page.waitForSelector("#ticks tbody tr");
  await until("ticks as the node tells them", async () => {
    const { ticks } = await (await page.request.get(`http://127.0.0.1:${ports[0]}/v1/ticks`)).json();
    const shown = await page.$$eval("#ticks tbody tr", (rows) => rows.map((row) => Number(row.dataset.number)));
    return shown.length > 0 && shown.every((one, at) => one === ticks[at].number);
  });
  // Without load all figures stand still, and have to be those of INFO.
  process.kill(load.pid, "SIGSTOP");
  let differs = "";
  await until(() => `each row is as INFO of its node: ${differs}`, async () => {
    for (let node = 0; node < NODES; node++) {
      const said = await info(node), keys = Number((await say(node, "DBSIZE")).slice(1)), row = await texts(page, `#nodes tbody tr:nth-child(${node + 1}) > *`);
      differs = `${row.join(" | ")} and ${keys} keys, clients ${said.connected_clients}`;
      if (number(row[3]) !== keys || row[2] !== "ready") return false;
      if (Math.abs(number(row[5]) - (Number(said.connected_clients) - 1)) > 2) return false;
    }
    return true;
  });
  step(`nodes: ${(await texts(page, "#nodes tbody tr > :nth-child(4)")).join(", ")} keys, as INFO has them`);
  await until("all agree", async () => (await texts(page, "#matrix .word")).filter((word) => word === "agrees").length === NODES * (NODES - 1));
  process.kill(load.pid, "SIGCONT");
}

// A node dies and comes back; another is stopped and goes on.
async function breakage(page, browser) {
  const cell = (row, column) => `#matrix tbody tr:nth-child(${row + 1}) td:nth-child(${column + 2})`;
  await cluster("kill", "1");
  await until("node 1 is missed", async () => ["warn", "bad"].includes(await level(page)) && /node 1/i.test(await page.textContent("#verdict-text")));
  await until("the cell says why", async () => (await page.getAttribute(cell(0, 1), "data-level")) === "bad" && (await page.textContent(`${cell(0, 1)} .why`)).length > 3);
  step(`killed: ${await page.textContent("#verdict-text")} | ${await page.textContent("#verdict-advice")} | ${await page.textContent(cell(0, 1))}`);
  await until("node 1 is silent", async () => /silent|not said/.test(await page.textContent("#nodes tbody tr:nth-child(2) .state")));
  await picture(page, "overview-light-killed");
  await cluster("restart", "1");
  await until("all is well", async () => (await isWell(page)) && (await page.getAttribute(cell(0, 1), "data-level")) === "ok");
  step(`back: ${await page.textContent("#verdict-text")}`);

  const last = NODES - 1, pid = Number(fs.readFileSync(`${work}/cluster/node-${last}.pid`, "utf8"));
  const other = await watched(browser, { colorScheme: "dark" });
  await other.goto(`http://127.0.0.1:${ports[last]}/`);
  await until("all is well there", () => isWell(other));
  process.kill(pid, "SIGSTOP");
  isBroken = true;
  await until("the stopped node is missed", async () => ["warn", "bad"].includes(await level(page)) && new RegExp(`node ${last}`, "i").test(await page.textContent("#verdict-text")));
  await until("its own page says that it does not answer", async () => /not answered/.test(await other.textContent("#verdict-text")));
  step(`stopped: ${await page.textContent("#verdict-text")}`);
  await picture(other, "overview-dark-lost");
  process.kill(pid, "SIGCONT");
  await until("all is well", async () => (await isWell(page)) && (await isWell(other)), 120_000);
  isBroken = false;
  step(`goes on: ${await page.textContent("#verdict-text")}`);
  // The time in which it stood still is a gap in its history.
  const history = await (await other.request.get(`http://127.0.0.1:${ports[last]}/v1/history?step=1`)).json();
  const known = history.columns.memory_bytes.map((value) => value !== null);
  assert.ok(known.indexOf(false, known.indexOf(true)) >= 0, "the gap is in its history");
  await other.context().close();
}

async function keys(page) {
  await say(0, "SET", NASTY, "<b class=alien>x</b>", "PX", 3_600_000);
  await say(1, "SET", "json:1", '{"name":"Ada","n":12345678901234567890,"list":[1,{}]}');
  await say(0, "SET", LONG, "x".repeat(300_000));
  await until("what node 1 wrote is at node 0", async () => bulk(await say(0, "GET", "json:1")).startsWith("{"));
  await part(page, "keys");
  await page.selectOption("#find-by", "pattern");
  await page.fill("#find-text", "json:?");
  await page.click("#find button.primary");
  await page.click('#key-list a:text-is("json:1")');
  await page.waitForSelector("#value pre");
  assert.match(await page.textContent("#value pre"), /\n {2}"n": 12345678901234567890,\n/);
  assert.match(await page.textContent("#value .facts"), /by node 1/);
  await page.click('#value button:text-is("Edit")');
  await page.fill("#value textarea", "plain");
  await page.click('#value button:text-is("Save")');
  await until("it is written", async () => bulk(await say(0, "GET", "json:1")) === "plain");
  await page.waitForFunction(() => document.querySelector("#value .facts")?.textContent.includes("by node 0"));
  await page.fill("#value input[type=number]", "500");
  await page.click('#value button:text-is("Expire")');
  await until("it expires", async () => /^:(4|5)\d\d\r/.test(await say(0, "TTL", "json:1")));
  // What is written since a deletion is not undone.
  await page.waitForFunction(() => document.querySelector("#value .facts")?.textContent.includes("in 8 min"));
  await page.click('#value button:text-is("Delete")');
  await page.waitForSelector("#undo button.primary");
  await say(NODES - 1, "SET", "json:1", "newer");
  await until("the newer value is here", async () => bulk(await say(0, "GET", "json:1")) === "newer");
  isBroken = true;
  await page.click("#undo button.primary");
  await page.waitForSelector('#undo :text("was written since")');
  isBroken = false;
  assert.equal(bulk(await say(0, "GET", "json:1")), "newer");
  // Where nobody has, it comes back with its expiry.
  const before = await say(0, "PEXPIRETIME", NASTY);
  await page.selectOption("#find-by", "prefix");
  await page.fill("#find-text", "<");
  await page.click("#find button.primary");
  await page.click(`#key-list a:text-is(${JSON.stringify(NASTY)})`);
  await page.waitForFunction(() => document.querySelector("#value pre")?.textContent.includes("alien"));
  assert.equal(await page.locator("main img, main b.alien").count(), 0);
  await page.click('#value button:text-is("Delete")');
  await until("it is deleted", async () => (await say(0, "EXISTS", NASTY)) === ":0\r\n");
  await page.click("#undo button.primary >> nth=0");
  await until("it is back", async () => (await say(0, "PEXPIRETIME", NASTY)) === before);
  // Long keys, large values, and pages.
  await page.goto(`http://127.0.0.1:${ports[0]}/#keys/${encodeURIComponent(LONG)}`);
  await page.waitForFunction(() => document.querySelector("#value")?.textContent.includes("The first 64 KiB of 293 KiB"));
  await picture(page, "keys-light-long");
  await page.selectOption("#find-by", "prefix");
  await page.fill("#find-text", "");
  await page.click("#find button.primary");
  await page.waitForFunction(() => document.querySelectorAll("#key-list tbody tr").length > 99);
  const first = await texts(page, "#key-list tbody th");
  await page.click("#page-next");
  await page.waitForFunction(() => document.querySelector("#page-state").textContent.startsWith("page 2"));
  const second = await texts(page, "#key-list tbody th");
  assert.ok(!second.includes(first[0]), "another page has other keys");
  step("keys: found, shown, edited, expiring, deleted, undone and not undone");
}

// Every change is told once, although the stream breaks on the way.
async function tail(page) {
  const CHANGES = 3_000;
  await part(page, "tail");
  await page.fill("#follow-prefix", "tail:");
  await page.click('#follow button:text-is("Follow")');
  await page.waitForFunction(() => document.querySelector("#follow-state").textContent === "Following");
  await page.click("#follow-clear");
  const write = (begin, end) => new Promise((done, fail) => {
    const socket = net.connect(ports[0], "127.0.0.1");
    let lines = 0;
    socket.on("error", fail);
    socket.on("data", (data) => { lines += String(data).split("\n").length - 1; if (lines >= end - begin) { socket.end(); done(); } });
    socket.write(`${Array.from({ length: end - begin }, (_, at) => `SET tail:${begin + at} ${at}\n`).join("")}`);
  });
  await write(0, CHANGES / 3);
  const list = bulk(await say(0, "CLIENT", "LIST"));
  const id = list.split("\n").find((line) => /cmd=watch-prefix/i.test(line)).match(/^id=(\d+)/)[1];
  isBroken = true;
  await say(0, "CLIENT", "KILL", "ID", id);
  await write(CHANGES / 3, CHANGES);
  await until("all are told", async () => (await page.textContent("#follow-count")).startsWith("3,000 changes"));
  await sleep(1_500);
  isBroken = false;
  assert.match(await page.textContent("#follow-count"), /^3,000 changes/);
  assert.ok((await page.locator("#changes tbody tr").count()) <= 250, "rows are bounded");
  step(`tail: ${await page.textContent("#follow-count")}, through a connection that was killed`);
  await page.click("#follow-pause");
  await say(0, "SET", "tail:paused", "x");
  await page.waitForFunction(() => document.querySelector("#follow-count").textContent.includes("1 wait"));
  await page.click("#follow-pause");
  await page.waitForSelector('#changes a:text-is("tail:paused")');
  await page.fill("#follow-prefix", "");
  await page.click('#follow button:text-is("Follow")');
}

async function rest(page, load) {
  const socket = net.connect(ports[0], "127.0.0.1");
  socket.write("*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$6\r\nvictim\r\n");
  const closed = new Promise((done) => socket.on("close", done));
  socket.on("error", () => {});
  socket.on("data", () => {});
  await part(page, "clients");
  await page.fill("#clients-text", "victim");
  await page.waitForSelector('#client-list td:text-is("victim")');
  await page.click('#client-list button:text-is("Kill")');
  await page.click('#client-list button:text-is("Kill it?")');
  await closed;
  await page.fill("#clients-text", "");
  step("clients: one was killed");

  process.kill(load.pid, "SIGSTOP");
  await say(0, "CONFIG", "SET", "slowlog-log-slower-than", "0");
  await say(0, "GET", "slow:one");
  await say(0, "CONFIG", "SET", "slowlog-log-slower-than", "2000");
  await part(page, "slow");
  await page.waitForSelector('#slow-list td:text-is("GET slow:one")');
  process.kill(load.pid, "SIGCONT");

  await part(page, "settings");
  await page.waitForSelector('#setting-list th:text-is("slowlog-log-slower-than")');
  await page.check("#settings-all");
  await page.click('button[aria-label="Change slowlog-max-len"]');
  await page.fill("#setting-list input", "64");
  await page.click('#setting-list button:text-is("Set")');
  await until("it is set", async () => (await say(0, "CONFIG", "GET", "slowlog-max-len")).includes("\r\n64\r\n"));
  await page.uncheck("#settings-all");
  await page.waitForFunction(() => [...document.querySelectorAll("#setting-list tbody th")].some((one) => one.textContent === "slowlog-max-len"));

  await part(page, "events");
  await page.waitForSelector("#event-list tbody tr");
  const shown = await texts(page, "#event-list td:nth-child(3)");
  assert.ok(shown.includes("peer_linked"), shown.join());
  step("slow log, settings and events: as the node has them");
}

// Each part in both themes, and as a phone shows it.
async function album(browser, page) {
  const state = await page.context().storageState();
  for (const [name, options] of Object.entries({
    light: { colorScheme: "light" },
    dark: { colorScheme: "dark" },
    phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
    "phone-dark": { colorScheme: "dark", viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  })) {
    const shown = await watched(browser, { ...options, storageState: state });
    await shown.goto(`http://127.0.0.1:${ports[0]}/#overview`);
    for (const one of PARTS) {
      await part(shown, one);
      await sleep(2_200);
      if (one === "keys") await shown.click("#key-list tbody tr:nth-child(3) a").then(() => shown.waitForSelector("#value pre"));
      const wide = await shown.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${one} is ${wide} pixels wider than a ${name} screen`);
      await picture(shown, `${one}-${name}`);
    }
    await shown.goto(`http://127.0.0.1:${ports[0]}/login`);
    await picture(shown, `login-${name}`);
    await shown.context().close();
  }
}

// Who may only read is shown nothing else, and refused it.
async function reader(browser) {
  const page = await watched(browser, {});
  isBroken = true;
  // A wrong password is told on the form.
  await logIn(page, "reader", "wrong");
  await page.waitForSelector(".notice.bad");
  await picture(page, "login-wrong");
  await logIn(page, "reader", "look");
  await until("the page is there", () => isWell(page));
  await page.goto(`http://127.0.0.1:${ports[0]}/#keys/${encodeURIComponent(NASTY)}`);
  await page.waitForSelector("#value pre");
  assert.deepEqual(await texts(page, "#value .tools button"), ["Text", "JSON", "Hex"]);
  assert.ok(await page.isHidden("#find-new"));
  const statuses = await page.evaluate(async (key) => {
    const headers = { "Content-Type": "application/json" };
    const all = [
      fetch(`/v1/keys/${encodeURIComponent(key)}`, { method: "PUT", headers: { "Content-Type": "application/octet-stream" }, body: "x" }),
      fetch(`/v1/keys/${encodeURIComponent(key)}`, { method: "DELETE" }),
      fetch("/", { method: "POST", headers, body: JSON.stringify(["CONFIG", "SET", "maxmemory", "1"]) }),
      fetch("/", { method: "POST", headers, body: JSON.stringify(["CLIENT", "KILL", "ID", "1"]) }),
    ];
    return Promise.all(all.map(async (one) => (await one).status));
  }, NASTY);
  assert.ok(statuses.every((status) => status === 403 || status === 400), statuses.join());
  assert.equal(bulk(await say(0, "GET", NASTY)), "<b class=alien>x</b>");
  await picture(page, "keys-light-reader");
  await page.click("#logout button");
  await page.waitForURL("**/login");
  step(`a reader: refused with ${statuses.join(", ")}, and logged out`);
  // Where a password is wanted the form comes by itself, and leads back to where the page was.
  await say(0, "CONFIG", "SET", "requirepass", "top");
  await page.goto(`http://127.0.0.1:${ports[0]}/#events`);
  await page.waitForURL("**/login");
  await page.fill("input[name=password]", "top");
  await page.click("button");
  await page.waitForSelector("#event-list tbody tr");
  assert.equal(await page.evaluate(() => location.hash), "#events");
  step("the form comes by itself, and leads back");
}

main().catch((error) => {
  console.error(error);
  if (errors.length) console.error(errors);
  process.exit(1);
});
