/** What a round's outcome, its probabilities and its findings mean, in words. Pure. */

import { findingWords } from "strand/state/findings.js";
import { count, percent } from "strand/state/format.js";
import { OUTCOME_REASONS, OUTCOMES } from "strand/state/words.js";

/** Endings of rounds that have no outcome. */
const ENDED = {
  cancelled: { glyph: "–", tone: "", words: "cancelled" },
  interrupted: { glyph: "▲", tone: "warn", words: "interrupted" },
  left: { glyph: "▲", tone: "warn", words: "left" },
  lost: { glyph: "✕", tone: "bad", words: "lost" },
  void: { glyph: "✕", tone: "bad", words: "void" },
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
 * Return the badge of an outcome, or of another end of a round.
 * @param {string} word such as `decided` or `cancelled`
 * @returns {{glyph?: string, tone?: string, words: string}}
 */
export function outcomeBadge(word) {
  if (Object.hasOwn(OUTCOMES, word)) return OUTCOMES[word];
  return Object.hasOwn(ENDED, word) ? ENDED[word] : { words: word };
}

/**
 * Return why an outcome is not `decided`, as a sentence; empty if it is.
 * @param {string | null | undefined} reason
 * @returns {string}
 */
export function outcomeSentence(reason) {
  if (!reason || reason === "none") return "";
  return Object.hasOwn(OUTCOME_REASONS, reason) ? OUTCOME_REASONS[reason] : `Reason: ${reason.replaceAll("_", " ")}.`;
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
 * Return what testers settled about an answer, as badges; none if nothing is known.
 * @param {Object | null | undefined} findings `AnswerFindings` of the API
 * @returns {{tone: string, glyph: string, words: string}[]}
 */
export function findingBadges(findings) {
  if (!findings?.reports) return [];
  const alike = findings.alike.length;
  const told = findingWords(findings);
  return alike ? [...told, { tone: "good", glyph: "=", words: `behaves like ${count(alike, "other answer")}` }] : told;
}
