/** Words for what the protocol names by codes, and sentences for events. Pure. */

import { count, percent, shortKey } from "strand/state/format.js";
import { capital, oneLine } from "strand/state/text.js";

/** Most characters of a reason that a stranger gave. */
const REASON_CHARS_MAX = 80;

/** Outcome -> how it looks. */
export const OUTCOMES = {
  decided: { glyph: "✓", tone: "good", words: "decided" },
  degraded: { glyph: "▲", tone: "warn", words: "degraded" },
  failed: { glyph: "✕", tone: "bad", words: "failed" },
};

/** Reason of an outcome that is not `decided` -> its sentence. */
export const OUTCOME_REASONS = {
  no_commitments: "No member committed to an answer in time.",
  no_answers: "No committed answer was opened in time.",
  declined: "Every member that was asked for an answer declined.",
  too_few_answers: "Fewer answers were opened than the network requires.",
  no_weight: "No member has any weight for this node yet.",
  too_few_judges: "Too few judges with weight compared the best answers.",
  low_confidence: "The answer is less probably right than was asked for: take it as a guess.",
};

/** Reason of a decline -> what it means. */
const DECLINES = {
  engine: "its engine failed or is unavailable",
  capacity: "too much text for its engine, or too little time",
  empty: "its engine wrote nothing that can be ranked",
  abstains: "its engine could not compare most pairs",
};

/** Task -> what the asker expects, and what that means for the round. */
export const TASKS = {
  code: { words: "Rust code", hint: "Answers are compiled and tested where members can." },
  final: { words: "a final answer", hint: "Such as a number or a name: equal answers count together." },
  open: { words: "open text", hint: "Judged by reading alone." },
};

/** Audience -> who may read the question. */
export const AUDIENCES = {
  trusted: { words: "trusted nodes only", hint: "Only nodes that the configuration names." },
  members: { words: "members only", hint: "Only the nodes that work on the round." },
  public: { words: "public", hint: "It is published in the network." },
};

/** Phase -> its name. */
export const PHASE_WORDS = {
  answering: "answering",
  opening: "opening commitments",
  testing: "testing",
  judging: "judging",
  cosigning: "co-signing",
  failed: "failed",
};

/**
 * Return the words for a task.
 * @param {string} task
 * @returns {string} such as `Rust code`; the task itself if this page does not know it
 */
export function taskWords(task) {
  return Object.hasOwn(TASKS, task) ? TASKS[task].words : task;
}

/**
 * Return who may read a question.
 * @param {string} audience
 * @returns {string} such as `members only`; the audience itself if this page does not know it
 */
export function audienceWords(audience) {
  return Object.hasOwn(AUDIENCES, audience) ? AUDIENCES[audience].words : audience;
}

/**
 * Return tasks or audiences as the options of a choice.
 * @param {typeof TASKS | typeof AUDIENCES} table
 * @returns {[string, string][]} each with its words
 */
export function choicesOf(table) {
  return Object.entries(table).map(([name, { words }]) => [name, capital(words)]);
}

/**
 * Return the words for a reason of a decline or a refusal.
 * @param {string} reason a code, or a stranger's text
 * @returns {string}
 */
export function reasonWords(reason) {
  return Object.hasOwn(DECLINES, reason) ? DECLINES[reason] : oneLine(reason.replaceAll("_", " "), REASON_CHARS_MAX);
}

/**
 * Return the name of a phase with its wave or stage.
 * @param {string} phase
 * @param {number} wave from 0
 * @returns {string} such as `judging, wave 2`
 */
export function phaseWords(phase, wave) {
  const stage = phase === "testing" && wave > 0 ? `, stage ${wave + 1}` : "";
  const part = phase === "judging" ? `, wave ${wave + 1}` : stage;
  const name = Object.hasOwn(PHASE_WORDS, phase) ? PHASE_WORDS[phase] : oneLine(phase, REASON_CHARS_MAX);
  return `${name}${part}`;
}

/** Kind of event -> the sentence that tells it. */
const SENTENCES = {
  asked: ({ members }) => `The question is asked to ${count(members.length, "member")}`,
  joined: () => "This node joins the round",
  text_sent: ({ member }) => `${shortKey(member)} fetches the question's text`,
  progress: ({ phase, wave, received, expected }) =>
    phase === "failed"
      ? "The round has failed"
      : `${capital(phaseWords(phase, wave))}: ${received.length} of ${expected.length}`,
  answer_opened: ({ number, author }) => `Answer ${number + 1} by ${shortKey(author)} is opened`,
  report_counted: ({ tester, answers }) => `${shortKey(tester)} reports on ${count(answers.length, "answer")}`,
  findings_settled: ({ stage }) => `Findings are settled, stage ${stage + 1}`,
  ballot_counted: ({ judge, pairs, wave }) =>
    `Wave ${wave + 1}: ${shortKey(judge)} judges ${count(pairs.length, "pair")}`,
  strengths: ({ wave, ranking }) =>
    `Wave ${wave + 1} is fitted${ranking.length ? `: answer ${ranking[0].number + 1} leads` : ""}`,
  decided: ({ outcome, p_best }) => `The outcome: ${outcome}, P(best) ${percent(p_best)}`,
  certified: () => "The certificate is complete",
  ended: ({ role }) => `The round is over for the ${role}`,
  generation_started: () => "This node's engine begins its answer",
  answer_testing_started: ({ answers }) => `This node tests ${count(answers, "answer")}`,
  judging_started: ({ pairs }) => `This node's engine compares ${count(pairs, "pair")}`,
  declined: ({ phase, wave }) => `This node declines in ${phaseWords(phase, wave)}`,
};

/**
 * Return what an event says, in one line.
 * @param {Object} event one that `reduce` knows
 * @returns {string}
 */
export function eventWords(event) {
  return Object.hasOwn(SENTENCES, event.event) ? SENTENCES[event.event](event) : "";
}
