import assert from "node:assert/strict";
import { test } from "node:test";

import { courseOf, leftMs, stopSentence } from "strand/state/course.js";
import { emptyRound, reduceAll } from "strand/state/round.js";

const ID = "ab".repeat(32);
const KEYS = ["11", "22", "33"].map((each) => each.repeat(32));
const BUDGETS = { answering: 60_000, opening: 5_000, judging: 30_000, cosigning: 5_000 };

let seq = 0;
function told(event, at_ms, more = {}) {
  seq += 1;
  return { event, query_id: ID, at_ms, seq, missed: 0, ...more };
}

function progress(phase, wave, received, at_ms) {
  const lists = { received: KEYS.slice(0, received), expected: KEYS, silent: [], refused: {}, declined: {} };
  return told("progress", at_ms, { phase, wave, ...lists });
}

function after(...events) {
  return reduceAll(emptyRound(ID), [told("asked", 0, { members: KEYS, budgets_ms: BUDGETS, waves: [2, 2] }), ...events]);
}

const shown = (round) => courseOf(round).map(({ phase, wave, state }) => `${phase} ${wave} ${state}`);

test("the plan is known before anything has begun", () => {
  const planned = ["answering 0", "opening 0", "judging 0", "judging 1", "cosigning 0"];
  assert.deepEqual(shown(after()), planned.map((each) => `${each} ahead`));
});

test("the present phase has its counts and its time left, past ones the time that they took", () => {
  const round = after(progress("answering", 0, 0, 0), progress("answering", 0, 3, 900), progress("opening", 0, 1, 1_000));
  const [answering, opening] = courseOf(round);
  assert.deepEqual([answering.state, answering.received, answering.took_ms], ["done", 3, 1_000]);
  assert.deepEqual([opening.state, opening.received, opening.expected, opening.took_ms], ["now", 1, 3, null]);
  assert.equal(leftMs(opening, 3_000), 3_000);
  assert.equal(leftMs(opening, 9_000), 0);
  assert.equal(leftMs(answering, 9_000), null);
});

test("testing stands in the plan only where something is tested, or was", () => {
  const plan = told("asked", 0, { members: KEYS, budgets_ms: { ...BUDGETS, testing: 9 }, waves: [1] });
  assert.ok(shown(reduceAll(emptyRound(ID), [plan])).includes("testing 0 ahead"));
  assert.ok(!shown(after()).some((each) => each.startsWith("testing")));
  const round = after(progress("testing", 0, 1, 5), progress("testing", 1, 1, 9));
  assert.deepEqual(shown(round).slice(2, 4), ["testing 0 done", "testing 1 now"]);
});

test("a wave that was not needed was skipped, and co-signing follows whatever wave was the last", () => {
  const judged = [progress("answering", 0, 3, 0), progress("opening", 0, 3, 5), progress("judging", 0, 3, 9)];
  const decided = told("decided", 20, { outcome: "decided", stop: "futile" });
  const round = after(...judged, decided, progress("cosigning", 1, 2, 21));
  assert.deepEqual(shown(round).slice(2), ["judging 0 done", "judging 1 skipped", "cosigning 0 now"]);
  assert.match(stopSentence(round), /^Judging ended: .*\. 1 of 2 planned waves was not needed\.$/);
});

test("a round that failed has no phase ahead", () => {
  const round = after(progress("answering", 0, 0, 0), progress("failed", 0, 0, 60_000));
  assert.deepEqual(new Set(shown(round).slice(1).map((each) => each.split(" ")[2])), new Set(["skipped"]));
  assert.equal(courseOf(round)[0].took_ms, 60_000);
});

test("events of a certificate have no times, so no phase took any", () => {
  const round = after(progress("answering", 0, 3, 0), progress("opening", 0, 3, 0), told("certified", 0));
  assert.deepEqual(courseOf(round).map((each) => each.took_ms), [null, null, null, null, null]);
});

test("co-signing that was over before anybody co-signed did not take place", () => {
  const round = after(progress("answering", 0, 3, 0), progress("cosigning", 0, 0, 5));
  assert.equal(courseOf(round).at(-1).state, "now");
  const over = reduceAll(round, [told("certified", 5)]);
  assert.deepEqual([courseOf(over).at(-1).state, courseOf(over).at(-1).expected], ["skipped", 3]);
});

test("why judging ended is told once it is known", () => {
  assert.equal(stopSentence(after()), "");
  assert.equal(stopSentence(after(told("decided", 1, { stop: null }))), "");
  const asked = told("asked", 0, { members: KEYS, threshold: 0.9 });
  const round = reduceAll(emptyRound(ID), [asked, told("decided", 1, { stop: "certain" })]);
  assert.match(stopSentence(round), /certain enough \(P\(best\) reached 90 %\)\.$/);
});
