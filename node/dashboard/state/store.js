/** The rounds that a page knows, from the stream and from what it fetches; bounded, and each a signal's value. */

import { signal } from "@preact/signals-core";
import { emptyRound, reduce, reduceAll, withTexts } from "strand/state/round.js";

/** Rounds that are kept; a round of 64 members takes some 200 KB. Finished ones go first, the oldest of them first. */
export const ROUNDS_MAX = 100;

/** Events of one round that are kept for its replay: twice as many as a round of 64 members has. */
export const EVENTS_MAX = 2_000;

/** What is kept of one round. */
const unknown = (id) => ({ round: emptyRound(id), events: [], is_cut: false });

/** All rounds of a page. Views read `rounds.value`: a Map from ids, the latest round last. */
export class Store {
  constructor() {
    /** Values have `round`, `events` (in the order of arrival) and `is_cut`: whether later events were not kept. */
    this.rounds = signal(new Map());
  }

  /**
   * Fold one event of the stream.
   * @param {Object} event
   */
  take(event) {
    if (typeof event.query_id !== "string" || !event.query_id) return;
    this.#change(event.query_id, (known) => {
      const is_cut = known.is_cut || known.events.length >= EVENTS_MAX;
      const events = is_cut ? known.events : [...known.events, event];
      return { round: reduce(known.round, event), events, is_cut };
    });
  }

  /**
   * Fold what was fetched of a round: its earlier events and its answers' texts. It is whole then.
   * @param {string} id
   * @param {{events?: Object[], answers?: Object[]}} fetched
   */
  fold(id, { events = [], answers = [] }) {
    this.#change(id, (known) => {
      const round = withTexts(reduceAll(known.round, events), answers);
      return { ...known, round: events.length ? { ...round, incomplete: false } : round };
    });
  }

  /** Note that events of any round were lost: those that go on may lack some. */
  noteLoss() {
    const rounds = new Map(this.rounds.value);
    for (const [id, known] of rounds) {
      if (!isSettled(known.round)) rounds.set(id, { ...known, round: { ...known.round, incomplete: true } });
    }
    this.rounds.value = rounds;
  }

  /** Forget all rounds. */
  clear() {
    this.rounds.value = new Map();
  }

  #change(id, change) {
    const rounds = new Map(this.rounds.value);
    if (!rounds.has(id) && rounds.size >= ROUNDS_MAX) {
      const settled = [...rounds].find(([, known]) => isSettled(known.round));
      rounds.delete((settled ?? rounds.entries().next().value)[0]);
    }
    rounds.set(id, change(rounds.get(id) ?? unknown(id)));
    this.rounds.value = rounds;
  }
}

function isSettled(round) {
  return Object.keys(round.ended).length > 0;
}
