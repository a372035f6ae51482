import assert from "node:assert/strict";
import { test } from "node:test";

import { EVENT_CHARS_MAX, readEvents } from "strand/state/sse.js";
import { follow, PAUSES_MS, SILENCE_MS_MAX } from "strand/state/stream.js";

const encode = (text) => new TextEncoder().encode(text);
const line = (seq, fields = {}) =>
  `id: life-${seq}\ndata: ${JSON.stringify({ event: "certified", query_id: "ab", seq, missed: 0, ...fields })}\n\n`;

async function eventsOf(pieces) {
  const found = [];
  for await (const each of readEvents(ReadableStream.from(pieces))) found.push(each);
  return found;
}

test("events are read however the bytes are cut", async () => {
  const whole = encode(`: hello\n\nid: a-1\ndata: {"x":"é"}\n\nevent: y\r\ndata: 1\r\ndata: 2\r\n\r\nid: a-2\ndata: lost`);
  const expected = [{ id: "", data: "" }, { id: "a-1", data: '{"x":"é"}' }, { id: "", data: "1\n2" }];
  for (const step of [1, 2, 3, 7, whole.length]) {
    const pieces = [];
    for (let from = 0; from < whole.length; from += step) pieces.push(whole.slice(from, from + step));
    assert.deepEqual(await eventsOf(pieces), expected, `step ${step}`);
  }
});

test("an event without an end is not kept for ever, and a break ends the stream", async () => {
  const pieces = [encode(": hi\n\n"), ...Array.from({ length: 20 }, () => encode("x".repeat(EVENT_CHARS_MAX / 16)))];
  assert.equal((await eventsOf([...pieces, encode("\n\n: late\n\n")])).length, 1);
  const broken = (async function* () {
    yield encode(": hi\n\n");
    throw new TypeError("network error");
  })();
  assert.equal((await eventsOf(broken)).length, 1);
});

/** A world whose time moves by hand, and whose replies come from a list: a function of the request's options each. */
class World {
  constructor(replies) {
    this.replies = [...replies];
    this.requests = [];
    this.timers = new Set();
    this.now = 0;
    this.nowMs = () => this.now;
    this.after = (ms, done) => {
      const timer = { due: this.now + ms, done };
      this.timers.add(timer);
      return () => this.timers.delete(timer);
    };
    this.fetch = async (path, options) => {
      this.requests.push(options.headers["Last-Event-ID"] ?? "");
      return this.replies.shift()(options);
    };
  }

  /** Let all that is ready happen, then the time pass. */
  async pass(ms) {
    await settle();
    this.now += ms;
    for (const timer of [...this.timers].filter((each) => each.due <= this.now)) {
      this.timers.delete(timer);
      timer.done();
    }
    await settle();
  }
}

/** Until tasks that wait for each other, and not for time, have all run. */
async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const ended = (text) => () => new Response(text);
const refused = (status) => () => new Response("{}", { status });
const unreachable = () => {
  throw new TypeError("failed to fetch");
};

/** A reply that stays open, as a network's does: it breaks when the request is aborted. */
const open = (text) => ({ signal }) => {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(encode(text));
      signal.addEventListener("abort", () => controller.error(new DOMException("aborted", "AbortError")));
    },
  });
  return new Response(body);
};

/** Follow in a world; what came, and the states in their order. */
function following(replies) {
  const world = new World(replies);
  const stop = new AbortController();
  const told = { events: [], states: [], world, stop };
  const onEvent = (event) => told.events.push(event.seq);
  const onState = (state) => told.states.push(state);
  told.done = follow({ onEvent, onState, signal: stop.signal }, world);
  return told;
}

const names = (told) => told.states.map((each) => each.state);

test("a stream that breaks goes on after the last event", async () => {
  const told = following([ended(`: hi\n\n${line(1)}${line(2)}`), unreachable, open(line(3))]);
  await told.world.pass(PAUSES_MS[0]);
  await told.world.pass(PAUSES_MS[1]);
  assert.deepEqual(told.events, [1, 2, 3]);
  assert.deepEqual(told.world.requests, ["", "life-2", "life-2"]);
  assert.deepEqual(names(told), ["connecting", "live", "stale", "live"]);
  told.stop.abort();
  await told.done;
  assert.equal(told.world.timers.size, 0);
});

test("silence is taken for a broken connection; comments are signs of life", async () => {
  const told = following([open(": hi\n\n"), open(": hi\n\n")]);
  await told.world.pass(SILENCE_MS_MAX - 1);
  assert.deepEqual(names(told), ["connecting", "live"]);
  await told.world.pass(1);
  assert.deepEqual(names(told), ["connecting", "live", "stale"]);
  assert.equal(told.states.at(-1).since_ms, SILENCE_MS_MAX);
  await told.world.pass(PAUSES_MS[0]);
  assert.equal(names(told).at(-1), "live");
  told.stop.abort();
  await told.done;
});

test("what was lost is counted; null says that nobody knows", async () => {
  const missed = (count) => `id: life-9\ndata: {"event":"missed","missed":${count}}\n\n`;
  const told = following([ended(line(1, { missed: 2 }) + missed(3)), open(missed("null") + line(8, { missed: 1 }))]);
  await told.world.pass(PAUSES_MS[0]);
  await settle();
  assert.deepEqual(told.states.map((each) => each.lost), [0, 0, 2, 5, 5, 5, null]);
  assert.deepEqual(told.events, [1, 8]);
  told.stop.abort();
  await told.done;
});

test("a session that is over ends it; a busy node is tried again, more and more seldom", async () => {
  const told = following([...PAUSES_MS.map(() => refused(503)), refused(503), refused(401)]);
  for (const pause of [...PAUSES_MS, PAUSES_MS.at(-1)]) await told.world.pass(pause);
  await told.done;
  assert.deepEqual(names(told), ["connecting", "stale", "refused"]);
  assert.equal(told.world.requests.length, PAUSES_MS.length + 2);
});

test("what is no event is passed over", async () => {
  const told = following([open(`data: {nonsense\n\ndata: 7\n\ndata: {"x":1}\n\n${line(4)}`)]);
  await settle();
  assert.deepEqual(told.events, [4]);
  told.stop.abort();
  await told.done;
});

test("a fault of ours is not taken for one of the network", async () => {
  const world = new World([ended(line(1))]);
  const onEvent = () => {
    throw new TypeError("ours");
  };
  await assert.rejects(follow({ onEvent, onState: () => {}, signal: new AbortController().signal }, world), /ours/);
});
