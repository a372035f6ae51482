import assert from "node:assert/strict";
import { test } from "node:test";

import {
  afterDetail,
  afterEvent,
  bodyOf,
  changed,
  DEFAULTS,
  EXCHANGES_MAX,
  settingsLine,
  turnsBefore,
  TURNS_MAX,
  whyFull,
  withQuestion,
} from "strand/state/conversation.js";
import { stepsOf } from "strand/state/phases.js";
import { emptyRound, reduce } from "strand/state/round.js";

const ID = "ab".repeat(32);
const settings = (changes) => ({ ...DEFAULTS, ...changes });

/** A conversation in which each question has this answer; an empty one: none. */
function answered(...answers) {
  return answers.reduce((exchanges, answer, index) => {
    const asked = withQuestion(exchanges, `question ${index + 1}`, DEFAULTS);
    const decided = answer ? { answer } : null;
    return changed(asked, index + 1, () => ({ state: "over", round: { ...emptyRound(ID), decided } }));
  }, []);
}

test("a follow-up question has the answered turns before it, and no others", () => {
  const exchanges = withQuestion(answered("one", "", "three"), "what now?", DEFAULTS);
  assert.deepEqual(bodyOf(exchanges, exchanges.at(-1)).turns, [
    { role: "user", text: "question 1" },
    { role: "assistant", text: "one" },
    { role: "user", text: "question 3" },
    { role: "assistant", text: "three" },
    { role: "user", text: "what now?" },
  ]);
  assert.equal(turnsBefore(exchanges, 3).length, 2);
});

test("settings that are left as they are leave the choice to the node", () => {
  const exchange = withQuestion([], "?", DEFAULTS)[0];
  assert.deepEqual(bodyOf([], exchange), { turns: [{ role: "user", text: "?" }], task: "code" });
});

test("all settings are sent", () => {
  const all = { audience: "members", confidence: "80", findings: [], tests: "assert!(f());", show_tests: true };
  const body = bodyOf([], withQuestion([], "?", settings(all))[0], true);
  assert.deepEqual(body, {
    turns: [{ role: "user", text: "?" }],
    task: "code",
    audience: "members",
    confidence_min: 0.8,
    findings: [],
    tests: "assert!(f());",
    show_tests: true,
    allow_secrets: true,
  });
});

test("tests and findings are Rust's", () => {
  const body = bodyOf([], withQuestion([], "?", settings({ task: "open", findings: ["lint"], tests: "x" }))[0]);
  assert.deepEqual(Object.keys(body), ["turns", "task"]);
});

test("a conversation is full before a query would be", () => {
  const answers = Array(TURNS_MAX / 2).fill("yes");
  assert.equal(whyFull(answered(...answers.slice(1))), "");
  assert.match(whyFull(answered(...answers)), /32 turns/);
  assert.match(whyFull(answered(...Array(EXCHANGES_MAX).fill(""))), /40 questions/);
});

test("events open a question, and the end for the asker closes it", () => {
  let exchange = withQuestion([], "?", DEFAULTS)[0];
  const take = (event) => {
    exchange = { ...exchange, ...afterEvent(exchange, { query_id: ID, at_ms: 1, seq: 1, missed: 0, ...event }) };
  };
  take({ event: "asked", members: [] });
  assert.equal(exchange.state, "open");
  take({ event: "decided", answer: "yes" });
  take({ event: "ended", role: "member", ending: "finished" });
  assert.equal(exchange.state, "open");
  take({ event: "ended", role: "requester", ending: "finished" });
  assert.deepEqual([exchange.state, exchange.round.decided.answer], ["over", "yes"]);
});

test("the history tells what a lost stream did not", () => {
  const exchange = { round: emptyRound(ID) };
  const told = { ending: null, outcome: null, certified: false, why_not: "" };
  assert.deepEqual(afterDetail(exchange, { round: told, answer: "", own_engine: "", certificate: null }), {});
  const over = { ...told, ending: "finished", outcome: "decided", reason: "none", p_best: 0.7, p_correct: null };
  const certificate = { answers: [{ place: 2, findings: { reports: 1 } }, { place: 1, findings: { reports: 3 } }] };
  const found = afterDetail(exchange, { round: over, answer: "yes", own_engine: "", certificate });
  assert.equal(found.state, "over");
  assert.deepEqual([found.round.decided.answer, found.round.decided.findings.reports], ["yes", 3]);
  const cancelled = { ...told, ending: "cancelled", why_not: "by who asked" };
  const none = afterDetail(exchange, { round: cancelled, answer: "", own_engine: "", certificate: null });
  assert.deepEqual([none.round.decided, none.round.ended.requester.fault], [null, "by who asked"]);
});

test("settings in a line", () => {
  assert.equal(settingsLine(DEFAULTS), "Rust code");
  const all = settings({ audience: "trusted", confidence: "90", findings: ["lint"], tests: "x" });
  assert.equal(settingsLine(all), "Rust code · trusted nodes only · at least 90 % sure · finds out: lint · own tests, private");
  assert.equal(settingsLine(settings({ task: "open", tests: "x" })), "open text");
});

test("a round's phases are steps; testing is one where it takes place", () => {
  const progress = (phase) => ({ event: "progress", query_id: ID, at_ms: 1, seq: 1, missed: 0, phase, wave: 0 });
  const lists = { received: ["a"], expected: ["a", "b"], silent: [], refused: {}, declined: {} };
  const answering = reduce(emptyRound(ID), { ...progress("answering"), ...lists });
  assert.deepEqual(
    stepsOf(answering).map(({ state }) => state),
    ["now", "next", "next", "next"],
  );
  assert.equal(stepsOf(answering)[0].words, "answering: 1 of 2");
  const testing = stepsOf(reduce(answering, { ...progress("testing"), ...lists, at_ms: 5 }));
  assert.deepEqual(
    testing.map(({ name, state }) => [name, state]),
    [["answering", "done"], ["opening", "done"], ["testing", "now"], ["judging", "next"], ["cosigning", "next"]],
  );
  assert.deepEqual(new Set(stepsOf(emptyRound(ID)).map(({ state }) => state)), new Set(["now", "next"]));
});
