// The dashboard in a browser: what it shows of a node that has three keys, one of which is called as if it were HTML.
// Says nothing where all is well.
"use strict";
const assert = require("node:assert");
const { chromium } = require("playwright-core");
const [, , base, executablePath] = process.argv;

const NASTY = "<img src=x onerror=alert(1)>";

async function main() {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("dialog", (dialog) => { errors.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on("request", (request) => new URL(request.url()).origin === base || errors.push(`outside: ${request.url()}`));
    const ask = async (...words) => (await page.request.post(`${base}/`, { data: words })).json();

    await page.goto(`${base}/`);
    // The verdict, and the number of keys, are those of the node.
    await page.waitForSelector('#verdict:not([data-level="wait"])');
    await page.waitForFunction(() => document.querySelector("#figures dd")?.textContent === "3");
    await page.waitForFunction(() => document.querySelectorAll("#charts canvas").length === 8);
    const { verdict } = await (await page.request.get(`${base}/v1/status`)).json();
    const gist = (text) => text.toLowerCase().replace(/[\d.]+/g, "");
    await page.waitForFunction((text) => document.querySelector("#verdict-text").textContent.toLowerCase().replace(/[\d.]+/g, "") === text, gist(verdict.text));

    // A key that reads like HTML is a text, and so is its value.
    await page.click('nav a[href="#keys"]');
    await page.waitForSelector("#key-list tbody tr");
    assert.equal(await page.locator("#key-list tbody tr").count(), 3);
    assert.equal(await page.locator("main img, main script, main b.alien").count(), 0);
    await page.click(`#key-list a:text-is(${JSON.stringify(NASTY)})`);
    await page.waitForSelector("#value pre");
    assert.equal(await page.textContent("#value pre"), "<b class=alien>value</b>");
    assert.equal(await page.locator("main b.alien").count(), 0);

    // A deletion is undone with its expiry.
    const before = (await ask("PEXPIRETIME", NASTY)).result;
    await page.click("#value button.danger");
    await page.waitForSelector("#undo button.primary");
    assert.equal((await ask("EXISTS", NASTY)).result, 0);
    await page.click("#undo button.primary");
    for (let tries = 0; tries < 3000 && (await ask("EXISTS", NASTY)).result === 0; tries++) await page.waitForTimeout(20);
    assert.equal((await ask("GET", NASTY)).result, "<b class=alien>value</b>");
    assert.equal((await ask("PEXPIRETIME", NASTY)).result, before);

    // Changes come as they happen, and a value's bytes are shown as they are.
    await page.click('nav a[href="#tail"]');
    await page.waitForFunction(() => document.querySelector("#follow-state").textContent === "Following");
    await ask("SET", "later", "blue");
    await page.waitForSelector('#changes a:text-is("later")');
    await page.goto(`${base}/#keys/${encodeURIComponent("bytes")}`);
    // What was shown before goes when the value has come.
    await page.waitForFunction(() => document.querySelector("#value pre")?.textContent.startsWith("00000000  00 ff fe"));

    // Another database's keys are its own: they are found, written, deleted, brought back and followed there.
    const askIn = async (db, ...words) => (await (await page.request.post(`${base}/?db=${db}`, { data: words })).json()).result;
    await askIn(7, "SET", "color", "of seven");
    await page.selectOption("#find-db", "7");
    await page.waitForFunction(() => document.querySelector("#find-state").textContent.startsWith("1 key in"));
    await page.click('#key-list a:text-is("color")');
    await page.waitForFunction(() => document.querySelector("#value pre")?.textContent === "of seven");
    assert.equal(new URL(page.url()).hash, "#keys/color?db=7");
    await page.click("#value button.danger");
    await page.waitForSelector("#undo button.primary");
    assert.deepEqual([await askIn(7, "EXISTS", "color"), await askIn(0, "GET", "color")], [0, "blue"]);
    await page.click("#undo button.primary");
    for (let tries = 0; tries < 3000 && (await askIn(7, "EXISTS", "color")) === 0; tries++) await page.waitForTimeout(20);
    assert.equal(await askIn(7, "GET", "color"), "of seven");
    await page.waitForFunction(() => document.querySelector("#value pre")?.textContent === "of seven");
    await page.fill('#value input[type="number"]', "5000");
    await page.click('#value button:text-is("Expire")');
    await page.waitForSelector('#value button:text-is("Never expire")');
    assert.ok((await askIn(7, "TTL", "color")) > 0 && (await askIn(0, "TTL", "color")) === -1);
    await page.click('nav a[href="#tail"]');
    await page.selectOption("#follow-db", "7");
    await page.waitForFunction(() => document.querySelector("#follow-state").textContent === "Following");
    await askIn(0, "SET", "hidden", "zero");
    await askIn(7, "SET", "seen", "seven");
    await page.waitForSelector('#changes a:text-is("seen")');
    assert.equal(await page.locator('#changes a:text-is("hidden")').count(), 0);
    await page.click('#changes a:text-is("seen")');
    await page.waitForFunction(() => document.querySelector("#value pre")?.textContent === "seven");

    for (const part of ["clients", "slow", "settings", "events"]) {
      await page.click(`nav a[href="#${part}"]`);
      await page.waitForFunction((part) => document.querySelector(`#${part} [role=status]`).textContent.length > 5, part);
    }
    assert.ok(await page.locator("#client-list tbody tr").count() > 0);
    assert.ok(await page.locator("#event-list tbody tr").count() > 0);

    // The form lets in, leads to the page, and the page lets out.
    await page.goto(`${base}/login`);
    await page.click("button");
    await page.waitForURL(`${base}/`);
    await page.click("#logout button");
    await page.waitForURL(`${base}/login`);
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
