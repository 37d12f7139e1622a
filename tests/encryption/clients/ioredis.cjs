// ioredis over TLS, as applications use it. Arguments: the node's port, and the directory of the certificates.

"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const Redis = require("ioredis");

const [port, directory] = process.argv.slice(2);
const file = (name) => fs.readFileSync(path.join(directory, name));
const once = { retryStrategy: null, maxRetriesPerRequest: 0, lazyConnect: true };

async function main() {
  const tls = { ca: file("ca.crt"), cert: file("client.crt"), key: file("client.key") };
  const a = new Redis({ ...once, host: "localhost", port: Number(port), tls });
  const b = new Redis(`rediss://127.0.0.1:${port}`, { ...once, tls });
  await a.connect();
  await b.connect();
  assert.equal(await a.flushall(), "OK");
  assert.equal(await a.set("color", "blue"), "OK");
  assert.equal(await b.get("color"), "blue");
  const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => at % 256));
  assert.equal(await a.set("big", bytes), "OK");
  assert.deepEqual(await b.getBuffer("big"), bytes);
  const numbers = await Promise.all(Array.from({ length: 500 }, () => a.incr("n")));
  assert.deepEqual(numbers, Array.from({ length: 500 }, (_, number) => number + 1));
  await a.quit();
  await b.quit();

  const stranger = new Redis({ ...once, host: "localhost", port: Number(port), tls: { ca: tls.ca } });
  stranger.on("error", () => {});
  await assert.rejects(stranger.connect().then(() => stranger.get("color")));
  stranger.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
