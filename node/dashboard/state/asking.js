/** Asks the swarm: the request, its events as they come, and what to do about a refusal. */

import { Deadline, read, send } from "strand/state/api.js";
import { readLines } from "strand/state/lines.js";

/** Most bytes of a question: the network may take fewer, and says so. */
export const QUESTION_BYTES_MAX = 64 * 1024;

/** Most bytes of the tests of a question. */
export const TESTS_BYTES_MAX = 32 * 1024;

/**
 * Longest silence of a question and its round in ms: longer than all phases together by their defaults, for so long may
 * cancelled rounds hold the places that it waits for. As SILENCE_S of node/client.
 */
export const SILENCE_MS_MAX = 900_000;

/**
 * Ask, and follow the round to its end for the asker.
 * @param {Object} question body of `POST /api/ask`
 * @param {(event: Object) => void} onEvent
 * @param {AbortSignal} signal leaving the queue before the round has begun; later the round goes on by itself
 * @returns {Promise<{error: string, status: number, retry_s: number | null}>} `error` is empty when the round is over;
 *   with status 200 it says that the stream broke; the round may have begun
 */
export async function ask(question, onEvent, signal) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(question);
  const deadline = new Deadline(SILENCE_MS_MAX, signal);
  try {
    const reply = await send("/api/ask?details=1", { method: "POST", headers, body }, deadline);
    if (!(reply instanceof Response)) return { ...reply, retry_s: null };
    if (reply.ok) return { error: await readRound(reply.body, onEvent, deadline), status: 200, retry_s: null };
    const wait = Number.parseInt(reply.headers.get("Retry-After"), 10);
    return { ...(await read(reply, deadline)), retry_s: Number.isNaN(wait) ? null : wait };
  } finally {
    deadline.stop();
  }
}

/** Read a round's events to its end for the asker; return why there was none, or an empty text. */
async function readRound(body, onEvent, deadline) {
  let isOver = false;
  try {
    for await (const event of readLines(body)) {
      deadline.renew();
      onEvent(event);
      isOver ||= event.event === "ended" && event.role === "requester";
    }
  } catch (error) {
    // A network's failures, an abort, and lines that are no events; a fault of ours must show.
    if (!["TypeError", "AbortError", "RangeError", "SyntaxError"].includes(error.name)) throw error;
  }
  return isOver ? "" : "The connection ended before the round did.";
}

/**
 * Return what somebody whose question was refused can do.
 * @param {number} status of the reply; 0: there was none
 * @param {number | null} [retry_s] seconds after which the node advises to try again
 * @returns {{words: string, action: "" | "again" | "anyway"}} `again`: the same may work later; `anyway`: the text may
 *   be sent although it looks like it holds a secret
 */
export function remedyOf(status, retry_s = null) {
  if (status === 422) {
    return {
      words:
        "Nothing was sent. Take it out and ask again. If it is no secret, send it anyway: then everyone who may read " +
        "the question reads it.",
      action: "anyway",
    };
  }
  if (status === 503) {
    const when = retry_s ? `in about ${retry_s} s` : "a little later";
    return { words: `Nothing was sent. Try again ${when}; the question is kept here.`, action: "again" };
  }
  if (status === 0) return { words: "Start the node, then try again; the question is kept here.", action: "again" };
  if (status === 429) return { words: "Wait a little, then try again.", action: "again" };
  if (status === 400 || status === 413) {
    return { words: "Nothing was sent. Change the question or its options, or begin a new conversation.", action: "" };
  }
  return { words: "", action: status >= 500 ? "again" : "" };
}

/**
 * Return a refusal's line without its advice for the command line, which buttons replace here.
 * @param {string} line
 * @returns {string}
 */
export function withoutAdvice(line) {
  return line.replace(/: take it out, or .*$/, ".");
}

/**
 * Return in one line what a question that has not begun waits for.
 * @param {Object | null} queue `GET /api/queue`; null: not known
 * @returns {string}
 */
export function queueLine(queue) {
  if (!queue || queue.waiting.length === 0) return "sent; waiting for the round to begin";
  const wait = queue.wait_s >= 1 ? `, about ${Math.ceil(queue.wait_s)} s` : "";
  return `waiting in this node's queue: ${queue.waiting.length} of its questions wait${wait}`;
}

/**
 * Return the size of a text as it is sent.
 * @param {string} text
 * @returns {number} bytes of UTF-8
 */
export function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}
