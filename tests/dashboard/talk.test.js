import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { CONFIDENCES, DEFAULTS } from "strand/state/conversation.js";
import { keepConversation, KEPT_CHARS_MAX, restore } from "strand/state/kept.js";
import { Talk } from "strand/state/talk.js";

const ID = "ab".repeat(32);
const real = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = real;
});

/** A tab's storage. */
class Storage extends Map {
  getItem(key) {
    return this.get(key) ?? null;
  }
  setItem(key, text) {
    this.set(key, text);
  }
  removeItem(key) {
    this.delete(key);
  }
}

const event = (kind, fields = {}) => ({ event: kind, query_id: ID, at_ms: 1, seq: 1, missed: 0, ...fields });
const ANSWERED = [
  event("asked", { members: [] }),
  event("decided", { outcome: "decided", reason: "none", answer: "yes", p_best: 0.9, p_correct: null }),
  event("ended", { role: "requester", ending: "finished", outcome: "decided", fault: null }),
];
const lines = (events) => events.map((each) => `${JSON.stringify(each)}\n`).join("");

/** Answer each path with what `replies` has for it; return the requests. */
function node(replies) {
  const requests = [];
  globalThis.fetch = async (path, options) => {
    requests.push({ path, body: options.body && JSON.parse(options.body), signal: options.signal });
    return replies[path.split("?")[0]](options);
  };
  return requests;
}

/** No reply, until the request is given up. */
const silent = ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("a question is answered, the next has it before it, and both outlive a reload", async () => {
  const storage = new Storage();
  const requests = node({ "/api/ask": () => new Response(lines(ANSWERED)) });
  const talk = new Talk(storage);
  talk.write("  first?  ");
  talk.set({ audience: "members", tests: "assert!(f());", show_tests: true });
  await talk.send();
  assert.equal(talk.exchanges.value[0].state, "over");
  assert.deepEqual([talk.draft.value, talk.settings.value.tests, talk.settings.value.audience], ["", "", "members"]);
  talk.write("second?");
  await talk.send();
  assert.equal(requests[0].body.tests, "assert!(f());");
  assert.deepEqual(
    requests[1].body.turns.map((each) => each.text),
    ["first?", "yes", "second?"],
  );
  talk.write("a draft");
  const later = new Talk(storage);
  assert.deepEqual([later.draft.value, later.settings.value.audience], ["a draft", "members"]);
  assert.deepEqual(later.exchanges.value.map((each) => [each.question, each.state, each.round.decided.answer]), [
    ["first?", "over", "yes"],
    ["second?", "over", "yes"],
  ]);
});

test("a secret that was found is sent only if that is said, and a question may be changed", async () => {
  const refuse = () => new Response('{"error":"the question holds a key"}', { status: 422 });
  const send = () => new Response(lines(ANSWERED));
  const requests = node({ "/api/ask": ({ body }) => (JSON.parse(body).allow_secrets ? send() : refuse()) });
  const talk = new Talk(new Storage());
  talk.write("my key is");
  await talk.send();
  assert.deepEqual([talk.exchanges.value[0].state, talk.exchanges.value[0].refusal.status], ["refused", 422]);
  await talk.again(1, true);
  assert.deepEqual([talk.exchanges.value[0].state, requests[1].body.allow_secrets], ["over", true]);
  talk.write("another key");
  await talk.send();
  talk.takeBack(2);
  assert.deepEqual([talk.draft.value, talk.exchanges.value.length], ["another key", 1]);
});

test("nothing is sent while a question is open, nor an empty one", async () => {
  let end;
  const requests = node({ "/api/ask": () => new Promise((resolve) => (end = resolve)) });
  const talk = new Talk(null);
  talk.write(" ");
  await talk.send();
  talk.write("first?");
  const sent = talk.send();
  talk.write("second?");
  await talk.send();
  assert.equal(requests.length, 1);
  end(new Response(lines(ANSWERED)));
  await sent;
  assert.deepEqual([talk.open, talk.draft.value], [undefined, "second?"]);
});

test("a question that waits is cancelled by leaving, one that is asked by its round", async () => {
  let toStream;
  const requests = node({ "/api/ask": silent, [`/api/rounds/${ID}/cancel`]: () => Response.json({ cancelled: false }) });
  const talk = new Talk(new Storage());
  talk.write("waits");
  const waiting = talk.send();
  assert.equal(await talk.cancel(1), "");
  await waiting;
  assert.deepEqual([talk.exchanges.value, talk.draft.value, requests[0].signal.aborted], [[], "waits", true]);

  const stream = new ReadableStream({ start: (controller) => (toStream = controller) });
  const replies = { "/api/ask": () => new Response(stream) };
  replies[`/api/rounds/${ID}/cancel`] = () => Response.json({ cancelled: false });
  node(replies);
  const sent = talk.send();
  const seen = new Promise((resolve) => {
    const stop = talk.exchanges.subscribe(([each]) => each?.state === "open" && resolve());
    return stop;
  });
  toStream.enqueue(new TextEncoder().encode(lines(ANSWERED.slice(0, 1))));
  await seen;
  assert.match(await talk.cancel(1), /too late/);
  toStream.enqueue(new TextEncoder().encode(lines(ANSWERED.slice(1))));
  toStream.close();
  await sent;
  assert.equal(talk.exchanges.value[0].state, "over");
});

test("a stream that breaks is lost, and the node tells how the round ended", async () => {
  const replies = { "/api/ask": () => new Response(lines(ANSWERED.slice(0, 1))) };
  node(replies);
  const talk = new Talk(new Storage());
  talk.write("?");
  await talk.send();
  assert.equal(talk.exchanges.value[0].state, "lost");
  assert.equal(talk.open.number, 1);
  const summary = { ending: null, outcome: null, certified: false, why_not: "" };
  const path = `/api/rounds/${ID}`;
  const detail = () => Response.json({ round: summary, answer: "yes", own_engine: "", certificate: null });
  node({ [path]: detail });
  assert.equal((await talk.recover(1)).error, "");
  assert.equal(talk.exchanges.value[0].state, "lost");
  Object.assign(summary, { ending: "finished", outcome: "decided", reason: "none", p_best: 1, p_correct: null });
  await talk.recover(1);
  assert.deepEqual([talk.exchanges.value[0].state, talk.exchanges.value[0].round.decided.answer], ["over", "yes"]);
});

test("what nobody knows any more is gone, and may be asked again", async () => {
  const storage = new Storage();
  node({ "/api/ask": silent });
  const talk = new Talk(storage);
  talk.write("?");
  const sent = talk.send();
  const later = new Talk(storage);
  assert.equal(later.exchanges.value[0].state, "lost");
  await later.recover(1);
  assert.match(later.exchanges.value[0].refusal.error, /left, or the connection broke, before the round began/);
  later.takeBack(1);
  assert.equal(later.draft.value, "?");
  node({ "/api/ask": () => new Response(lines(ANSWERED.slice(0, 1))) });
  await later.send();
  node({ [`/api/rounds/${ID}`]: () => new Response('{"error":"no such round"}', { status: 404 }) });
  assert.equal((await later.recover(1)).error, "no such round");
  assert.deepEqual([later.exchanges.value[0].state, later.open], ["gone", undefined]);
  assert.equal(new Talk(storage).exchanges.value[0].refusal.status, 404);
  talk.clear();
  await sent;
});

test("a stream that breaks before the round begins does not say that somebody left", async () => {
  node({ "/api/ask": () => new Response("") });
  const talk = new Talk(new Storage());
  talk.write("?");
  await talk.send();
  assert.equal(talk.exchanges.value[0].state, "lost");
  await talk.recover(1);
  assert.match(talk.exchanges.value[0].refusal.error, /the connection broke/);
});

test("a confidence that nobody can choose is as configured", () => {
  const kept = (confidence) => new Storage([["strand.ask.draft", JSON.stringify({ settings: { confidence } })]]);
  for (const each of CONFIDENCES) assert.equal(restore(kept(each)).settings.confidence, each);
  for (const each of ["0", "55", "100", 80, null]) assert.equal(restore(kept(each)).settings.confidence, "");
});

test("a new conversation leaves the old one alone", async () => {
  node({ "/api/ask": () => new Response(lines(ANSWERED)) });
  const storage = new Storage();
  const talk = new Talk(storage);
  talk.write("?");
  await talk.send();
  talk.clear();
  assert.deepEqual([talk.exchanges.value, new Talk(storage).exchanges.value], [[], []]);
});

test("a storage that is full, forbidden or full of nonsense is no storage", async () => {
  const full = new Storage();
  full.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  new Talk(full).write("x");
  const nothing = { draft: "", settings: { ...DEFAULTS }, exchanges: [] };
  assert.deepEqual(restore(null), nothing);
  for (const text of ["", "{", "null", "7", '{"draft":7,"settings":{"task":"poem","confidence":"999","findings":[7]}}']) {
    const storage = new Storage([["strand.ask.draft", text], ["strand.ask.conversation", text]]);
    assert.deepEqual({ ...restore(storage), settings: undefined }, { ...nothing, settings: undefined });
    assert.equal(restore(storage).settings.task, "code");
  }
});

test("a conversation that is too long for the storage is not kept by halves", () => {
  const storage = new Storage();
  const exchange = { number: 1, question: "x".repeat(KEPT_CHARS_MAX), settings: DEFAULTS, state: "over", round: {}, refusal: null };
  keepConversation(storage, [{ ...exchange, question: "short" }]);
  assert.equal(storage.size, 1);
  keepConversation(storage, [exchange]);
  assert.equal(storage.size, 0);
});
