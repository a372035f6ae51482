/** What the node told last at each path, so that a view which is opened again has it while the node does not answer. */

import { getJson } from "strand/state/api.js";

/**
 * Most bytes of the replies that are remembered together, as they came; a browser takes a few times as much for them.
 * Those of all views have less than a megabyte, unless an attacker invents nodes; the course of a large round has one.
 */
export const REPLIES_BYTES_MAX = 32 * 1024 * 1024;

/** Requests of JSON whose last replies are remembered. */
export class LastReplies {
  /** The path without its query -> the reply; what was told longest ago stands first. */
  #replies = new Map();
  #get;
  #nowMs;

  /**
   * @param {typeof getJson} [get]
   * @param {() => number} [nowMs] ms since the Unix epoch
   */
  constructor(get = getJson, nowMs = Date.now) {
    this.#get = get;
    this.#nowMs = nowMs;
  }

  /**
   * Fetch JSON, and remember it.
   * @param {string} path
   * @param {{signal?: AbortSignal}} [options]
   * @returns {ReturnType<typeof getJson>}
   */
  async load(path, options = {}) {
    // `clear` begins another map: what was asked for before is not remembered after it.
    const replies = this.#replies;
    const reply = await this.#get(path, options);
    if (!reply.error) keep(replies, path, reply, this.#nowMs());
    return reply;
  }

  /**
   * Return the last reply at a path, and when it came.
   * @param {string} path
   * @returns {{data: any, at_ms: number}} `data` is null and `at_ms` 0 if none is remembered
   */
  last(path) {
    const found = this.#replies.get(placeOf(path));
    return found?.path === path ? { data: found.data, at_ms: found.at_ms } : { data: null, at_ms: 0 };
  }

  /** Forget everything. */
  clear() {
    this.#replies = new Map();
  }
}

/** The path without its query: all searches and pages of a list have one place, for there is no end of them. */
function placeOf(path) {
  return path.split("?", 1)[0];
}

function keep(replies, path, { data, bytes }, at_ms) {
  replies.delete(placeOf(path));
  if (bytes > REPLIES_BYTES_MAX) return;
  replies.set(placeOf(path), { path, data, bytes, at_ms });
  let total = [...replies.values()].reduce((sum, each) => sum + each.bytes, 0);
  for (const [place, each] of replies) {
    if (total <= REPLIES_BYTES_MAX) break;
    replies.delete(place);
    total -= each.bytes;
  }
}
