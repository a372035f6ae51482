/** What testers found about an answer, in words with a glyph and a tone. Pure. */

import { count } from "strand/state/format.js";
import { oneLine } from "strand/state/text.js";

/** Most characters of an error's code. */
const CODE_CHARS_MAX = 12;

/**
 * Return what is known of an answer, the gravest first.
 * @param {Object | null} findings `AnswerFindings` of node/api/findings.py
 * @returns {{tone: "good" | "warn" | "bad" | "", glyph: string, words: string}[]}
 */
export function findingWords(findings) {
  if (!findings) return [];
  const found = [compiling(findings), checks(findings.tests, "test"), checks(findings.examples, "example")];
  return [...found, panics(findings), warnings(findings), unsafe(findings)].filter(Boolean);
}

function compiling({ status, error }) {
  if (status === "compiles") return { tone: "good", glyph: "✓", words: "compiles" };
  if (status !== "fails") return { tone: "", glyph: "?", words: "compiling not settled" };
  return { tone: "bad", glyph: "✕", words: `does not compile${error ? `: ${oneLine(error, CODE_CHARS_MAX)}` : ""}` };
}

function checks(found, noun) {
  if (!found) return null;
  const all = found.passed + found.failed + found.not_run;
  if (!all) return null;
  if (found.failed) return { tone: "bad", glyph: "✕", words: `${found.failed} of ${count(all, noun)} failed` };
  if (found.not_run) return { tone: "warn", glyph: "▲", words: `${found.not_run} of ${count(all, noun)} not run` };
  return { tone: "good", glyph: "✓", words: `${count(all, noun)} passed` };
}

function panics({ panics: found, inputs }) {
  if (found === null) return null;
  if (found) return { tone: "bad", glyph: "✕", words: `panics on ${count(found, "input")}` };
  return inputs ? { tone: "good", glyph: "✓", words: `no panic on ${count(inputs, "input")}` } : null;
}

function warnings({ lints }) {
  if (!lints) return null;
  const number = Object.values(lints).reduce((sum, each) => sum + each, 0);
  if (!number) return { tone: "good", glyph: "✓", words: "no warnings" };
  const kinds = Object.keys(lints).filter((each) => lints[each]);
  return { tone: "warn", glyph: "▲", words: `${count(number, "warning")} (${kinds.join(", ")})` };
}

function unsafe({ unsafe: found }) {
  return found ? { tone: "warn", glyph: "▲", words: `${found} unsafe` } : null;
}

/**
 * Return the groups of answers that are equal or behave alike, those with more than one answer.
 *
 * Equal texts share a cluster; testers name those whose outcomes are the same on every input.
 * @param {Object[]} answers of `rankedAnswers`
 * @returns {{numbers: number[], equal: boolean}[]} `equal`: all have the same text; else some only behave alike
 */
export function groupsOf(answers) {
  const byId = new Map(answers.map((each) => [each.answer_id, each.number]));
  const group = new Map(answers.map((each) => [each.number, each.number]));
  const rootOf = (number) => (group.get(number) === number ? number : rootOf(group.get(number)));
  const join = (one, other) => group.set(rootOf(other), rootOf(one));
  const first = new Map();
  for (const { number, cluster, findings } of answers) {
    if (first.has(cluster)) join(first.get(cluster), number);
    else first.set(cluster, number);
    for (const id of findings?.alike ?? []) if (byId.has(id)) join(number, byId.get(id));
  }
  const groups = new Map();
  for (const answer of answers) {
    const root = rootOf(answer.number);
    groups.set(root, [...(groups.get(root) ?? []), answer]);
  }
  return [...groups.values()]
    .filter((each) => each.length > 1)
    .map((each) => ({
      numbers: each.map(({ number }) => number),
      equal: each.every(({ cluster }) => cluster === each[0].cluster),
    }));
}

/**
 * Return why an answer was set aside: the ranking lacks it.
 * @param {import("./round.js").Round} round
 * @param {Object} answer of `rankedAnswers`
 * @returns {string} empty if it was not
 */
export function asideReason(round, { strength, findings }) {
  const isRanked = round.strengths.length > 0;
  if (!isRanked || strength !== null) return "";
  if (findings?.status === "fails") return "does not compile";
  if (findings?.tests?.failed) return "fails a test";
  return "its author was removed";
}
