import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { connection, followNode, lastReplies, meetNode, node, nodesBefore, store } from "strand/live.js";

const ID = "ab".repeat(32);
const real = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = real;
});

/** Let every request get this reply. */
function replying(status, told) {
  globalThis.fetch = async () => Response.json(told, { status });
}

test("nothing that the node told outlives the session", async () => {
  replying(200, { peers: [] });
  await lastReplies.load("/api/peers");
  assert.deepEqual(lastReplies.last("/api/peers").data, { peers: [] });
  replying(401, { error: "a token is needed" });
  await followNode(new AbortController().signal);
  assert.equal(connection.value.state, "refused");
  assert.equal(lastReplies.last("/api/peers").data, null);
});

test("what another node told at this address is forgotten, and the same node's is kept", async () => {
  const meet = async (key) => {
    replying(200, { key });
    await meetNode();
  };
  await meet("aa");
  await lastReplies.load("/api/status");
  store.take({ event: "asked", query_id: ID, at_ms: 1, seq: 1, missed: 0, members: [] });
  replying(503, { error: "busy" });
  await meetNode();
  await meet("aa");
  assert.deepEqual([lastReplies.last("/api/status").data, nodesBefore.value], [{ key: "aa" }, 0]);
  assert.equal(store.rounds.value.size, 1);
  await meet("bb");
  assert.deepEqual([lastReplies.last("/api/status").data, nodesBefore.value, node.value.key], [null, 1, "bb"]);
  assert.equal(store.rounds.value.size, 0);
});
