import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { ask, bytesOf, queueLine, remedyOf, SILENCE_MS_MAX, withoutAdvice } from "strand/state/asking.js";
import { Timers } from "./timers.js";

const real = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = real;
});

/** Let each request get this reply; return the requests. */
function replying(make) {
  const requests = [];
  globalThis.fetch = async (path, options) => {
    requests.push({ path, ...options });
    return make();
  };
  return requests;
}

const ENDED = { event: "ended", role: "requester" };
const lines = (...events) => events.map((each) => `${JSON.stringify(each)}\n`).join("");

test("a round is followed to its end", async () => {
  const requests = replying(() => new Response(lines({ event: "asked" }, { event: "ended", role: "member" }, ENDED)));
  const seen = [];
  const told = await ask({ turns: [] }, (event) => seen.push(event.event), new AbortController().signal);
  assert.deepEqual(told, { error: "", status: 200, retry_s: null });
  assert.deepEqual(seen, ["asked", "ended", "ended"]);
  assert.equal(requests[0].path, "/api/ask?details=1");
  assert.equal(requests[0].body, '{"turns":[]}');
});

test("a stream that ends before the round is an error, and so is one of no events", async () => {
  for (const text of [lines({ event: "asked" }), lines({ event: "asked" }) + "<html>\n"]) {
    replying(() => new Response(text));
    const told = await ask({}, () => {}, new AbortController().signal);
    assert.deepEqual(told, { error: "The connection ended before the round did.", status: 200, retry_s: null });
  }
});

test("a question may wait long, but a round is not silent for ever", async (t) => {
  const timers = new Timers(t);
  let begin;
  let tell;
  globalThis.fetch = (_, { signal }) =>
    new Promise((resolve) => {
      const start = (controller) => {
        tell = (event) => controller.enqueue(new TextEncoder().encode(lines(event)));
        signal.addEventListener("abort", () => controller.error(signal.reason));
      };
      begin = () => resolve(new Response(new ReadableStream({ start })));
    });
  const asked = ask({}, () => {}, new AbortController().signal);
  await timers.pass(SILENCE_MS_MAX - 1);
  begin();
  for (const event of ["asked", "progress"]) {
    tell({ event });
    await timers.pass(0);
    await timers.pass(SILENCE_MS_MAX - 1);
  }
  assert.equal(timers.waiting, 1);
  await timers.pass(1);
  assert.deepEqual(await asked, { error: "The connection ended before the round did.", status: 200, retry_s: null });
  assert.equal(timers.waiting, 0);
});

test("a fault of the page itself is not taken for the network's", async () => {
  replying(() => new Response(lines(ENDED)));
  const fault = () => {
    throw new Error("a bug");
  };
  await assert.rejects(ask({}, fault, new AbortController().signal), /a bug/);
});

test("a refusal has its line, its status and the time to wait", async () => {
  replying(() => new Response('{"error":"the queue is full"}', { status: 503, headers: { "Retry-After": "12" } }));
  const told = await ask({}, () => {}, new AbortController().signal);
  assert.deepEqual(told, { data: null, error: "the queue is full", status: 503, retry_s: 12 });
  globalThis.fetch = async () => {
    throw new TypeError("failed to fetch");
  };
  assert.equal((await ask({}, () => {}, new AbortController().signal)).status, 0);
});

test("each refusal says what to do", () => {
  assert.equal(remedyOf(422).action, "anyway");
  assert.match(remedyOf(503, 12).words, /in about 12 s/);
  assert.match(remedyOf(503).words, /a little later/);
  assert.equal(remedyOf(503).action, "again");
  assert.equal(remedyOf(0).action, "again");
  assert.equal(remedyOf(400).action, "");
  assert.deepEqual(remedyOf(401), { words: "", action: "" });
  assert.equal(remedyOf(500).action, "again");
});

test("advice for the command line is left out", () => {
  const line = "the question looks like it holds a private key: take it out, or force it with `allow_secrets`";
  assert.equal(withoutAdvice(line), "the question looks like it holds a private key.");
  assert.equal(withoutAdvice("the query is empty"), "the query is empty");
});

test("the queue in a line", () => {
  assert.equal(queueLine(null), "sent; waiting for the round to begin");
  assert.equal(queueLine({ waiting: [], wait_s: 0 }), "sent; waiting for the round to begin");
  assert.match(queueLine({ waiting: [{}, {}], wait_s: 4.2 }), /2 of its questions wait, about 5 s/);
});

test("sizes are in bytes", () => {
  assert.equal(bytesOf("aä€"), 6);
});
