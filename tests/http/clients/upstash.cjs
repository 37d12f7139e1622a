// @upstash/redis, as edge functions use it. Arguments: the node's URL, and a token.

"use strict";

const assert = require("node:assert/strict");
const { Redis } = require("@upstash/redis");
const edge = require("@upstash/redis/cloudflare");

const [url, token] = process.argv.slice(2);
const options = { url, token, retry: false };

async function main(redis) {
  assert.equal(await redis.flushall(), "OK");
  assert.equal(await redis.ping(), "PONG");
  assert.equal(await redis.set("color", "blue"), "OK");
  assert.equal(await redis.get("color"), "blue");
  assert.equal(await redis.get("nothing"), null);
  assert.equal(await redis.set("color", "red", { nx: true }), null);
  assert.equal(await redis.set("color", "green", { ex: 3600, get: true }), "blue");
  assert.ok((await redis.ttl("color")) > 3500);
  assert.equal(await redis.expire("color", 100), 1);
  assert.ok((await redis.pttl("color")) <= 100000);
  assert.equal(await redis.persist("color"), 1);
  assert.equal(await redis.ttl("color"), -1);

  // It writes what is no text as JSON, and reads it as that.
  const person = { name: "Ada", since: 1815, tags: ["\u00e9", "\u{1f600}", "a\"\n"] };
  await redis.set("person", person);
  assert.deepEqual(await redis.get("person"), person);
  await redis.mset({ x: 1, y: "two words", z: true, ok: "OK" });
  assert.deepEqual(await redis.mget("x", "nothing", "y", "z", "ok"), [1, null, "two words", true, "OK"]);
  assert.equal(await redis.get("ok"), "OK");
  assert.equal(await redis.incr("n"), 1);
  assert.equal(await redis.incrby("n", 41), 42);
  assert.equal(await redis.incrbyfloat("n", 0.5), 42.5);
  assert.equal(await redis.append("y", "!"), 10);
  assert.equal(await redis.getrange("y", 0, 2), "two");
  assert.equal(await redis.exists("x", "y", "nothing"), 2);
  assert.equal(await redis.type("x"), "string");
  assert.equal(await redis.del("x", "nothing"), 1);
  await assert.rejects(redis.incr("y"), /ERR value is not an integer/);
  await assert.rejects(redis.lpush("list", "x"), /ERR unknown command/);

  // Bytes that are no text: each bit of it.
  for (let bit = 0; bit < 16; bit++) await redis.setbit("bits", bit, bit % 3 ? 0 : 1);
  assert.equal(await redis.bitcount("bits", 0, -1), 6);
  assert.equal(await redis.getbit("bits", 3), 1);
  const text = Buffer.from(Array.from({ length: 256 }, (_, at) => at)).toString("latin1").repeat(200);
  await redis.set("large", text);
  assert.equal(await redis.strlen("large"), Buffer.byteLength(text));
  assert.equal(await redis.get("large"), text);

  const pipeline = redis.pipeline();
  for (let number = 0; number < 2000; number++) pipeline.set(`pipe:${number}`, number);
  assert.deepEqual(await pipeline.exec(), Array(2000).fill("OK"));
  const mixed = redis.pipeline().get("pipe:7").incr("y").mget("pipe:1", "nothing").get("ok");
  const [seven, wrong, several, ok] = await mixed.exec({ keepErrors: true });
  assert.deepEqual([seven.result, several.result, ok.result], [7, [1, null], "OK"]);
  assert.match(wrong.error, /ERR value is not an integer/);
  await assert.rejects(redis.pipeline().set("a", 1).incr("y").exec(), /Command 2 \[ incr \] failed: ERR value/);
  // What is asked in one turn of the event loop goes out as one pipeline, unless each is to go alone.
  const numbers = await Promise.all(Array.from({ length: 100 }, () => redis.incr("counted")));
  assert.deepEqual(numbers, Array.from({ length: 100 }, (_, number) => number + 1));

  assert.deepEqual(await redis.multi().set("m", 1).incr("m").get("m").exec(), ["OK", 2, 2]);
  await assert.rejects(redis.multi().set("m", 7).lpush("list", "x").exec(), /EXECABORT.*unknown command/);
  assert.equal(await redis.get("m"), 2);

  const found = new Set();
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, { match: "pipe:*", count: 100 });
    keys.forEach((key) => found.add(key));
    cursor = next;
  } while (cursor !== "0");
  assert.equal(found.size, 2000);
  assert.equal((await redis.keys("pipe:199?")).length, 10);
  assert.equal(await redis.del(...found), 2000);
  assert.equal(await redis.publish("news", "x"), 0);

}

(async () => {
  await main(new Redis(options));
  await main(new Redis({ ...options, enableAutoPipelining: false }));
  await main(new edge.Redis({ ...options, responseEncoding: false, enableTelemetry: false }));
  await assert.rejects(new Redis({ ...options, token: "default:wrong" }).get("a"), /the password is wrong/);
  await assert.rejects(new Redis({ ...options, token: "nothing" }).get("a"), /Bearer <user>:<password>/);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
