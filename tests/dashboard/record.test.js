import assert from "node:assert/strict";
import { test } from "node:test";

import { chart, chartWords, deeds, LANES, recordFacts, weightRows } from "strand/state/record.js";

const RECORD = {
  rounds: 9,
  gold_rounds: 4,
  answering: { right: 2.5, wrong: 0.5, accuracy: 0.72, prior: 4 },
  judging: { honest: 0.7, inverse: 0.1, coin: 0.1, partisan: 0.1 },
  testing: { confirmed: 9, refuted: 1, share_refuted: 0.07, tests: true },
  equivocations: 0,
  weights: { code: { vote: 1, judge: 0.5, author: -0.25 } },
  challenges: {
    state: "passed", items: 9, answers_passed: 4, answers_failed: 1, judgements_right: 3, judgements_wrong: 0, void: 1,
  },
};

const round = (number, changes = {}) => ({
  query_id: `${number}`.padStart(64, "0"),
  asked_ms: number * 1000,
  task: "code",
  ours: true,
  outcome: "decided",
  answered: true,
  place: 2,
  places: 4,
  in_winning_group: false,
  right: null,
  unopened: false,
  comparisons: 3,
  silent_judge: false,
  reports: 0,
  declined: {},
  removed: false,
  ...changes,
});

const byName = (record) => Object.fromEntries(recordFacts(record).map((each) => [each.name, each]));

test("a record is told in figures with their meaning", () => {
  const facts = byName(RECORD);
  assert.equal(facts.Answers.figure, "72 %");
  assert.match(facts.Answers.meaning, /2.5 right and 0.5 wrong/);
  assert.equal(facts.Judging.figure, "70 % honest");
  assert.match(facts.Testing.meaning, /lets it test/);
  assert.match(facts.Challenges.meaning, /Of 5 tasks it solved 4; of 3 comparisons it got 3 right. 1 item showed nothing/);
  assert.ok(Object.values(facts).every(({ meaning }) => meaning.endsWith(".")));
});

test("what is not known is not a zero", () => {
  const blank = { ...RECORD, answering: { accuracy: null }, judging: null, testing: null, challenges: null };
  const facts = byName(blank);
  assert.deepEqual(["Answers", "Judging", "Testing"].map((name) => facts[name].figure), Array(3).fill("not known"));
  assert.equal(facts.Challenges.figure, "none");
  assert.deepEqual(recordFacts(null), []);
});

test("what is bad is marked", () => {
  const facts = byName({
    ...RECORD,
    judging: { honest: 0.2, inverse: 0.5, coin: 0.2, partisan: 0.1 },
    testing: { ...RECORD.testing, tests: false },
    equivocations: 1,
    challenges: { ...RECORD.challenges, state: "closed" },
  });
  const tones = ["Judging", "Testing", "Contradictions", "Challenges"].map((name) => facts[name].tone);
  assert.deepEqual(tones, ["bad", "bad", "bad", "warn"]);
});

test("weights stand by task", () => {
  assert.deepEqual(weightRows(RECORD), [{ task: "Rust code", vote: "1.00", judge: "0.50", author: "-0.25" }]);
});

test("what a node did in a round, in words", () => {
  const answer = (changes) => deeds(round(1, changes)).answer;
  assert.equal(answer({}), "place 2 of 4");
  assert.equal(answer({ place: 1, in_winning_group: true, right: true }), "place 1 of 4, right");
  assert.equal(answer({ in_winning_group: true, right: false }), "place 2 of 4, like the winner, wrong");
  assert.equal(answer({ place: null }), "set aside");
  assert.equal(answer({ place: null, answered: false }), "none");
  assert.equal(answer({ place: null, answered: false, declined: { answering: "capacity" } }), "declined: capacity");
  assert.match(answer({ unopened: true }), /did not open/);
  assert.match(answer({ removed: true }), /two different messages/);
  const judged = (changes) => deeds(round(1, changes)).judged;
  assert.deepEqual(
    [judged({}), judged({ silent_judge: true }), judged({ comparisons: 0, declined: { judging: "abstains" } })],
    ["3 pairs", "silent", "declined: abstains"],
  );
  assert.equal(deeds(round(1, { reports: 1 })).tested, "1 report");
  assert.equal(deeds(round(1, { declined: { testing: "engine" } })).tested, "declined: engine");
});

test("the chart goes from the oldest to the latest, and the first place is on top", () => {
  const { width, columns } = chart([
    round(3, { place: 1, places: 3 }),
    round(2, { place: 3, places: 3, comparisons: 6 }),
    round(1, { place: null, removed: true, comparisons: 0 }),
  ]);
  assert.equal(width, 3 * LANES.step);
  assert.deepEqual(columns.map(({ mark }) => mark), ["bad", "other", "won"]);
  assert.equal(columns[0].y, null);
  assert.ok(columns[2].y < columns[1].y && columns[1].y < LANES.answers);
  assert.deepEqual(columns.map(({ bar }) => bar), [0, LANES.judged, LANES.judged / 2]);
  assert.deepEqual(chart([]).columns, []);
});

test("the chart in words", () => {
  const words = chartWords([round(1, { place: 1 }), round(2, { in_winning_group: true }), round(3, { place: null })]);
  assert.match(words, /^In 3 rounds it gave 2 answers that were ranked: 1 won, and 1 more agreed with the winner/);
});
