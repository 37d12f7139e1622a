// What the scripts beside this one share.

"use strict";

const assert = require("node:assert/strict");

/** What one node was told, the other says soon. */
async function soon(ask, expected) {
  let answer;
  for (let tries = 0; tries < 6000; tries++) {
    answer = await ask();
    try {
      return assert.deepEqual(answer, expected);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  assert.deepEqual(answer, expected);
}

/** An address as host and port. */
function endpoint(address) {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

module.exports = { endpoint, soon };
