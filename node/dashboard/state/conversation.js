/**
 * A conversation with the swarm: questions, each with its settings and its round. Pure: every change is a new value.
 *
 * The swarm keeps no state: a follow-up question is sent with the turns before it.
 */

import { emptyRound, reduce } from "strand/state/round.js";
import { audienceWords, taskWords } from "strand/state/words.js";

/** Turns that a query takes (rule P7). */
export const TURNS_MAX = 32;

/** Exchanges that are kept on the page; a conversation that is longer begins anew. */
export const EXCHANGES_MAX = 40;

/** Settings of a question as they begin; an empty one leaves the choice to the node's configuration. */
export const DEFAULTS = Object.freeze({
  task: "code",
  audience: "",
  confidence: "",
  findings: null,
  tests: "",
  show_tests: false,
});

/** Confidences that a question may ask for, in percent. */
export const CONFIDENCES = ["50", "60", "70", "80", "90", "95"];

/** Kinds of findings that a question may ask for. */
export const FINDINGS = ["compiles", "lint", "examples", "behaviour"];

/**
 * @typedef {Object} Exchange
 * @property {number} number
 * @property {string} question
 * @property {typeof DEFAULTS} settings
 * @property {"sending" | "open" | "lost" | "over" | "refused" | "gone"} state `lost`: its stream is, and the node is
 *   asked what becomes of it; `gone`: nobody knows
 * @property {import("./round.js").Round} round
 * @property {{error: string, status: number, retry_s: number | null} | null} refusal
 */

/**
 * Return the conversation with a further question, which is being sent.
 * @param {Exchange[]} exchanges
 * @param {string} question
 * @param {typeof DEFAULTS} settings
 * @returns {Exchange[]}
 */
export function withQuestion(exchanges, question, settings) {
  const number = 1 + (exchanges.at(-1)?.number ?? 0);
  return [...exchanges, { number, question, settings, state: "sending", round: emptyRound(), refusal: null }];
}

/**
 * Return the conversation with one exchange changed.
 * @param {Exchange[]} exchanges
 * @param {number} number
 * @param {(exchange: Exchange) => Partial<Exchange>} change
 * @returns {Exchange[]}
 */
export function changed(exchanges, number, change) {
  return exchanges.map((each) => (each.number === number ? { ...each, ...change(each) } : each));
}

/**
 * Return what an event of its round changes in an exchange.
 * @param {Exchange} exchange
 * @param {Object} event
 * @returns {Partial<Exchange>}
 */
export function afterEvent(exchange, event) {
  const round = reduce(exchange.round, event);
  return { round, state: round.ended.requester ? "over" : "open" };
}

/**
 * Return what the history tells of an exchange's round, if it is over.
 * @param {Exchange} exchange
 * @param {Object} detail `GET /api/rounds/{id}`
 * @returns {Partial<Exchange>}
 */
export function afterDetail({ round }, { round: told, answer, own_engine, certificate }) {
  if (told.ending === null) return {};
  const findings = certificate?.answers.find((each) => each.place === 1)?.findings ?? null;
  const { outcome, reason, p_best, p_correct, author } = told;
  const decided = outcome && { outcome, reason, p_best: p_best ?? 0, p_correct, author, answer, own_engine, findings };
  const ended = { requester: { ending: told.ending, outcome, fault: told.why_not } };
  return { state: "over", round: { ...round, decided, certified: told.certified ? { outcome } : null, ended } };
}

/**
 * Return the answer of an exchange; empty while there is none.
 * @param {Exchange} exchange
 * @returns {string}
 */
function answerOf({ round }) {
  return round.decided?.answer ?? "";
}

/**
 * Return the turns before a question: all that were answered before it.
 * @param {Exchange[]} exchanges
 * @param {number} [number] of the question; else the next one
 * @returns {{role: string, text: string}[]}
 */
export function turnsBefore(exchanges, number = Infinity) {
  return exchanges
    .filter((each) => each.number < number && answerOf(each).trim())
    .flatMap((each) => [
      { role: "user", text: each.question },
      { role: "assistant", text: answerOf(each) },
    ]);
}

/**
 * Return why no further question fits; empty if one does.
 * @param {Exchange[]} exchanges
 * @returns {string}
 */
export function whyFull(exchanges) {
  if (turnsBefore(exchanges).length + 1 > TURNS_MAX) return `A conversation has at most ${TURNS_MAX} turns.`;
  return exchanges.length >= EXCHANGES_MAX ? `A conversation has at most ${EXCHANGES_MAX} questions here.` : "";
}

/**
 * Return the body that asks a question of the conversation.
 * @param {Exchange[]} exchanges
 * @param {Exchange} exchange
 * @param {boolean} [allow_secrets] whether a text that looks like it holds a secret is sent all the same
 * @returns {Object} as `POST /api/ask` takes it
 */
export function bodyOf(exchanges, { number, question, settings }, allow_secrets = false) {
  const body = { turns: [...turnsBefore(exchanges, number), { role: "user", text: question }], task: settings.task };
  if (settings.audience) body.audience = settings.audience;
  if (settings.confidence !== "") body.confidence_min = Number(settings.confidence) / 100;
  if (settings.task === "code") {
    if (settings.findings) body.findings = settings.findings;
    if (settings.tests.trim()) Object.assign(body, { tests: settings.tests, show_tests: settings.show_tests });
  }
  if (allow_secrets) body.allow_secrets = true;
  return body;
}

/**
 * Return the settings in one line.
 * @param {typeof DEFAULTS} settings
 * @returns {string} such as `Rust code · members only · own tests, private`
 */
export function settingsLine({ task, audience, confidence, findings, tests, show_tests }) {
  const told = [taskWords(task)];
  if (audience) told.push(audienceWords(audience));
  if (confidence !== "") told.push(`at least ${confidence} % sure`);
  if (task === "code" && findings) told.push(findings.length ? `finds out: ${findings.join(", ")}` : "no findings");
  if (task === "code" && tests.trim()) told.push(`own tests, ${show_tests ? "shown" : "private"}`);
  return told.join(" · ");
}
