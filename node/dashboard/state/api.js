/** Requests to the node. What goes wrong is a value: each function returns `{data, error}`, and one of them is set. */

/** What to do when the node lets this browser in no more. */
export const SESSION_OVER = "This browser's session is over: run `strand ui` and open the link that it prints.";
const UNREACHABLE = "The node does not answer. Is it running?";

/** A reply: the decoded JSON, or one line that says why there is none, with the status (0: no reply came). */
const failed = (error, status) => ({ data: null, error, status });

/**
 * Fetch JSON.
 * @param {string} path
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<{data: any, error: string, status: number}>}
 */
export function getJson(path, options = {}) {
  return request(path, { method: "GET", ...options });
}

/**
 * Fetch bytes.
 * @param {string} path
 * @returns {Promise<{data: ArrayBuffer | null, error: string, status: number}>}
 */
export function getBytes(path) {
  return request(path, { method: "GET" }, (reply) => reply.arrayBuffer());
}

/**
 * Post JSON, or bytes as they are, and read JSON.
 * @param {string} path
 * @param {any} body a value, or an ArrayBuffer, Blob or Uint8Array
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<{data: any, error: string, status: number}>}
 */
export function postJson(path, body, options = {}) {
  const raw = body instanceof ArrayBuffer || body instanceof Blob || ArrayBuffer.isView(body);
  const headers = { "Content-Type": raw ? "application/octet-stream" : "application/json" };
  return request(path, { method: "POST", headers, body: raw ? body : JSON.stringify(body), ...options });
}

async function request(path, options, decode) {
  const reply = await send(path, options);
  return reply instanceof Response ? read(reply, decode) : reply;
}

/**
 * Send a request whose reply the caller reads.
 * @param {string} path
 * @param {RequestInit} options
 * @returns {Promise<Response | {data: null, error: string, status: 0}>}
 */
export async function send(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    return failed(error.name === "AbortError" ? "The request was cancelled." : UNREACHABLE, 0);
  }
}

/**
 * Read a reply, or the line of a refusal.
 * @param {Response} reply
 * @param {(reply: Response) => Promise<any>} [decode] else the reply is JSON
 * @returns {Promise<{data: any, error: string, status: number}>}
 */
export async function read(reply, decode = (each) => each.json()) {
  try {
    if (reply.ok) return { data: await decode(reply), error: "", status: reply.status };
    const data = await reply.json();
    return failed(reply.status === 401 ? SESSION_OVER : lineOf(data, reply.status), reply.status);
  } catch {
    return failed(`The node's reply cannot be read (status ${reply.status}).`, reply.status);
  }
}

/** The line of a refusal; below /v1 it has OpenAI's form. */
function lineOf(data, status) {
  const line = data?.error?.message ?? data?.error;
  return typeof line === "string" && line ? line : `The node refused (status ${status}).`;
}
