import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { emptyRound, KNOWN_KINDS, reduce, reduceAll, withTexts } from "strand/state/round.js";

const EVENTS = JSON.parse(readFileSync(new URL("round.json", import.meta.url)));
const ID = EVENTS[0].query_id;
const WHOLE = reduceAll(emptyRound(), EVENTS);

/** An event of another kind in the recorded round. */
const event = (kind, fields) => ({ event: kind, query_id: ID, at_ms: 100, seq: 1, missed: 0, version: 1, ...fields });

/** A permutation that is the same in every run. */
function shuffled(list, seed) {
  const found = [...list];
  for (let end = found.length - 1; end > 0; end -= 1) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    const other = seed % (end + 1);
    [found[end], found[other]] = [found[other], found[end]];
  }
  return found;
}

test("a recorded round is told whole", () => {
  assert.equal(WHOLE.id, ID);
  assert.equal(WHOLE.asked.members.length, 4);
  assert.deepEqual(WHOLE.answers.map((each) => each.number), [0, 1, 2, 3]);
  assert.deepEqual(WHOLE.ballots.map((each) => each.wave), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  assert.deepEqual(WHOLE.strengths.map((each) => each.wave), [0, 1, 2]);
  assert.deepEqual(
    WHOLE.phases.map(({ phase, wave, received }) => [phase, wave, received.length]),
    [["answering", 0, 4], ["opening", 0, 4], ["judging", 0, 4], ["judging", 1, 4], ["judging", 2, 4], ["cosigning", 2, 4]],
  );
  assert.ok(WHOLE.phases.every((each) => each.began_ms <= each.at_ms));
  assert.equal(WHOLE.decided.outcome, "decided");
  assert.ok(WHOLE.certified.bytes > 0);
  assert.deepEqual(Object.keys(WHOLE.ended).sort(), ["member", "requester"]);
  assert.ok(WHOLE.asked.members.includes(WHOLE.joined.requester));
  assert.equal(WHOLE.at_ms, Math.max(...EVENTS.map((each) => each.at_ms)));
  assert.equal(WHOLE.incomplete, false);
});

test("the order of events does not matter, nor does a repetition", () => {
  const told = { ...WHOLE, ended: Object.entries(WHOLE.ended).sort() };
  for (let seed = 1; seed <= 50; seed += 1) {
    const round = reduceAll(emptyRound(ID), shuffled([...EVENTS, ...EVENTS.slice(seed % 20)], seed));
    assert.deepEqual({ ...round, ended: Object.entries(round.ended).sort() }, told, `seed ${seed}`);
  }
});

test("each event makes a new value and leaves the old one as it was", () => {
  let round = emptyRound(ID);
  for (const each of EVENTS) {
    const before = structuredClone(round);
    const next = reduce(round, each);
    assert.deepEqual(round, before);
    assert.notEqual(next, round);
    round = next;
  }
});

test("what is not known, or another round's, changes nothing", () => {
  for (const each of [
    event("surprise", {}),
    event("constructor", {}),
    event("__proto__", {}),
    event("certified", { query_id: "00".repeat(32) }),
    { event: "missed", missed: 3 },
    {},
  ]) {
    assert.equal(reduce(WHOLE, each), WHOLE);
  }
});

test("events that a slow reader lost leave a mark until the rest is fetched", () => {
  const round = reduce(emptyRound(ID), event("certified", { missed: 2, outcome: "decided", bytes: 1 }));
  assert.equal(round.incomplete, true);
});

test("testing: reports and what they settle, by stage", () => {
  const found = (number, status) => ({ number, findings: { status } });
  const round = reduceAll(emptyRound(ID), [
    event("report_counted", { tester: "b", stage: 1, answers: [found(0, "compiles")] }),
    event("report_counted", { tester: "a", stage: 0, answers: [found(0, "unknown")] }),
    event("findings_settled", { stage: 1, tool_versions: "rustc 1.80", answers: [found(0, "compiles")] }),
    event("findings_settled", { stage: 0, tool_versions: "rustc 1.80", answers: [found(0, "unknown")] }),
  ]);
  assert.deepEqual(round.reports.map(({ stage, tester }) => [stage, tester]), [[0, "a"], [1, "b"]]);
  assert.deepEqual(round.settled.map((each) => each.answers[0].findings.status), ["unknown", "compiles"]);
});

test("a member's side: one step of a kind in each wave", () => {
  const round = reduceAll(emptyRound(ID), [
    event("joined", { requester: "aa", task: "code", budget_ms: 1 }),
    event("generation_started", { at_ms: 1, max_tokens: 1, budget_ms: 1 }),
    event("answer_testing_started", { at_ms: 2, stage: 0, answers: 2, budget_ms: 1 }),
    event("judging_started", { at_ms: 3, wave: 0, pairs: 1, budget_ms: 1 }),
    event("judging_started", { at_ms: 4, wave: 1, pairs: 1, budget_ms: 1 }),
    event("declined", { at_ms: 5, phase: "judging", wave: 1, reason: "busy" }),
    event("ended", { at_ms: 6, role: "member", ending: "left", outcome: null, fault: null }),
  ]);
  const kinds = ["generation_started", "answer_testing_started", "judging_started", "judging_started", "declined"];
  assert.deepEqual(round.work.map((each) => each.event), kinds);
  assert.equal(round.ended.member.ending, "left");
});

test("of a certificate's event without time and the live one, the live one counts", () => {
  const live = event("strengths", { at_ms: 40, wave: 0, ranking: [1] });
  const told = event("strengths", { at_ms: 0, seq: 0, wave: 0, ranking: [1] });
  for (const events of [[live, told], [told, live]]) {
    assert.equal(reduceAll(emptyRound(ID), events).strengths[0].at_ms, 40);
  }
});

test("readers of the text, and texts of answers", () => {
  const round = withTexts(reduce(WHOLE, event("text_sent", { member: "aa", at_ms: 7 })), [{ number: 1, text: "fn" }]);
  assert.equal(round.readers.aa, 7);
  assert.deepEqual(withTexts(round, [{ number: 0, text: "x" }]).texts, {
    0: { number: 0, text: "x" },
    1: { number: 1, text: "fn" },
  });
});

test("the kinds are named", () => {
  assert.equal(new Set(EVENTS.map((each) => each.event)).difference?.(new Set(KNOWN_KINDS)).size ?? 0, 0);
});
