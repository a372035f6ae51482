/**
 * Follows the events of all rounds, and says how far they can be trusted: live, stale since when, how many were lost.
 *
 * It reads the stream with `fetch`, as an EventSource hides three things that the state is made of: the status of a
 * refusal, the comments that the node sends every ten seconds, and the id from which a new stream goes on.
 */

import { CLOCK } from "strand/state/clock.js";
import { readEvents } from "strand/state/sse.js";

/** Longest silence in ms before a connection counts as broken: twice the node's own limit (KEEP_ALIVE_S), and a bit. */
export const SILENCE_MS_MAX = 25_000;

/** Pauses in ms before further tries; the last one repeats. */
export const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000];

/**
 * @typedef {Object} Connection
 * @property {"connecting" | "live" | "stale" | "refused"} state `stale`: what is shown may be old, and the stream is
 *   tried again; `refused`: the node does not let this browser in
 * @property {number} since_ms time of the last change of `state`, ms since the Unix epoch
 * @property {number | null} lost events that were lost since the page was opened, at least; null: nobody knows how many
 */

/** The browser's own clock, timers and network. Tests give others. */
const REAL = { ...CLOCK, fetch: (path, options) => fetch(path, options) };

/**
 * Follow the stream until the signal aborts.
 * @param {{onEvent: (event: Object) => void, onState: (connection: Connection) => void, signal: AbortSignal}} follower
 *   `onEvent` gets each event of a round; `onState` is called at each change
 * @param {typeof REAL} [world]
 * @returns {Promise<void>}
 */
export async function follow({ onEvent, onState, signal }, world = REAL) {
  let connection = { state: "connecting", since_ms: world.nowMs(), lost: 0 };
  let lastId = "";
  let tries = 0;
  const tell = (state, lost = connection.lost) => {
    const changed = state !== connection.state;
    if (!changed && lost === connection.lost) return;
    connection = { state, since_ms: changed ? world.nowMs() : connection.since_ms, lost };
    onState(connection);
  };
  const take = ({ id, data }) => {
    tries = 0;
    tell("live");
    const event = parsed(data);
    if (id) lastId = id;
    if (event === null) return;
    const missed = event.missed === undefined ? 0 : event.missed;
    if (missed !== 0) tell("live", sum(connection.lost, missed));
    if (event.event !== "missed") onEvent(event);
  };
  onState(connection);
  while (!signal.aborted) {
    if ((await readOnce(lastId, take, signal, world)) === 401) {
      tell("refused");
      return;
    }
    if (signal.aborted) return;
    tell("stale");
    await pause(PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)], signal, world);
    tries += 1;
  }
}

/** Read one stream until it ends, breaks or is silent for too long; return the reply's status, 0 without one. */
async function readOnce(lastId, take, signal, world) {
  const ending = new AbortController();
  const end = () => ending.abort();
  signal.addEventListener("abort", end);
  let calm = world.after(SILENCE_MS_MAX, end);
  try {
    const headers = { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) };
    const options = { headers, cache: "no-store", signal: ending.signal };
    const reply = await world.fetch("/api/events", options).catch(() => null);
    if (!reply?.ok) return reply?.status ?? 0;
    for await (const event of readEvents(reply.body)) {
      calm();
      calm = world.after(SILENCE_MS_MAX, end);
      take(event);
    }
    return reply.status;
  } finally {
    calm();
    signal.removeEventListener("abort", end);
  }
}

function pause(ms, signal, world) {
  return new Promise((resolve) => {
    const cancel = world.after(ms, resolve);
    signal.addEventListener("abort", () => {
      cancel();
      resolve();
    });
  });
}

/** The event that a stream's data holds; null for a comment, and for what is no event. */
function parsed(data) {
  try {
    const event = data ? JSON.parse(data) : null;
    return typeof event?.event === "string" ? event : null;
  } catch {
    return null;
  }
}

function sum(lost, missed) {
  return lost === null || missed === null ? null : lost + missed;
}
