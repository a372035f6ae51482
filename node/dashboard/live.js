/** What a page of a node shares: the rounds as they happen, and how far they can be trusted. */

import { signal } from "@preact/signals";
import { returns } from "strand/state/poll.js";
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
    const isBack = state.state === "live" && connection.value.state === "stale";
    connection.value = state;
    if (isBack) returns.value += 1;
  };
  return follow({ onEvent: (event) => store.take(event), onState, signal: stop });
}
