/** What a page of a node shares: the rounds as they happen, and how far they can be trusted. */

import { signal } from "@preact/signals";
import { Store } from "strand/state/store.js";
import { follow } from "strand/state/stream.js";

/** The rounds that this page knows. */
export const store = new Store();

/** How the page and the node are connected, as `state/stream.js` tells it. */
export const connection = signal({ state: "connecting", since_ms: Date.now(), lost: 0 });

/**
 * Follow the node's events until the signal aborts.
 * @param {AbortSignal} stop
 * @returns {Promise<void>}
 */
export function followNode(stop) {
  const onState = (state) => {
    if (state.lost !== connection.value.lost) store.noteLoss();
    connection.value = state;
  };
  return follow({ onEvent: (event) => store.take(event), onState, signal: stop });
}
