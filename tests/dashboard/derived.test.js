import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { comparisonsOf, isOver, membersOf, phaseOf, questionLine, rankedAnswers, stateWords } from "strand/state/derived.js";
import { emptyRound, reduceAll } from "strand/state/round.js";

const EVENTS = JSON.parse(readFileSync(new URL("round.json", import.meta.url)));
const WHOLE = reduceAll(emptyRound(), EVENTS);

/** The round after the first `count` events of a kind. */
function upTo(kind, count) {
  const found = EVENTS.map((each, index) => [each.event, index]).filter(([name]) => name === kind);
  return reduceAll(emptyRound(), EVENTS.slice(0, found[count - 1][1] + 1));
}

test("where a round is, in words", () => {
  assert.equal(stateWords(emptyRound()), "asked");
  assert.equal(stateWords(upTo("progress", 1)), "answering: 0 of 4");
  assert.equal(stateWords(upTo("strengths", 1)), "judging, wave 1: 4 of 4");
  assert.equal(stateWords(WHOLE), "decided");
  assert.deepEqual([isOver(emptyRound()), isOver(upTo("decided", 1)), isOver(WHOLE)], [false, false, true]);
  assert.equal(phaseOf(emptyRound()), null);
});

test("a member's round is over with the member's part", () => {
  const at = { query_id: "ab", at_ms: 0, seq: 0, missed: 0 };
  const joined = [{ ...at, event: "joined", requester: "cd", task: "code", budget_ms: 1 }];
  assert.equal(stateWords(reduceAll(emptyRound(), joined)), "joined");
  const left = { ...at, event: "ended", role: "member", ending: "left", outcome: null, fault: null };
  assert.equal(stateWords(reduceAll(emptyRound(), [...joined, left])), "left");
});

test("the question in one line", () => {
  assert.equal(questionLine(WHOLE, 20), "Write a Rust functi…");
  assert.equal(questionLine(emptyRound(), 20), "");
});

test("members with their parts", () => {
  const members = membersOf(WHOLE);
  assert.equal(members.length, 4);
  for (const each of members) {
    assert.deepEqual([each.state, each.ballots, each.reports], ["received", 3, 0]);
    assert.equal(WHOLE.answers[each.answer].author, each.key);
    assert.deepEqual([each.roles, each.vote_weight], [["answer", "judge"], 1]);
  }
  const [first, second, third, fourth] = members.map((each) => each.key);
  const progress = {
    phase: "judging", wave: 9, received: [], expected: [first, second, third, fourth],
    silent: [first], refused: { [second]: "busy" }, declined: { [third]: "no text" },
  };
  const event = { ...EVENTS.at(-1), ...progress, event: "progress", at_ms: 9_999, role: undefined };
  const known = [["silent", ""], ["refused", "busy"], ["declined", "no text"]];
  const statesAfter = (round) => membersOf(reduceAll(round, [event])).map((each) => [each.state, each.reason]);
  assert.deepEqual(statesAfter(upTo("decided", 1)), [...known, ["waiting", ""]]);
  assert.deepEqual(statesAfter(WHOLE), [...known, ["none", ""]], "a round that is over expects nothing");
});

test("answers, best first; by number before the first wave", () => {
  const early = rankedAnswers(upTo("answer_opened", 4));
  assert.deepEqual(early.map((each) => [each.number, each.p_best]), [[0, null], [1, null], [2, null], [3, null]]);
  const ranked = rankedAnswers(WHOLE);
  assert.deepEqual(ranked.map((each) => each.number), WHOLE.strengths.at(-1).ranking.map((each) => each.number));
  assert.deepEqual(ranked.map((each) => each.wins), [true, false, false, false]);
  assert.equal(ranked[0].text, WHOLE.decided.answer);
  assert.equal(ranked[1].text, null);
});

test("comparisons are told for the lower number, whichever was shown first", () => {
  const pairs = comparisonsOf({ ...emptyRound(), ballots: [
    { judge: "a", wave: 0, pairs: [{ first: 1, second: 0, preference: 0.9 }, { first: 2, second: 1, preference: null }] },
    { judge: "b", wave: 0, pairs: [{ first: 0, second: 1, preference: 0.3 }] },
  ] });
  assert.deepEqual(pairs.map((each) => [each.low, each.high]), [[0, 1], [1, 2]]);
  assert.ok(Math.abs(pairs[0].share - 0.2) < 1e-12);
  assert.equal(pairs[1].share, null);
  assert.deepEqual(pairs[0].judgements.map((each) => [each.judge, each.shown_first]), [["a", 1], ["b", 0]]);
  assert.equal(comparisonsOf(WHOLE).flatMap((each) => each.judgements).length, 12);
});
