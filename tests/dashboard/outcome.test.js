import assert from "node:assert/strict";
import { test } from "node:test";

import {
  bestWords,
  correctWords,
  endingWords,
  findingBadges,
  outcomeBadge,
  outcomeSentence,
  stopWords,
} from "strand/state/outcome.js";

test("outcomes and endings have a glyph beside the word; unknown ones are shown as they are", () => {
  assert.equal(outcomeBadge("decided").tone, "good");
  assert.equal(outcomeBadge("cancelled").words, "cancelled");
  for (const word of ["decided", "degraded", "failed", "cancelled", "interrupted", "left", "lost", "void"]) {
    assert.ok(outcomeBadge(word).glyph, word);
  }
  assert.deepEqual(outcomeBadge("constructor"), { words: "constructor" });
});

test("reasons are sentences", () => {
  assert.equal(outcomeSentence("none"), "");
  assert.equal(outcomeSentence(null), "");
  assert.match(outcomeSentence("low_confidence"), /guess/);
  assert.equal(outcomeSentence("something_new"), "Reason: something new.");
  assert.equal(stopWords("agreed"), "independent answers behave alike");
  assert.equal(stopWords("toString"), "toString");
  assert.equal(endingWords("void", "wrong_chain"), "The round is void: its messages contradict each other. (wrong_chain)");
  assert.equal(endingWords("new"), "The round ended: new.");
});

test("probabilities in words, at the edges of each step", () => {
  assert.equal(bestWords(0.9), "P(best) 90 %: almost surely the best of the answers");
  assert.equal(bestWords(0.5), "P(best) 50 %: more likely the best answer than not");
  assert.equal(bestWords(0), "P(best) 0 %: a narrow choice between several answers");
  assert.equal(bestWords(null), "");
  assert.equal(correctWords(0.95), "P(correct) 95 %: very likely right");
  assert.equal(correctWords(0.1), "P(correct) 10 %: rather wrong than right");
  assert.match(correctWords(null, "the asker"), /the asker has asked too few gold questions/);
});

test("findings without any report say nothing", () => {
  const found = { reports: 3, status: "compiles", error: "", lints: {}, unsafe: 0, panics: 0, tests: null, examples: null };
  assert.deepEqual(findingBadges(null), []);
  assert.deepEqual(findingBadges({ ...found, reports: 0, inputs: 0, alike: [] }), []);
  const words = findingBadges({ ...found, inputs: 48, alike: ["a", "b"] }).map((each) => each.words);
  assert.deepEqual(words, ["compiles", "no panic on 48 inputs", "no warnings", "behaves like 2 other answers"]);
});
