import assert from "node:assert/strict";
import { test } from "node:test";

import { asideReason, findingWords, groupsOf } from "strand/state/findings.js";

const NOTHING = { status: "unknown", error: "", lints: null, unsafe: null, panics: null, tests: null, examples: null, inputs: 0 };
const words = (findings) => findingWords({ ...NOTHING, ...findings }).map(({ tone, words: said }) => [tone, said]);
const checks = (passed, failed, not_run) => ({ passed, failed, not_run });

test("what was not tested says nothing", () => {
  assert.deepEqual(findingWords(null), []);
  assert.deepEqual(words({}), [["", "compiling not settled"]]);
});

test("what was found is told in words", () => {
  assert.deepEqual(words({ status: "fails", error: "E0308" }), [["bad", "does not compile: E0308"]]);
  const good = { status: "compiles", tests: checks(4, 0, 0), examples: checks(1, 0, 0), panics: 0, inputs: 64, lints: {}, unsafe: 0 };
  assert.deepEqual(words(good).map(([tone]) => tone), ["good", "good", "good", "good", "good"]);
  assert.deepEqual(words({ status: "compiles", tests: checks(1, 2, 0) })[1], ["bad", "2 of 3 tests failed"]);
  assert.deepEqual(words({ status: "compiles", tests: checks(1, 0, 1) })[1], ["warn", "1 of 2 tests not run"]);
  assert.deepEqual(words({ status: "compiles", tests: checks(0, 0, 0), panics: 3 })[1], ["bad", "panics on 3 inputs"]);
  assert.deepEqual(words({ lints: { rustc: 1, style: 0, perf: 2 }, unsafe: 1 }).slice(1), [
    ["warn", "3 warnings (rustc, perf)"],
    ["warn", "1 unsafe"],
  ]);
});

const answer = (number, cluster, alike = []) => ({ number, cluster, answer_id: `id${number}`, findings: { ...NOTHING, alike } });

test("equal answers are one group, and those that behave alike", () => {
  const answers = [answer(0, 0), answer(1, 1, ["id3"]), answer(2, 0), answer(3, 3, ["id1"]), answer(4, 4), answer(5, 0)];
  assert.deepEqual(groupsOf(answers), [
    { numbers: [0, 2, 5], equal: true },
    { numbers: [1, 3], equal: false },
  ]);
  assert.deepEqual(groupsOf([answer(0, 0, ["unknown"]), { ...answer(1, 1), findings: null }]), []);
});

test("who is not in the ranking was set aside, with the reason", () => {
  const ranked = { strengths: [{}] };
  const found = (findings) => ({ strength: null, findings: { ...NOTHING, ...findings } });
  assert.equal(asideReason(ranked, found({ status: "fails" })), "does not compile");
  assert.equal(asideReason(ranked, found({ tests: checks(0, 1, 0) })), "fails a test");
  assert.equal(asideReason(ranked, { strength: null, findings: null }), "its author was removed");
  assert.equal(asideReason(ranked, { strength: 1, findings: null }), "");
  assert.equal(asideReason({ strengths: [] }, found({ status: "fails" })), "");
});
