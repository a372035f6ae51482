import assert from "node:assert/strict";
import { test } from "node:test";

import { lastOfAll, loadAll, PAUSE_MS_MAX, pauseMs, startPoll } from "strand/state/poll.js";
import { LastReplies } from "strand/state/replies.js";

/** A page whose clock, timers and eyes the test moves. */
class Page {
  now = 1_000_000;
  visible = true;
  timers = new Map();
  watchers = new Set();
  #next = 0;

  nowMs = () => this.now;
  isVisible = () => this.visible;
  after = (ms, done) => {
    const id = this.#next++;
    this.timers.set(id, { at: this.now + ms, done });
    return () => this.timers.delete(id);
  };
  onVisibility = (changed) => {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  };

  see(visible) {
    this.visible = visible;
    for (const each of this.watchers) each();
  }

  /** Let time pass, timer by timer. */
  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      await settled();
      const [id, timer] = [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (timer === undefined || timer.at > end) break;
      this.now = timer.at;
      this.timers.delete(id);
      timer.done();
    }
    this.now = end;
    await settled();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A poll every second whose replies the test sets; `signals` are those of its requests. */
function polling(reply) {
  const page = new Page();
  const told = { states: [], signals: [], reply };
  const load = (signal) => {
    told.signals.push(signal);
    return told.reply(signal, told.signals.length);
  };
  const onState = (state) => told.states.push(state);
  return { page, told, poll: startPoll({ load, everyMs: 1000, onState }, page) };
}

const good = async (_, number) => ({ data: number, error: "" });
const bad = async () => ({ data: null, error: "away" });
const never = (signal) =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve({ data: null, error: "cancelled" })));

test("it asks at once and then in time", async () => {
  const { page, told } = polling(good);
  await page.pass(2_500);
  assert.equal(told.signals.length, 3);
  assert.deepEqual(told.states.at(-1), { data: 3, error: "", at_ms: 1_002_000, next_ms: 1_003_000 });
});

test("what was told last stays while it fails, and tries grow rare", async () => {
  const { page, told } = polling(good);
  await page.pass(0);
  told.reply = bad;
  await page.pass(1_000);
  assert.deepEqual(told.states.at(-1), { data: 1, error: "away", at_ms: 1_000_000, next_ms: 1_002_000 });
  await page.pass(7_000);
  // After 1, 2 and 4 seconds.
  assert.equal(told.signals.length, 5);
  told.reply = good;
  await page.pass(8_000);
  assert.equal(told.states.at(-1).error, "");
});

test("a pause has an end, and is never shorter than the usual one", () => {
  assert.deepEqual([0, 1, 2, 3, 30].map((each) => pauseMs(5_000, each)), [5_000, 5_000, 10_000, 20_000, PAUSE_MS_MAX]);
  assert.equal(pauseMs(90_000, 3), 90_000);
});

test("nobody looks: nothing is asked, and what is under way is given up", async () => {
  const { page, told } = polling(never);
  await page.pass(10);
  page.see(false);
  assert.equal(told.signals[0].aborted, true);
  await page.pass(60_000);
  assert.equal(told.signals.length, 1);
  assert.equal(told.states.at(-1).error, "", "giving up is no failure");
  told.reply = good;
  page.see(true);
  await page.pass(0);
  assert.equal(told.states.at(-1).data, 2);
  page.see(false);
  page.see(true);
  await page.pass(500);
  assert.equal(told.signals.length, 2, "a glance away does not make it ask again before its time");
  await page.pass(500);
  assert.equal(told.signals.length, 3);
});

test("asked for, it asks at once, and a late reply to what was given up is not taken", async () => {
  const { page, told, poll } = polling(async (signal, number) => (number === 1 ? never(signal) : good(signal, number)));
  await page.pass(10);
  poll.refresh();
  await page.pass(0);
  assert.equal(told.states.at(-1).data, 2);
  assert.equal(told.states.at(-1).error, "");
});

test("stopped, it is silent", async () => {
  const { page, told, poll } = polling(never);
  await page.pass(10);
  poll.stop();
  const states = told.states.length;
  await page.pass(100_000);
  assert.equal(told.signals[0].aborted, true);
  assert.equal(told.states.length, states);
  assert.equal(page.watchers.size + page.timers.size, 0);
});

test("several things are one: all of them, or why not; together they are as old as the oldest", async () => {
  const told = { "/a": { data: 1, error: "" }, "/b": { data: null, error: "" }, "/c": { data: null, error: "no c" } };
  let now = 7;
  const replies = new LastReplies(async (path) => ({ ...told[path], bytes: 1 }), () => now);
  const all = { data: { a: 1, b: null }, error: "" };
  assert.deepEqual(lastOfAll({ a: "/a", b: "/b" }, replies), { data: null, at_ms: 0 });
  assert.deepEqual(await loadAll({ a: "/a", b: "/b" }, null, replies), all);
  now = 9;
  assert.deepEqual(await loadAll({ a: "/a", c: "/c" }, null, replies), { data: null, error: "no c" });
  assert.deepEqual(lastOfAll({ a: "/a", b: "/b" }, replies), { data: all.data, at_ms: 7 });
  assert.deepEqual(lastOfAll({ a: "/a", c: "/c" }, replies), { data: null, at_ms: 0 });
});

test("what was told before stays until something newer comes, with its own age", async () => {
  const page = new Page();
  const states = [];
  const replies = [{ data: null, error: "gone" }, { data: 2, error: "" }];
  const load = async () => replies.shift();
  const known = { data: 1, at_ms: 7 };
  const poll = startPoll({ load, everyMs: 1000, onState: (state) => states.push(state), known }, page);
  await page.pass(0);
  assert.deepEqual([states.at(-1).data, states.at(-1).error, states.at(-1).at_ms], [1, "gone", 7]);
  await page.pass(1000);
  assert.deepEqual([states.at(-1).data, states.at(-1).error, states.at(-1).at_ms], [2, "", page.now]);
  poll.stop();
});
