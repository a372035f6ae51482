/**
 * Asks for something again and again while somebody looks: less often while it fails, and never twice at once.
 *
 * What was told last stays, and says since when nothing newer came.
 */

import { signal } from "@preact/signals-core";
import { getJson } from "strand/state/api.js";

/** How often the node was found again, as whoever follows its events tells: what could not be loaded is loaded then. */
export const returns = signal(0);

/** Longest pause in ms between two tries while the node does not answer. */
export const PAUSE_MS_MAX = 60_000;

/**
 * @typedef {Object} Polled
 * @property {any} data the last reply; null before the first
 * @property {string} error why the last try failed; empty if it did not
 * @property {number} at_ms when `data` came, ms since the Unix epoch; 0 before the first
 * @property {number} next_ms when the next try is due, ms since the Unix epoch; 0 while one is under way or none is due
 */

/** State before the first reply. */
export const NOTHING_YET = Object.freeze({ data: null, error: "", at_ms: 0, next_ms: 0 });

/**
 * @typedef {Object} Page tests give others
 * @property {() => boolean} isVisible whether somebody can see the page
 * @property {(changed: () => void) => (() => void)} onVisibility call at each change; returns what ends that
 *
 * @typedef {import("./clock.js").Clock & Page} World
 */

/** Replies that are remembered: of all views, and of some nodes and rounds. One of a large round has a megabyte. */
export const REPLIES_MAX = 32;

/** What the node told last at each path, so that a view which is opened again has it while the node does not answer. */
export class LastReplies {
  #replies = new Map();

  /**
   * Remember replies; the paths that were asked longest ago are forgotten when there are too many.
   * @param {Record<string, string>} paths by name
   * @param {Record<string, any>} data the replies by the same names
   * @param {number} at_ms when they came, ms since the Unix epoch
   */
  keep(paths, data, at_ms) {
    for (const [name, path] of Object.entries(paths)) {
      this.#replies.delete(path);
      this.#replies.set(path, { data: data[name], at_ms });
      if (this.#replies.size > REPLIES_MAX) this.#replies.delete(this.#replies.keys().next().value);
    }
  }

  /**
   * Return the last replies at these paths, with the time of the oldest of them; nothing unless all are remembered.
   * @param {Record<string, string>} paths by name
   * @returns {{data: Record<string, any> | null, at_ms: number}}
   */
  of(paths) {
    const found = Object.entries(paths).map(([name, path]) => [name, this.#replies.get(path)]);
    if (!found.every(([, reply]) => reply)) return { data: null, at_ms: 0 };
    return {
      data: Object.fromEntries(found.map(([name, reply]) => [name, reply.data])),
      at_ms: Math.min(...found.map(([, reply]) => reply.at_ms)),
    };
  }
}

/**
 * Ask until stopped.
 * @param {{load: (signal: AbortSignal) => Promise<{data: any, error: string}>, everyMs: number,
 *   onState: (state: Polled) => void, known?: {data: any, at_ms: number}}} task `load` ends by itself, as all requests
 *   of `state/api.js` do; `known`: what was told before
 * @param {World} world
 * @returns {{refresh: () => void, stop: () => void}} `refresh` asks at once; what is under way is given up
 */
export function startPoll({ load, everyMs, onState, known }, world) {
  let state = { ...NOTHING_YET, ...known };
  let failures = 0;
  let dueMs = 0;
  let cancel = () => {};
  let flight = null;
  const tell = (change) => onState((state = { ...state, ...change }));
  const halt = () => {
    cancel();
    flight?.abort();
    flight = null;
  };
  const wait = () => {
    const ms = Math.max(0, dueMs - world.nowMs());
    cancel = world.after(ms, ask);
    tell({ next_ms: world.nowMs() + ms });
  };
  const ask = async () => {
    halt();
    const own = (flight = new AbortController());
    tell({ next_ms: 0 });
    const { data, error } = await load(own.signal);
    // Another try took its place, or nobody looks any more.
    if (flight !== own) return;
    halt();
    failures = error ? failures + 1 : 0;
    dueMs = world.nowMs() + pauseMs(everyMs, failures);
    if (error) tell({ error });
    else tell({ data, error: "", at_ms: world.nowMs() });
    wait();
  };
  const look = () => {
    halt();
    if (world.isVisible()) wait();
    else tell({ next_ms: 0 });
  };
  const off = world.onVisibility(look);
  look();
  return {
    refresh: () => {
      failures = 0;
      dueMs = 0;
      look();
    },
    stop: () => {
      off();
      halt();
    },
  };
}

/**
 * Return the pause before the next try: it doubles with each failure.
 * @param {number} everyMs
 * @param {number} failures in a row
 * @returns {number} ms
 */
export function pauseMs(everyMs, failures) {
  return failures === 0 ? everyMs : Math.max(everyMs, Math.min(everyMs * 2 ** (failures - 1), PAUSE_MS_MAX));
}

/**
 * Fetch several things as one: all of them, or the first error.
 * @param {Record<string, string>} paths by name
 * @param {AbortSignal} signal
 * @param {typeof getJson} [get]
 * @returns {Promise<{data: Record<string, any> | null, error: string}>}
 */
export async function loadAll(paths, signal, get = getJson) {
  const names = Object.keys(paths);
  const replies = await Promise.all(names.map((name) => get(paths[name], { signal })));
  const failed = replies.find(({ error }) => error);
  if (failed) return { data: null, error: failed.error };
  return { data: Object.fromEntries(names.map((name, place) => [name, replies[place].data])), error: "" };
}
