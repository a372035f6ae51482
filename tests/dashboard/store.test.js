import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { emptyRound, reduceAll } from "strand/state/round.js";
import { EVENTS_MAX, ROUNDS_MAX, Store } from "strand/state/store.js";

const EVENTS = JSON.parse(readFileSync(new URL("round.json", import.meta.url)));
const ID = EVENTS[0].query_id;
const at = { at_ms: 0, seq: 0, missed: 0 };
const joined = (id) => ({ ...at, event: "joined", query_id: id, requester: "aa", task: "code", budget_ms: 1 });
const left = (id) => ({ ...at, event: "ended", query_id: id, role: "member", ending: "left", outcome: null, fault: null });

function storeOf(events) {
  const store = new Store();
  for (const each of events) store.take(each);
  return store;
}

test("rounds are told apart", () => {
  const store = storeOf([...EVENTS, joined("ff"), { event: "certified" }, { event: "certified", query_id: "" }]);
  assert.deepEqual([...store.rounds.value.keys()], [ID, "ff"]);
  assert.deepEqual(store.rounds.value.get(ID).round, reduceAll(emptyRound(), EVENTS));
  assert.deepEqual(store.rounds.value.get(ID).events, EVENTS);
});

test("a page that came late fetches what went before", () => {
  const store = storeOf(EVENTS.slice(20));
  store.fold(ID, { events: EVENTS.slice(0, 30), answers: [{ number: 0, text: "fn" }] });
  const { round } = store.rounds.value.get(ID);
  assert.deepEqual({ ...round, texts: {} }, reduceAll(emptyRound(), EVENTS));
  assert.equal(round.texts[0].text, "fn");
});

test("events that were lost leave a mark on the rounds that go on, until they are fetched", () => {
  const store = storeOf([joined("aa"), joined("bb"), left("bb")]);
  store.noteLoss();
  const marks = () => [...store.rounds.value.values()].map((each) => each.round.incomplete);
  assert.deepEqual(marks(), [true, false]);
  store.fold("aa", { answers: [] });
  assert.deepEqual(marks(), [true, false]);
  store.fold("aa", { events: [joined("aa")] });
  assert.deepEqual(marks(), [false, false]);
});

test("what is kept is bounded: of rounds, those that are over go first", () => {
  const ids = Array.from({ length: ROUNDS_MAX }, (_, index) => index.toString(16).padStart(64, "0"));
  const store = storeOf([...ids.map(joined), left(ids[5]), joined("new")]);
  assert.equal(store.rounds.value.size, ROUNDS_MAX);
  assert.ok(!store.rounds.value.has(ids[5]) && store.rounds.value.has(ids[0]));
  store.take(joined("newer"));
  assert.ok(!store.rounds.value.has(ids[0]) && store.rounds.value.has("newer"));
});

test("what is kept is bounded: of a round's events the first, and the round goes on", () => {
  const events = Array.from({ length: EVENTS_MAX + 5 }, (_, seq) => ({
    ...at, event: "text_sent", query_id: "aa", seq, at_ms: seq, member: "bb",
  }));
  const known = storeOf(events).rounds.value.get("aa");
  assert.deepEqual([known.events.length, known.is_cut, known.round.at_ms], [EVENTS_MAX, true, EVENTS_MAX + 4]);
});
