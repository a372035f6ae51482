/** What a page of a node shares: rounds as they happen, how far they can be trusted, and what the node told last. */

import { signal } from "@preact/signals";
import { getJson } from "strand/state/api.js";
import { returns } from "strand/state/poll.js";
import { LastReplies } from "strand/state/replies.js";
import { Store } from "strand/state/store.js";
import { follow } from "strand/state/stream.js";

/** The rounds that this page knows. */
export const store = new Store();

/** What the node told last, in whichever view. */
export const lastReplies = new LastReplies();

/** How the page and the node are connected, as `state/stream.js` tells it. */
export const connection = signal({ state: "connecting", since_ms: Date.now(), lost: 0 });

/** The node that serves the page, as /api/status tells it; null before its first reply. */
export const node = signal(null);

/** How many other nodes served the page before this one: with each change all views begin anew. */
export const nodesBefore = signal(0);

/**
 * Follow the node's events until the signal aborts.
 * @param {AbortSignal} stop
 * @returns {Promise<void>}
 */
export function followNode(stop) {
  const onState = (state) => {
    if (state.lost !== connection.value.lost) store.noteLoss();
    // Who opens a view without a session sees nothing of what its owner was told.
    if (state.state === "refused") lastReplies.clear();
    const isBack = state.state === "live" && connection.value.state === "stale";
    connection.value = state;
    if (isBack) returns.value += 1;
  };
  return follow({ onEvent: (event) => store.take(event), onState, signal: stop });
}

/**
 * Ask which node serves the page, and forget what another one told.
 * @returns {Promise<void>}
 */
export async function meetNode() {
  const { data } = await getJson("/api/status");
  if (data && node.value && node.value.key !== data.key) {
    lastReplies.clear();
    store.clear();
    nodesBefore.value += 1;
  }
  node.value = data ?? node.value;
}
