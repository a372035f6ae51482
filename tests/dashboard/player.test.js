import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  advance, isFinal, PAUSE_MS_MAX, reachesEnd, Recording, seek, standing, STEP_MS, toggle,
} from "strand/state/player.js";
import { emptyRound, reduceAll } from "strand/state/round.js";

const EVENTS = JSON.parse(readFileSync(new URL("round.json", import.meta.url)));
const ID = EVENTS[0].query_id;
const LONG = Array.from({ length: 300 }, (_, seq) => ({
  event: "text_sent", query_id: ID, at_ms: seq, seq, missed: 0, member: `${seq % 7}`,
}));

test("any position is the fold of the events before it, in any order of visits", () => {
  for (const events of [EVENTS, LONG]) {
    const recording = new Recording(events);
    for (const position of [events.length, 0, 1, 64, 65, 128, 63, events.length + 9, -3]) {
      const end = Math.max(0, Math.min(position, events.length));
      assert.deepEqual(recording.roundAt(position), reduceAll(emptyRound(ID), events.slice(0, end)), `${position}`);
    }
  }
});

test("an answer's text is known once the answer is opened", () => {
  const texts = [0, 1, 2, 3].map((number) => ({ number, text: `fn f${number}() {}` }));
  const recording = new Recording(EVENTS, texts);
  const opened = EVENTS.findIndex((each) => each.event === "answer_opened");
  assert.deepEqual(recording.roundAt(opened).texts, {});
  const first = EVENTS[opened].number;
  assert.deepEqual(Object.keys(recording.roundAt(opened + 1).texts), [`${first}`]);
  assert.equal(Object.keys(recording.roundAt(EVENTS.length).texts).length, 4);
});

test("played by its times it ends when the round did, and stands", () => {
  const recording = new Recording(EVENTS);
  assert.ok(recording.hasTimes);
  const whole = EVENTS.at(-1).at_ms;
  let state = toggle(recording, standing());
  state = advance(recording, state, whole - 1);
  assert.ok(state.playing && state.position < recording.length);
  state = advance(recording, state, 1);
  assert.deepEqual(state, { position: recording.length, waited_ms: 0, speed: 1, playing: false });
  assert.equal(advance(recording, state, 1_000), state);
  assert.deepEqual(toggle(recording, state), { position: 0, waited_ms: 0, speed: 1, playing: true });
});

test("small steps of time add up, at any speed", () => {
  const recording = new Recording(EVENTS);
  let state = { ...toggle(recording, standing()), speed: 2 };
  for (let each = 0; each < 10; each += 1) state = advance(recording, state, 10);
  const direct = advance(recording, toggle(recording, standing()), 200);
  assert.equal(state.position, direct.position);
});

test("a long pause is shortened", () => {
  const recording = new Recording([{ ...EVENTS[0], at_ms: 0 }, { ...EVENTS[1], at_ms: 600_000 }]);
  const state = toggle(recording, standing());
  assert.equal(advance(recording, state, PAUSE_MS_MAX - 1).position, 1);
  assert.equal(advance(recording, state, PAUSE_MS_MAX).position, 2);
});

test("events without times come one by one", () => {
  const recording = new Recording(EVENTS.map((each) => ({ ...each, at_ms: 0 })));
  assert.equal(recording.hasTimes, false);
  const state = toggle(recording, standing());
  assert.equal(advance(recording, state, STEP_MS - 1).position, 0);
  assert.equal(advance(recording, state, 3 * STEP_MS).position, 3);
});

test("seeking stays within the recording; a recording without events does not play", () => {
  const recording = new Recording(EVENTS);
  assert.equal(seek(recording, standing(), 1e9).position, recording.length);
  assert.equal(seek(recording, standing(3), -1).position, 0);
  assert.equal(seek(recording, toggle(recording, standing()), recording.length).playing, false);
  const nothing = new Recording([]);
  assert.equal(toggle(nothing, standing()).playing, false);
  assert.deepEqual(nothing.roundAt(5), emptyRound());
});

test("a replay that reaches the end of its round may still get more events, unless it is final", () => {
  const replay = (source, ...kinds) => ({ source, events: kinds.map((event) => ({ event, role: "requester" })) });
  const told = (each) => [reachesEnd(each), isFinal(each)];
  assert.deepEqual(told(null), [false, false]);
  assert.deepEqual(told(replay("certificate")), [false, false], "one of an earlier version has no events");
  assert.deepEqual(told(replay("certificate", "asked", "certified")), [true, true]);
  assert.deepEqual(told(replay("events", "asked", "certified")), [true, false]);
  assert.deepEqual(told(replay("events", "asked", "ended")), [true, true]);
  assert.deepEqual(told({ source: "events", events: [{ event: "ended", role: "member" }] }), [false, false]);
});
