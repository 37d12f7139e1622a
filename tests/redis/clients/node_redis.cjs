// node-redis, as applications use it: writes at one node, reads at the other. Arguments: their addresses.

"use strict";

const assert = require("node:assert/strict");
const { createClient, WatchError } = require("redis");
const { endpoint, soon } = require("./common.cjs");

const [writeNode, readNode] = process.argv.slice(2).map(endpoint);

async function main(RESP) {
  const connect = (node) => createClient({ socket: { ...node, reconnectStrategy: false }, RESP }).connect();
  const [a, b] = [await connect(writeNode), await connect(readNode)];

  assert.equal(await a.flushAll(), "OK");
  await soon(() => b.dbSize(), 0);
  assert.equal(await a.ping(), "PONG");
  assert.equal((await a.hello(RESP)).proto, RESP);

  assert.equal(await a.set("color", "blue"), "OK");
  assert.equal(await a.set("color", "red", { condition: "NX" }), null);
  await soon(() => b.get("color"), "blue");
  assert.equal(await a.setEx("hour", 3600, "x"), "OK");
  await soon(async () => (await b.ttl("hour")) > 3500, true);
  assert.deepEqual(await a.mSet({ x: "1", y: "two words" }), "OK");
  await soon(() => b.mGet(["x", "nothing", "y"]), ["1", null, "two words"]);
  await assert.rejects(a.incr("y"), /not an integer/);
  assert.equal(await a.incrByFloat("x", 1.5), "2.5");
  await a.mSet({ one: "ohmytext", two: "mynewtext" });
  assert.equal(await a.lcs("one", "two"), "mytext");
  assert.equal((await a.lcsIdx("one", "two")).len, 6);

  assert.equal(await a.set("lock", "mine", { condition: "NX", expiration: { type: "EX", value: 100 } }), "OK");
  assert.equal(await a.set("lock", "other", { condition: "IFEQ", matchValue: "other" }), null);
  assert.equal(await a.set("lock", "Hello world", { condition: "IFEQ", matchValue: "mine", GET: true }), "mine");
  assert.equal(await a.digest("lock"), "b6acb9d84a38ff74");
  assert.equal(await a.set("lock", "next", { condition: "IFDEQ", matchValue: "b6acb9d84a38ff74" }), "OK");
  await soon(() => b.get("lock"), "next");
  assert.equal(await a.delEx("lock", { condition: "IFEQ", matchValue: "mine" }), 0);
  assert.equal(await a.delEx("lock", { condition: "IFNE", matchValue: "mine" }), 1);
  await soon(() => b.exists("lock"), 0);
  const times = { mode: "NX", expiration: { type: "EX", value: 1000 } };
  assert.equal(await a.mSetEx(["m:1", "1", "m:2", "two"], times), 1);
  assert.equal(await a.mSetEx(["m:2", "2", "m:3", "3"], times), 0);
  await soon(() => b.mGet(["m:1", "m:2", "m:3"]), ["1", "two", null]);
  const window = { upperBound: 2, expiration: { type: "EX", value: 1000, ENX: true } };
  const calls = [await a.increx("calls", window), await a.increx("calls", window), await a.increx("calls", window)];
  assert.deepEqual(calls, [[1, 1], [2, 1], [2, 0]]);
  assert.deepEqual((await a.incrExByFloat("calls", 0.5)).map(Number), [2.5, 0.5]);
  await soon(() => b.get("calls"), "2.5");

  const numbers = await Promise.all(Array.from({ length: 500 }, () => a.incr("n")));
  assert.deepEqual(numbers, Array.from({ length: 500 }, (_, number) => number + 1));
  assert.deepEqual(await a.multi().set("m", 1).incr("m").get("m").exec(), ["OK", 2, "2"]);
  await soon(() => b.get("m"), "2");
  await a.watch("m");
  await b.set("m", 5);
  await soon(() => a.get("m"), "5");
  await assert.rejects(a.multi().set("m", 6).exec(), WatchError);

  const listener = await connect(readNode);
  const heard = [];
  await new Promise((resolve, reject) => {
    const hear = (message, channel) => heard.push([channel, message]) === 2 && resolve();
    (async () => {
      await listener.subscribe("news", hear);
      await listener.pSubscribe("we*", hear);
      assert.equal(await b.publish("news", "first"), 1);
      assert.equal(await b.publish("weather", "rain"), 1);
    })().catch(reject);
  });
  assert.deepEqual(heard, [["news", "first"], ["weather", "rain"]]);
  // A RESP3 listener may ask between messages.
  if (RESP === 3) assert.equal(await listener.get("m"), "5");
  await listener.unsubscribe();
  await listener.pUnsubscribe();

  const names = Array.from({ length: 300 }, (_, number) => `scan:${number}`);
  await Promise.all(names.map((name) => a.set(name, "x")));
  await soon(async () => {
    const found = new Set();
    for await (const keys of b.scanIterator({ MATCH: "scan:*", COUNT: 50 })) keys.forEach((key) => found.add(key));
    return found.size;
  }, 300);
  assert.equal(await a.unlink(names), 300);
  await soon(() => b.exists(names), 0);

  await Promise.all([a, b, listener].map((client) => client.close()));
}

main(2).then(() => main(3)).catch((error) => {
  console.error(error);
  process.exit(1);
});
