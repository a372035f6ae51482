/**
 * Asks for something again and again while somebody looks: less often while it fails, and never twice at once.
 *
 * What was told last stays, and says since when nothing newer came.
 */

import { signal } from "@preact/signals-core";

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
 * @param {import("./replies.js").LastReplies} replies
 * @returns {Promise<{data: Record<string, any> | null, error: string}>}
 */
export async function loadAll(paths, signal, replies) {
  const names = Object.keys(paths);
  const told = await Promise.all(names.map((name) => replies.load(paths[name], { signal })));
  const failed = told.find(({ error }) => error);
  if (failed) return { data: null, error: failed.error };
  return { data: Object.fromEntries(names.map((name, place) => [name, told[place].data])), error: "" };
}

/**
 * Return what was told last of several things, with the time of the oldest of them; nothing unless all are remembered.
 * @param {Record<string, string>} paths by name
 * @param {import("./replies.js").LastReplies} replies
 * @returns {{data: Record<string, any> | null, at_ms: number}}
 */
export function lastOfAll(paths, replies) {
  const found = Object.entries(paths).map(([name, path]) => [name, replies.last(path)]);
  if (!found.every(([, { at_ms }]) => at_ms)) return { data: null, at_ms: 0 };
  return {
    data: Object.fromEntries(found.map(([name, { data }]) => [name, data])),
    at_ms: Math.min(...found.map(([, { at_ms }]) => at_ms)),
  };
}
