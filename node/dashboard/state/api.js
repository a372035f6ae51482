/**
 * Requests to the node. What goes wrong is a value: each function returns `{data, error}`, and one of them is set.
 *
 * Every request has an end and every reply a size: a node that hangs, or another program at its address, is an error.
 */

/** What to do when the node lets this browser in no more. */
export const SESSION_OVER = "This browser's session is over: run `strand ui` and open the link that it prints.";
const UNREACHABLE = "The node does not answer. Is it running?";
const CANCELLED = "The request was cancelled.";

/** Longest wait in ms for a whole reply that the node has at hand: it answers within milliseconds, or is in trouble. */
export const REPLY_MS_MAX = 10_000;

/**
 * Longest wait in ms for a whole reply for which the node verifies a certificate, reads many, or writes to its disk:
 * some seconds for the largest certificate, and the wait for others before it. As VERIFY_S of node/client.
 */
export const WORK_MS_MAX = 120_000;

/** Paths of such replies; of a round they may need its certificate. Lists, and a word to a round, are at hand. */
const WORK = /^\/api\/(?:certificates|pause|replay|reputation\/|resume|rounds\/[^/]+(?:\/(?:answers|replay))?$|verify)/;

/**
 * Longest reply in bytes: the course of a round has 64 answers of 64 KiB with every character escaped at worst, which
 * are 24 MiB, and noted events of 16 MiB (UNPACKED_BYTES_MAX of node/rounds); a certificate has 8 MiB.
 */
export const REPLY_BYTES_MAX = 64 * 1024 * 1024;

/** A reply that is larger than REPLY_BYTES_MAX. */
class LargeReplyError extends Error {}

/** A reply: the decoded JSON, or one line that says why there is none, with the status (0: no reply came). */
const failed = (error, status) => ({ data: null, error, status });

/**
 * Fetch JSON.
 * @param {string} path
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<{data: any, error: string, status: number, bytes?: number}>} `bytes`: size of a good reply
 */
export function getJson(path, options = {}) {
  return request(path, { method: "GET", ...options });
}

/**
 * Fetch bytes.
 * @param {string} path
 * @returns {Promise<{data: Uint8Array | null, error: string, status: number, bytes?: number}>}
 */
export function getBytes(path) {
  return request(path, { method: "GET" }, (bytes) => bytes);
}

/**
 * Post JSON, or bytes as they are, and read JSON.
 * @param {string} path
 * @param {any} body a value, or an ArrayBuffer, Blob or Uint8Array
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<{data: any, error: string, status: number, bytes?: number}>}
 */
export function postJson(path, body, options = {}) {
  const raw = body instanceof ArrayBuffer || body instanceof Blob || ArrayBuffer.isView(body);
  const headers = { "Content-Type": raw ? "application/octet-stream" : "application/json" };
  return request(path, { method: "POST", headers, body: raw ? body : JSON.stringify(body), ...options });
}

async function request(path, options, decode) {
  const deadline = new Deadline(WORK.test(path) ? WORK_MS_MAX : REPLY_MS_MAX, options.signal);
  const reply = await send(path, options, deadline);
  const told = reply instanceof Response ? await read(reply, deadline, decode) : reply;
  deadline.stop();
  return told;
}

/** When a request is given up: its signal aborts when the caller's does, or when the time is over. */
export class Deadline {
  /**
   * @param {number} ms
   * @param {AbortSignal} [signal] the caller's
   */
  constructor(ms, signal) {
    this.ms = ms;
    this.late = new AbortController();
    this.signal = AbortSignal.any(signal ? [signal, this.late.signal] : [this.late.signal]);
    this.renew();
  }

  /** Let the time begin again. */
  renew() {
    this.stop();
    this.timer = setTimeout(() => this.late.abort(), this.ms);
  }

  /** Let the time end no more. */
  stop() {
    clearTimeout(this.timer);
  }

  /** Why the request was given up; empty if it was not. */
  get why() {
    if (this.late.signal.aborted) return `The node did not answer within ${this.ms / 1000} s.`;
    return this.signal.aborted ? CANCELLED : "";
  }
}

/**
 * Send a request whose reply the caller reads.
 * @param {string} path
 * @param {RequestInit} options
 * @param {Deadline} deadline
 * @returns {Promise<Response | {data: null, error: string, status: 0}>}
 */
export async function send(path, options, deadline) {
  try {
    return await fetch(path, { ...options, signal: deadline.signal });
  } catch {
    return failed(deadline.why || UNREACHABLE, 0);
  }
}

/**
 * Read a reply, or the line of a refusal.
 * @param {Response} reply
 * @param {Deadline} deadline
 * @param {(bytes: Uint8Array) => any} [decode] else the reply is JSON
 * @returns {Promise<{data: any, error: string, status: number, bytes?: number}>}
 */
export async function read(reply, deadline, decode = parsed) {
  try {
    const bytes = await wholeBody(reply);
    if (reply.ok) return { data: decode(bytes), error: "", status: reply.status, bytes: bytes.length };
    const line = reply.status === 401 ? SESSION_OVER : lineOf(parsed(bytes), reply.status);
    return failed(line, reply.status);
  } catch (error) {
    if (deadline.why) return failed(deadline.why, 0);
    const isLarge = error instanceof LargeReplyError;
    const why = isLarge ? `is larger than ${REPLY_BYTES_MAX / 1024 ** 2} MiB` : "cannot be read";
    return failed(`The node's reply ${why} (status ${reply.status}).`, reply.status);
  }
}

/** The bytes of a reply's body. Throws LargeReplyError, and what reading throws. */
async function wholeBody(reply) {
  const pieces = [];
  let size = 0;
  const reader = reply.body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    size += piece.value.length;
    if (size > REPLY_BYTES_MAX) {
      await reader.cancel();
      throw new LargeReplyError();
    }
    pieces.push(piece.value);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function parsed(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** The line of a refusal; below /v1 it has OpenAI's form. */
function lineOf(data, status) {
  const line = data?.error?.message ?? data?.error;
  return typeof line === "string" && line ? line : `The node refused (status ${status}).`;
}
