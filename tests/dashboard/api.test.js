import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { getBytes, getJson, postJson, REPLY_BYTES_MAX, REPLY_MS_MAX, WORK_MS_MAX } from "strand/state/api.js";
import { Timers } from "./timers.js";

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
  assert.deepEqual(await getJson("/health/live"), { data: { live: true }, error: "", status: 200, bytes: 13 });
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

/** Let each request get a reply that begins with this text and never ends; it breaks off as a browser's does. */
function hanging(text) {
  globalThis.fetch = async (_, { signal }) => {
    const begin = (controller) => {
      controller.enqueue(new TextEncoder().encode(text));
      signal.addEventListener("abort", () => controller.error(signal.reason));
    };
    return new Response(new ReadableStream({ start: begin }));
  };
}

/** Let no request get a reply. */
function silent() {
  globalThis.fetch = (_, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

test("a reply has to come in time, with its whole body", async (t) => {
  const timers = new Timers(t);
  const late = { data: null, error: "The node did not answer within 10 s.", status: 0 };
  for (const begin of [silent, () => hanging('{"live":')]) {
    begin();
    const asked = getJson("/api/status");
    await timers.pass(REPLY_MS_MAX);
    assert.deepEqual(await asked, late);
  }
  replying(200, "{}");
  await getJson("/api/status");
  assert.equal(timers.waiting, 0, "a reply ends the wait for it");
});

test("what makes work for the node may take longer; a list, or a word to it, may not", async (t) => {
  const timers = new Timers(t);
  silent();
  const round = `/api/rounds/${"ab".repeat(32)}`;
  for (const path of ["/api/rounds?limit=20", "/api/rounds", `${round}/cancel`, "/api/reputation"]) {
    const asked = postJson(path, {});
    await timers.pass(REPLY_MS_MAX);
    assert.equal((await asked).error, "The node did not answer within 10 s.", path);
  }
  for (const path of ["/api/verify", round, `${round}/replay`, `${round}/answers`, "/api/reputation/ab"]) {
    const asked = postJson(path, {});
    await timers.pass(REPLY_MS_MAX);
    assert.equal(timers.waiting, 1, path);
    await timers.pass(WORK_MS_MAX - REPLY_MS_MAX);
    assert.equal((await asked).error, "The node did not answer within 120 s.");
  }
});

test("a request that is cancelled says so, whether or not its reply has begun", async () => {
  for (const begin of [silent, () => hanging("{")]) {
    begin();
    const leaving = new AbortController();
    const asked = getJson("/api/status", { signal: leaving.signal });
    await new Promise(setImmediate);
    leaving.abort();
    assert.deepEqual(await asked, { data: null, error: "The request was cancelled.", status: 0 });
  }
});

test("of a reply that is too large no more is read than may be", async () => {
  const piece = new Uint8Array(1 << 20);
  const most = REPLY_BYTES_MAX / piece.length;
  const endless = { sent: 0, isLeft: false };
  const body = (pieces) =>
    new ReadableStream(
      {
        pull: (controller) => {
          if (endless.sent === pieces) return controller.close();
          endless.sent += 1;
          return controller.enqueue(piece);
        },
        cancel: () => (endless.isLeft = true),
      },
      { highWaterMark: 0 },
    );
  globalThis.fetch = async () => new Response(body(Infinity));
  const told = await getJson("/api/peers");
  assert.deepEqual(told, { data: null, error: "The node's reply is larger than 64 MiB (status 200).", status: 200 });
  assert.deepEqual(endless, { sent: most + 1, isLeft: true });
  endless.sent = 0;
  globalThis.fetch = async () => new Response(body(most));
  assert.equal((await getBytes("/api/certificates/x")).data.length, REPLY_BYTES_MAX);
});
