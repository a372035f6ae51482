import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { KNOWN_KINDS } from "strand/state/round.js";
import { AUDIENCES, audienceWords, choicesOf, eventWords, phaseWords, reasonWords, TASKS, taskWords } from "strand/state/words.js";

const RECORDED = JSON.parse(readFileSync(new URL("round.json", import.meta.url)));

test("each event of a recorded round has its sentence", () => {
  for (const event of RECORDED) assert.match(eventWords(event), /^\S.{5,}\S$/, event.event);
  assert.equal(eventWords({ event: "constructor" }), "");
});

test("every kind that the page knows has a sentence", () => {
  const seen = new Set(RECORDED.map(({ event }) => event));
  const others = {
    text_sent: { member: "ab".repeat(32) },
    report_counted: { tester: "ab".repeat(32), answers: [{}] },
    findings_settled: { stage: 0 },
    answer_testing_started: { answers: 2 },
    declined: { phase: "judging", wave: 0 },
  };
  for (const kind of KNOWN_KINDS) {
    if (!seen.has(kind)) assert.ok(eventWords({ event: kind, ...others[kind] }).length > 5, kind);
  }
});

test("phases name their waves and stages from 1", () => {
  assert.equal(phaseWords("judging", 1), "judging, wave 2");
  assert.equal(phaseWords("testing", 0), "testing");
  assert.equal(phaseWords("testing", 1), "testing, stage 2");
  assert.equal(phaseWords("cosigning", 2), "co-signing");
  assert.equal(eventWords({ event: "declined", phase: "judging", wave: 1 }), "This node declines in judging, wave 2");
});

test("a phase that the page does not know is a shortened text", () => {
  assert.deepEqual([phaseWords("constructor", 0), phaseWords("toString", 0)], ["constructor", "toString"]);
  const long = `\u202e${"x".repeat(500)}`;
  assert.equal(phaseWords(long, 0).length, 80);
  assert.equal(eventWords({ event: "declined", phase: long, wave: 0 }), `This node declines in ${phaseWords(long, 0)}`);
});

test("tasks and audiences have the same words wherever they are named", () => {
  assert.deepEqual(Object.keys(TASKS).map(taskWords), ["Rust code", "a final answer", "open text"]);
  assert.deepEqual(Object.keys(AUDIENCES).map(audienceWords), ["trusted nodes only", "members only", "public"]);
  assert.deepEqual(choicesOf(TASKS)[1], ["final", "A final answer"]);
  assert.deepEqual([taskWords("constructor"), audienceWords("constructor")], ["constructor", "constructor"]);
});

test("reasons are words, and a stranger's are shortened and made visible", () => {
  assert.equal(reasonWords("engine"), "its engine failed or is unavailable");
  assert.equal(reasonWords("at_capacity"), "at capacity");
  assert.equal(reasonWords("constructor"), "constructor");
  assert.equal(reasonWords(`\u202e${"x".repeat(500)}`).length, 80);
});
