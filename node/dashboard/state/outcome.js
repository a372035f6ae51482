/** What a round's outcome, its probabilities and its findings mean, in words. Pure. */

import { count, percent } from "strand/state/format.js";

/** Outcomes and endings: a sign and a tone beside the word, so that colour is never alone. */
const MARKS = {
  decided: { sign: "✓", tone: "good" },
  degraded: { sign: "!", tone: "warn" },
  failed: { sign: "✗", tone: "bad" },
  cancelled: { sign: "–", tone: "" },
  interrupted: { sign: "–", tone: "warn" },
  left: { sign: "–", tone: "warn" },
  lost: { sign: "✗", tone: "bad" },
  void: { sign: "✗", tone: "bad" },
};

/** Why an outcome is not `decided`, by the protocol's name (rule R9). */
const REASONS = {
  no_commitments: "no member committed to an answer in time",
  no_answers: "no member opened its answer in time",
  declined: "every member that was asked for an answer declined",
  too_few_answers: "fewer answers came than the network asks for",
  no_weight: "nobody's vote counts for the node that asked",
  too_few_judges: "too few judges compared the best answers",
  low_confidence: "the swarm is less sure than was asked for, so this is a guess",
};

/** Why judging ended (rule R8). */
const STOPS = {
  certain: "the winner was certain enough",
  spent: "all planned judgements are in",
  budget: "the time was over",
  futile: "more judging would hardly change the answer",
  unanimous: "there was nothing to compare",
  agreed: "independent answers behave alike",
  aborted: "there is no answer",
};

/** Why a round ended without an outcome. */
const ENDINGS = {
  cancelled: "The round was cancelled.",
  interrupted: "The node stopped during the round.",
  left: "The node left the round because it was stopped.",
  lost: "The round was lost: what it needed did not come in time.",
  void: "The round is void: its messages contradict each other.",
};

/**
 * Return the sign and the tone of an outcome or ending; none for an unknown word.
 * @param {string | null | undefined} word
 * @returns {{sign: string, tone: string}} `tone` is a class of `.badge`, or empty
 */
export function markOf(word) {
  return Object.hasOwn(MARKS, word ?? "") ? MARKS[word] : { sign: "", tone: "" };
}

/**
 * Return why an outcome is not `decided`; empty if it is.
 * @param {string | null | undefined} reason
 * @returns {string}
 */
export function reasonWords(reason) {
  if (!reason || reason === "none") return "";
  return Object.hasOwn(REASONS, reason) ? REASONS[reason] : reason.replaceAll("_", " ");
}

/**
 * Return why judging ended.
 * @param {string} stop
 * @returns {string}
 */
export function stopWords(stop) {
  return Object.hasOwn(STOPS, stop) ? STOPS[stop] : stop;
}

/**
 * Return why there is no answer, as a sentence.
 * @param {string} ending
 * @param {string} [fault] what made the round void
 * @returns {string}
 */
export function endingWords(ending, fault = "") {
  const words = Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : `The round ended: ${ending}.`;
  return fault ? `${words} (${fault})` : words;
}

/** The words of the first step that a share reaches. */
const step = (share, steps) => steps.find(([least]) => share >= least)[1];

/**
 * Return what P(best) says.
 * @param {number | null} share
 * @returns {string} such as `P(best) 80 %: probably the best of the answers`
 */
export function bestWords(share) {
  if (share === null || share === undefined) return "";
  const words = step(share, [
    [0.9, "almost surely the best of the answers"],
    [0.7, "probably the best of the answers"],
    [0.5, "more likely the best answer than not"],
    [0, "a narrow choice between several answers"],
  ]);
  return `P(best) ${percent(share)}: ${words}`;
}

/**
 * Return what P(correct) says, or why it is not known.
 * @param {number | null} share
 * @param {string} [asker] whose gold it is calibrated on
 * @returns {string} such as `P(correct) 72 %: rather right than wrong`
 */
export function correctWords(share, asker = "this node") {
  if (share === null || share === undefined) {
    return `P(correct) not known: ${asker} has asked too few gold questions to tell how often such answers are right`;
  }
  const words = step(share, [
    [0.95, "very likely right"],
    [0.8, "likely right"],
    [0.6, "rather right than wrong"],
    [0.4, "as likely wrong as right"],
    [0, "rather wrong than right"],
  ]);
  return `P(correct) ${percent(share)}: ${words}`;
}

/**
 * Return what testers settled about an answer, in short clauses; none if nothing is known.
 * @param {Object | null | undefined} found `AnswerFindings` of the API
 * @returns {{text: string, tone: string}[]} `tone` is a class of `.badge`, or empty
 */
export function findingsClauses(found) {
  if (!found) return [];
  const told = [statusClause(found), checksClause(found.tests, "tests"), checksClause(found.examples, "examples")];
  if (found.lints) told.push(warningsClause(Object.values(found.lints).reduce((sum, each) => sum + each, 0)));
  if (found.unsafe) told.push({ text: `${count(found.unsafe, "use")} of unsafe`, tone: "warn" });
  if (found.panics) told.push({ text: `panics on ${found.panics} of ${count(found.inputs, "input")}`, tone: "warn" });
  if (found.alike?.length) told.push({ text: `behaves like ${count(found.alike.length, "other answer")}`, tone: "good" });
  return told.filter(Boolean);
}

function statusClause({ status, error }) {
  if (status === "compiles") return { text: "compiles", tone: "good" };
  if (status === "fails") return { text: `does not compile${error ? ` (${error})` : ""}`, tone: "bad" };
  return { text: "not known whether it compiles", tone: "" };
}

function checksClause(checks, noun) {
  if (!checks) return null;
  const all = checks.passed + checks.failed + checks.not_run;
  const unknown = checks.not_run ? `, ${checks.not_run} not run` : "";
  const tone = checks.failed ? "bad" : checks.not_run ? "warn" : "good";
  return { text: `${checks.passed} of ${all} ${noun} pass${unknown}`, tone };
}

function warningsClause(warnings) {
  return warnings ? { text: count(warnings, "warning"), tone: "warn" } : { text: "no warnings", tone: "good" };
}
