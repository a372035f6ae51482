/**
 * Replays a round's events, step by step or by their times. Pure: whoever draws says how much time has passed.
 *
 * A position is the number of events that have happened. Events of a certificate have no times: each takes STEP_MS.
 */

import { emptyRound, reduceAll } from "strand/state/round.js";

/** Time that an event without a time takes. */
export const STEP_MS = 600;

/** Longest pause between two events that is replayed: nobody waits out a slow engine twice. */
export const PAUSE_MS_MAX = 3_000;

/** Events between two kept states: going back to any position folds at most so many. */
const KEPT_EVERY = 64;

/**
 * @typedef {Object} Playing
 * @property {number} position events that have happened, from 0 to the number of all
 * @property {number} waited_ms replayed time since the last of them
 * @property {number} speed factor of the time; 1 is as it was
 * @property {boolean} playing
 */

/**
 * Return whether a replay reaches the end of its round.
 * @param {Object | null} replay `GET /api/rounds/{id}/replay`
 * @returns {boolean}
 */
export function reachesEnd(replay) {
  return Boolean(replay?.events.some((each) => each.event === "certified" || isRequestersEnd(each)));
}

/**
 * Return whether a replay is as it will always be: nothing follows the end for the asker, nor a certificate's steps.
 * @param {Object | null} replay
 * @returns {boolean}
 */
export function isFinal(replay) {
  return reachesEnd(replay) && (replay.source === "certificate" || replay.events.some(isRequestersEnd));
}

const isRequestersEnd = ({ event, role }) => event === "ended" && role === "requester";

/** A list of events, and the round after any number of them. */
export class Recording {
  /**
   * @param {Object[]} events in their order
   * @param {Object[]} [answers] texts of answers; one is known to the round once it is opened
   */
  constructor(events, answers = []) {
    this.events = events;
    this.answers = answers;
    this.hasTimes = events.some((each) => each.at_ms > 0);
    this.kept = [emptyRound(events[0]?.query_id)];
    this.last = { position: 0, round: this.kept[0] };
    this.texts = {};
    this.opened = 0;
  }

  /** Number of events. */
  get length() {
    return this.events.length;
  }

  /**
   * Return the round after so many events.
   * @param {number} position
   * @returns {import("./round.js").Round}
   */
  roundAt(position) {
    const end = Math.max(0, Math.min(position, this.length));
    // Whoever plays goes forward: the next place is a few events from the last one.
    if (this.last.position > end || end - this.last.position > KEPT_EVERY) this.last = this.#keptBefore(end);
    this.last = { position: end, round: reduceAll(this.last.round, this.events.slice(this.last.position, end)) };
    return { ...this.last.round, texts: this.#textsOf(this.last.round) };
  }

  #keptBefore(end) {
    while (this.kept.length <= Math.floor(end / KEPT_EVERY)) {
      const from = (this.kept.length - 1) * KEPT_EVERY;
      this.kept.push(reduceAll(this.kept.at(-1), this.events.slice(from, from + KEPT_EVERY)));
    }
    const last = Math.floor(end / KEPT_EVERY);
    return { position: last * KEPT_EVERY, round: this.kept[last] };
  }

  /** The texts of the opened answers: the same value as long as no further one is opened. */
  #textsOf({ answers }) {
    if (answers.length !== this.opened) {
      const opened = new Set(answers.map((each) => each.number));
      const known = this.answers.filter((each) => opened.has(each.number));
      this.texts = Object.fromEntries(known.map((each) => [each.number, each]));
      this.opened = answers.length;
    }
    return this.texts;
  }

  /**
   * Return the replayed time between an event and the one before it.
   * @param {number} index of the event
   * @returns {number} ms, at speed 1
   */
  pauseBefore(index) {
    if (!this.hasTimes) return STEP_MS;
    const before = index > 0 ? this.events[index - 1].at_ms : 0;
    return Math.max(0, Math.min(PAUSE_MS_MAX, this.events[index].at_ms - before));
  }
}

/**
 * Return a state that stands at a position.
 * @param {number} [position]
 * @returns {Playing}
 */
export function standing(position = 0) {
  return { position, waited_ms: 0, speed: 1, playing: false };
}

/**
 * Return the state at another position, within the recording; it keeps playing if it did, unless at the end.
 * @param {Recording} recording
 * @param {Playing} state
 * @param {number} position
 * @returns {Playing}
 */
export function seek(recording, state, position) {
  const found = Math.max(0, Math.min(position, recording.length));
  return { ...state, position: found, waited_ms: 0, playing: state.playing && found < recording.length };
}

/**
 * Return the state that plays, or stands; from the end it plays anew.
 * @param {Recording} recording
 * @param {Playing} state
 * @returns {Playing}
 */
export function toggle(recording, state) {
  const position = !state.playing && state.position >= recording.length ? 0 : state.position;
  return { ...state, position, waited_ms: 0, playing: !state.playing && recording.length > 0 };
}

/**
 * Return the state after some real time: at most one that has reached the end, where it stands.
 * @param {Recording} recording
 * @param {Playing} state
 * @param {number} elapsed_ms
 * @returns {Playing}
 */
export function advance(recording, state, elapsed_ms) {
  if (!state.playing) return state;
  let { position } = state;
  let waited_ms = state.waited_ms + elapsed_ms * state.speed;
  while (position < recording.length && waited_ms >= recording.pauseBefore(position)) {
    waited_ms -= recording.pauseBefore(position);
    position += 1;
  }
  const ended = position >= recording.length;
  return { ...state, position, waited_ms: ended ? 0 : waited_ms, playing: !ended };
}
