import assert from "node:assert/strict";
import { test } from "node:test";

import { LastReplies, REPLIES_BYTES_MAX } from "strand/state/replies.js";

const NOTHING = { data: null, at_ms: 0 };

/** A memory of a node whose replies the test sets by path, each as large as `bytes` says. */
function remembering(told = {}) {
  const world = { now: 10, bytes: 1, told };
  const get = async (path) => {
    const data = world.told[path];
    return data === undefined ? { data: null, error: "away", status: 0 } : { data, error: "", bytes: world.bytes };
  };
  return { world, replies: new LastReplies(get, () => world.now) };
}

test("the last reply at a path is remembered with its time, and a failure leaves it alone", async () => {
  const { world, replies } = remembering({ "/s": 1 });
  assert.deepEqual(replies.last("/s"), NOTHING);
  assert.equal((await replies.load("/s")).data, 1);
  world.told = {};
  world.now = 20;
  assert.equal((await replies.load("/s")).error, "away");
  assert.deepEqual(replies.last("/s"), { data: 1, at_ms: 10 });
});

test("what is remembered is bounded by its bytes, and what was told longest ago goes first", async () => {
  const { world, replies } = remembering({ "/a": "a", "/b": "b", "/c": "c", "/huge": "h" });
  world.bytes = REPLIES_BYTES_MAX / 2;
  for (const path of ["/a", "/b", "/a", "/c"]) await replies.load(path);
  assert.deepEqual(["/a", "/b", "/c"].map((path) => replies.last(path).data), ["a", null, "c"]);
  world.bytes = REPLIES_BYTES_MAX + 1;
  assert.equal((await replies.load("/huge")).data, "h");
  assert.deepEqual(["/a", "/c", "/huge"].map((path) => replies.last(path).data), ["a", "c", null]);
});

test("however much is typed into a search, it takes one place", async () => {
  const searches = Array.from({ length: 9 }, (_, length) => `/api/rounds?search=${"x".repeat(length)}`);
  const { world, replies } = remembering({ "/s": 1, ...Object.fromEntries(searches.map((path) => [path, path])) });
  world.bytes = REPLIES_BYTES_MAX / 4;
  for (const path of ["/s", ...searches]) await replies.load(path);
  assert.equal(replies.last("/s").data, 1);
  assert.equal(replies.last(searches[8]).data, searches[8]);
  assert.deepEqual(replies.last(searches[7]), NOTHING);
});

test("what was forgotten does not come back with a reply that was under way", async () => {
  const { replies } = remembering({ "/s": 1 });
  await replies.load("/s");
  const late = replies.load("/s");
  replies.clear();
  await late;
  assert.deepEqual(replies.last("/s"), NOTHING);
});
