/** What the page of questions keeps over a reload, in the tab's own storage: bounded, and read with distrust. */

import { CONFIDENCES, DEFAULTS, EXCHANGES_MAX, FINDINGS } from "strand/state/conversation.js";
import { emptyRound } from "strand/state/round.js";
import { AUDIENCES, TASKS } from "strand/state/words.js";

const DRAFT = "strand.ask.draft";
const CONVERSATION = "strand.ask.conversation";

/** Most characters that are kept of each; browsers give a page some five million. */
export const KEPT_CHARS_MAX = 1_000_000;

/** Longest text that is kept, in characters: as many as a question, an answer or tests may have bytes. */
const TEXT_CHARS_MAX = 64 * 1024;

/**
 * Store the draft and its settings.
 * @param {Storage | null} storage
 * @param {string} draft
 * @param {Object} settings
 */
export function keepDraft(storage, draft, settings) {
  put(storage, DRAFT, JSON.stringify({ draft: textOf(draft), settings }));
}

/**
 * Store the conversation; one that is too long is not kept, because a part of it would be another one.
 * @param {Storage | null} storage
 * @param {Object[]} exchanges
 */
export function keepConversation(storage, exchanges) {
  put(storage, CONVERSATION, JSON.stringify(exchanges.map(shortened)));
}

function put(storage, key, text) {
  try {
    if (text.length <= KEPT_CHARS_MAX) storage.setItem(key, text);
    else storage.removeItem(key);
  } catch {
    // Storage may be full or forbidden: the page works without it.
  }
}

/** An exchange with no more of its round than the page shows of one that is over. */
function shortened({ number, question, settings, state, round, refusal }) {
  const { id, decided, certified, ended } = round;
  return { number, question, settings, state, refusal, round: { id, decided, certified, ended } };
}

/**
 * Read what was stored; what cannot be read is as if it were not there.
 * @param {Storage | null} storage
 * @returns {{draft: string, settings: Object, exchanges: import("./conversation.js").Exchange[]}}
 */
export function restore(storage) {
  const { draft, settings } = got(storage, DRAFT, (value) => value) ?? {};
  const exchanges = got(storage, CONVERSATION, (value) => value.slice(-EXCHANGES_MAX).map(exchangeOf));
  return { draft: textOf(draft), settings: settingsOf(settings), exchanges: exchanges ?? [] };
}

/** What `read` makes of a stored value; null if there is none, or none that can be read. */
function got(storage, key, read) {
  try {
    const text = storage.getItem(key);
    return text && text.length <= KEPT_CHARS_MAX ? read(JSON.parse(text)) : null;
  } catch {
    return null;
  }
}

const textOf = (value) => (typeof value === "string" ? value.slice(0, TEXT_CHARS_MAX) : "");
const among = (values, value, other) => (values.includes(value) ? value : other);

function settingsOf(value) {
  return {
    task: among(Object.keys(TASKS), value?.task, DEFAULTS.task),
    audience: among(Object.keys(AUDIENCES), value?.audience, ""),
    confidence: among(CONFIDENCES, value?.confidence, DEFAULTS.confidence),
    findings: Array.isArray(value?.findings) ? FINDINGS.filter((each) => value.findings.includes(each)) : null,
    tests: textOf(value?.tests),
    show_tests: value?.show_tests === true,
  };
}

/** An exchange as it is after a reload: one that was being sent has lost its request, and an open one its stream. */
function exchangeOf(value, index) {
  const { id, decided, certified, ended } = value.round;
  const told = { decided: decided ?? null, certified: certified ?? null, ended: ended ?? {} };
  const round = { ...emptyRound(textOf(id)), ...told };
  const state = among(["over", "refused", "gone"], value.state, "lost");
  const refusal = ["refused", "gone"].includes(state) ? refusalOf(value.refusal) : null;
  const question = textOf(value.question);
  return { number: index + 1, question, settings: settingsOf(value.settings), state, round, refusal };
}

function refusalOf({ error, status, retry_s }) {
  const number = (each) => (Number.isFinite(each) ? each : null);
  return { error: textOf(error), status: number(status) ?? 0, retry_s: number(retry_s) };
}
