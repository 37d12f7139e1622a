// ioredis, as applications use it: writes at one node, reads at the other. Arguments: their addresses.

"use strict";

const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { endpoint, soon } = require("./common.cjs");

const [writeNode, readNode] = process.argv.slice(2).map(endpoint);

async function main(protocol) {
  const options = { retryStrategy: null, maxRetriesPerRequest: 0, protocol };
  const a = new Redis({ ...options, ...writeNode, connectionName: "ioredis" });
  const b = new Redis({ ...options, ...readNode });

  assert.equal(await a.flushall(), "OK");
  await soon(() => b.dbsize(), 0);
  assert.equal(await a.ping(), "PONG");
  assert.equal(await a.client("GETNAME"), "ioredis");

  assert.equal(await a.set("color", "blue"), "OK");
  assert.equal(await a.set("color", "red", "NX"), null);
  assert.equal(await a.set("color", "green", "EX", 3600, "GET"), "blue");
  await soon(() => b.get("color"), "green");
  await soon(async () => (await b.ttl("color")) > 3500, true);
  const bytes = Buffer.from(Array.from({ length: 70000 }, (_, at) => at % 256));
  assert.equal(await a.set(Buffer.from([0, 13, 10, 255]), bytes), "OK");
  await soon(() => b.getBuffer(Buffer.from([0, 13, 10, 255])), bytes);
  assert.equal(await a.mset({ x: 1, y: "two words" }), "OK");
  await soon(() => b.mget("x", "nothing", "y"), ["1", null, "two words"]);
  await assert.rejects(a.incr("y"), /not an integer/);
  await assert.rejects(a.call("NOSUCH", "x"), /unknown command/);

  const pipeline = a.pipeline();
  for (let number = 0; number < 1000; number++) pipeline.set(`pipe:${number}`, number);
  assert.deepEqual(await pipeline.exec(), Array(1000).fill([null, "OK"]));
  await soon(() => b.exists(...Array.from({ length: 1000 }, (_, number) => `pipe:${number}`)), 1000);
  // All that is asked in one turn of the event loop goes out at once, and each gets its own answer.
  const numbers = await Promise.all(Array.from({ length: 500 }, () => a.incr("n")));
  assert.deepEqual(numbers, Array.from({ length: 500 }, (_, number) => number + 1));

  assert.deepEqual(await a.multi().set("m", 1).incr("m").get("m").exec(), [[null, "OK"], [null, 2], [null, "2"]]);
  await soon(() => b.get("m"), "2");
  await a.watch("m");
  await b.set("m", 5);
  await soon(() => a.get("m"), "5");
  assert.equal(await a.multi().set("m", 6).exec(), null);
  await assert.rejects(a.multi().set("m", 7).call("NOSUCH").exec(), /EXECABORT/);
  assert.equal(await a.get("m"), "5");

  // However busy the machine is.
  assert.equal(await a.config("SET", "script-time-ms", 1000), "OK");
  const unlock = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";
  a.defineCommand("unlock", { numberOfKeys: 1, lua: unlock });
  assert.equal(await a.set("lock", "mine", "PX", 100000, "NX"), "OK");
  assert.equal(await a.unlock("lock", "another's"), 0);
  await soon(() => b.get("lock"), "mine");
  assert.equal(await a.unlock("lock", "mine"), 1);
  await soon(() => b.exists("lock"), 0);

  const listener = new Redis({ ...options, ...readNode });
  const heard = [];
  const enough = new Promise((resolve) => {
    const hear = (...message) => heard.push(message) === 2 && resolve();
    listener.on("message", hear).on("pmessage", hear);
  });
  assert.equal(await listener.subscribe("news", "sport"), 2);
  assert.equal(await listener.psubscribe("we*"), 3);
  assert.equal(await b.publish("news", "first"), 1);
  assert.equal(await b.publish("weather", "rain"), 1);
  await enough;
  assert.deepEqual(heard, [["news", "first"], ["we*", "weather", "rain"]]);
  assert.equal(await listener.unsubscribe("news", "sport"), 1);
  assert.equal(await listener.punsubscribe(), 0);
  // No listener any more: it may ask again.
  assert.equal(await listener.get("m"), "5");

  const found = new Set();
  await soon(async () => {
    found.clear();
    for await (const keys of b.scanStream({ match: "pipe:*", count: 100 })) keys.forEach((key) => found.add(key));
    return found.size;
  }, 1000);
  assert.deepEqual((await a.keys("pipe:99?")).length, 10);
  assert.equal(await a.del([...found]), 1000);
  await soon(() => b.keys("pipe:*"), []);

  await Promise.all([a, b, listener].map((client) => client.quit()));
}

main(2).then(() => main(3)).catch((error) => {
  console.error(error);
  process.exit(1);
});
