/** A node's record as this node holds it: figures with what they mean, and what it did in its latest rounds. Pure. */

import { fact } from "strand/state/facts.js";
import { count, percent } from "strand/state/format.js";
import { taskWords } from "strand/state/words.js";

/** @typedef {import("./facts.js").Fact} Fact */

/**
 * Return the figures of a node's statistics.
 * @param {Object | null} record `reputation` as of /api/reputation/{key}; null if this node never met it
 * @returns {Fact[]}
 */
export function recordFacts(record) {
  if (record === null) return [];
  return [
    fact(
      "Rounds",
      `${record.rounds}`,
      `Rounds asked here in which it answered or judged. Of ${record.gold_rounds} the right answer was known (gold).`,
    ),
    answering(record.answering),
    judging(record.judging),
    testing(record.testing),
    challenges(record.challenges),
    equivocations(record.equivocations),
  ];
}

function answering({ accuracy, right, wrong, prior }) {
  if (accuracy === null) return fact("Answers", "not known", "It has answered no question whose answer is known here.");
  const meaning =
    `Expected share of right answers, from ${right} right and ${wrong} wrong ones on gold; older ones count for ` +
    `less. Until there are many, the typical accuracy counts as much as ${prior} of them.`;
  return fact("Answers", percent(accuracy), meaning);
}

/** The four ways of judging, best first, with what they mean. */
export const WAYS_OF_JUDGING = [
  ["honest", "prefers the better answer", "good"],
  ["coin", "prefers at random", "muted"],
  ["partisan", "prefers its own party's answers", "warn"],
  ["inverse", "prefers the worse answer", "bad"],
];

function judging(record) {
  if (record === null) return fact("Judging", "not known", "It has compared no answers whose right one is known here.");
  const told = WAYS_OF_JUDGING.map(([name, words]) => `${percent(record[name])} ${words}`).join(", ");
  const tone = record.inverse + record.partisan > record.honest ? "bad" : "";
  return fact("Judging", `${percent(record.honest)} honest`, `How it compares answers on gold: ${told}.`, tone);
}

function testing(record) {
  if (record === null) return fact("Testing", "not known", "No finding of its own was confirmed or refuted.");
  const { confirmed, refuted, share_refuted, tests } = record;
  const meaning =
    `Of its findings about answers, other testers confirmed ${confirmed} and refuted ${refuted}; older ones count ` +
    `for less. ${tests ? "This node lets it test." : "This node no longer lets it test."}`;
  return fact("Testing", `${percent(share_refuted)} refuted`, meaning, tests ? "" : "bad");
}

const CHALLENGED = { open: "going on", passed: "passed", closed: "not passed" };

function challenges(record) {
  if (record === null) return fact("Challenges", "none", "This node gave it no tasks to find out what it can do.");
  const { answers_passed: solved, judgements_right: right, void: empty } = record;
  const tasks = count(solved + record.answers_failed, "task");
  const comparisons = count(right + record.judgements_wrong, "comparison");
  const void_words = empty ? ` ${count(empty, "item")} showed nothing, as when it was busy.` : "";
  const meaning = `Of ${tasks} it solved ${solved}; of ${comparisons} it got ${right} right.${void_words}`;
  const tone = record.state === "passed" ? "good" : record.state === "closed" ? "warn" : "";
  return fact("Challenges", CHALLENGED[record.state], meaning, tone);
}

function equivocations(number) {
  const meaning = "Rounds with proof that it signed two different messages where one was due: no honest node does.";
  return fact("Contradictions", `${number}`, meaning, number ? "bad" : "");
}

/**
 * Return the weights that a roster of this node would give the node now, task by task.
 * @param {Object} record as for `recordFacts`
 * @returns {{task: string, vote: string, judge: string, author: string}[]}
 */
export function weightRows(record) {
  return Object.entries(record.weights).map(([task, { vote, judge, author }]) => ({
    task: taskWords(task),
    vote: vote.toFixed(2),
    judge: judge.toFixed(2),
    author: author.toFixed(2),
  }));
}

/**
 * Return what a node did in a round, in words.
 * @param {Object} round one of `rounds` as of /api/reputation/{key}
 * @returns {{answer: string, judged: string, tested: string, tone: "" | "good" | "warn" | "bad"}}
 */
export function deeds(round) {
  return { answer: answerWords(round), judged: judgedWords(round), tested: testedWords(round), tone: toneOf(round) };
}

function answerWords(round) {
  if (round.removed) return "removed: it signed two different messages";
  if (round.unopened) return "committed to an answer and did not open it";
  if (round.declined.answering) return `declined: ${plain(round.declined.answering)}`;
  if (!round.answered) return "none";
  if (round.place === null) return "set aside";
  const truth = round.right === null ? "" : round.right ? ", right" : ", wrong";
  const group = round.in_winning_group ? (round.place === 1 ? "" : ", like the winner") : "";
  return `place ${round.place} of ${round.places}${group}${truth}`;
}

function judgedWords(round) {
  if (round.silent_judge) return "silent";
  if (round.declined.judging) return `declined: ${plain(round.declined.judging)}`;
  return round.comparisons ? count(round.comparisons, "pair") : "none";
}

function testedWords(round) {
  const declined = round.declined.testing;
  if (round.reports) return count(round.reports, "report");
  return declined ? `declined: ${plain(declined)}` : "none";
}

function toneOf(round) {
  if (round.removed || round.unopened) return "bad";
  if (round.right === false || round.silent_judge) return "warn";
  return round.right || round.in_winning_group ? "good" : "";
}

function plain(word) {
  return word.replaceAll("_", " ");
}

/** Height of the chart's lane of places, and of that of comparisons, in its own units. */
export const LANES = { answers: 72, judged: 32, gap: 20, step: 18 };

/**
 * Return the chart of a node's rounds, the oldest first: the place of its answer, and how many pairs it compared.
 * @param {Object[]} rounds as of /api/reputation/{key}, the latest first
 * @returns {{width: number, columns: Object[]}} columns have `round`, `x`, `y` (from the lane's top; null without a
 *   place), `mark` (`won`, `like`, `other`, `bad`, or `none`) and `bar` (height of its comparisons)
 */
export function chart(rounds) {
  const most = Math.max(1, ...rounds.map(({ comparisons }) => comparisons));
  const columns = [...rounds]
    .sort((one, other) => one.asked_ms - other.asked_ms)
    .map((round, index) => ({
      round,
      x: LANES.step * (index + 0.5),
      y: round.place === null ? null : (LANES.answers * (round.place - 0.5)) / Math.max(1, round.places),
      mark: markOf(round),
      bar: (LANES.judged * round.comparisons) / most,
    }));
  return { width: LANES.step * Math.max(1, columns.length), columns };
}

function markOf(round) {
  if (round.removed || round.unopened) return "bad";
  if (round.place === null) return "none";
  if (round.place === 1) return "won";
  return round.in_winning_group ? "like" : "other";
}

/**
 * Return what the rounds come to, in one sentence.
 * @param {Object[]} rounds
 * @returns {string}
 */
export function chartWords(rounds) {
  const won = rounds.filter(({ place }) => place === 1).length;
  const alike = rounds.filter(({ place, in_winning_group }) => place !== 1 && in_winning_group).length;
  const placed = rounds.filter(({ place }) => place !== null).length;
  const pairs = rounds.reduce((sum, { comparisons }) => sum + comparisons, 0);
  const like = alike ? `, and ${alike} more agreed with the winner` : "";
  return (
    `In ${count(rounds.length, "round")} it gave ${count(placed, "answer")} that were ranked: ${won} won${like}. ` +
    `It compared ${count(pairs, "pair")} of answers.`
  );
}
