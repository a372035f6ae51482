import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { getJson, postJson } from "strand/state/api.js";

const real = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = real;
});

/** Let each request get this reply; return the requests. */
function replying(status, body) {
  const requests = [];
  globalThis.fetch = async (path, options) => {
    requests.push({ path, ...options });
    return new Response(body, { status });
  };
  return requests;
}

test("a reply is its JSON", async () => {
  replying(200, '{"live":true}');
  assert.deepEqual(await getJson("/health/live"), { data: { live: true }, error: "", status: 200 });
});

test("a refusal is its line, in both forms", async () => {
  replying(503, '{"error":"too many wait"}');
  assert.deepEqual(await getJson("/api/wait"), { data: null, error: "too many wait", status: 503 });
  replying(404, '{"error":{"message":"no such model"}}');
  assert.equal((await getJson("/v1/models/x")).error, "no such model");
  replying(500, '{"error":{"message":7}}');
  assert.equal((await getJson("/x")).error, "The node refused (status 500).");
});

test("a session that is over says how to begin another", async () => {
  replying(401, '{"error":"a token is needed"}');
  assert.match((await getJson("/api/status")).error, /`strand ui`/);
});

test("what is no JSON, and no reply at all", async () => {
  replying(200, "<html>");
  assert.equal((await getJson("/x")).error, "The node's reply cannot be read (status 200).");
  globalThis.fetch = async () => {
    throw new TypeError("failed to fetch");
  };
  assert.deepEqual(await getJson("/x"), { data: null, error: "The node does not answer. Is it running?", status: 0 });
});

test("values are posted as JSON, bytes as they are", async () => {
  const requests = replying(200, "{}");
  await postJson("/api/pause", { for_ms: 1 });
  await postJson("/api/verify", new Uint8Array([1, 2]));
  assert.equal(requests[0].body, '{"for_ms":1}');
  assert.equal(requests[0].headers["Content-Type"], "application/json");
  assert.deepEqual(requests[1].body, new Uint8Array([1, 2]));
  assert.equal(requests[1].headers["Content-Type"], "application/octet-stream");
});
