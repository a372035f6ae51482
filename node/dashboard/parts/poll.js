/** Polling for components: only while the page is visible. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { CLOCK } from "strand/state/clock.js";
import { lastOfAll, loadAll, NOTHING_YET, returns, startPoll } from "strand/state/poll.js";
import { LastReplies } from "strand/state/replies.js";

/** The browser, as `state/poll.js` wants it. */
const PAGE = {
  ...CLOCK,
  isVisible: () => document.visibilityState === "visible",
  onVisibility: (changed) => {
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  },
};

/**
 * Return what the node tells at these paths, asked again while the component is on the page and the page visible.
 * @param {Record<string, string>} paths by name; they do not change while the component lives
 * @param {number} everyMs
 * @param {LastReplies} [replies] of the page: the component begins with what was told last, and has to show how old it
 *   is (`Freshness`, `Age`); without them it begins with nothing
 * @returns {[import("../state/poll.js").Polled, () => void]} with a function that asks at once
 */
export function usePoll(paths, everyMs, replies) {
  const own = useMemo(() => replies ?? new LastReplies(), []);
  const known = useMemo(() => lastOfAll(paths, own), []);
  return useRepeated((signal) => loadAll(paths, signal, own), everyMs, known);
}

/**
 * Return what a request tells, made again while the component is on the page and the page visible.
 * @param {(signal: AbortSignal) => Promise<{data: any, error: string}>} load does the same while the component lives
 * @param {number} everyMs
 * @param {{data: any, at_ms: number}} [known] what was told before
 * @returns {[import("../state/poll.js").Polled, () => void]} with a function that asks at once
 */
export function useRepeated(load, everyMs, known = {}) {
  const [state, setState] = useState({ ...NOTHING_YET, ...known });
  const poll = useRef(null);
  useEffect(() => {
    poll.current = startPoll({ load, everyMs, onState: setState, known }, PAGE);
    return () => poll.current.stop();
  }, []);
  useEffect(() => {
    // After some failures the next try may be a minute away.
    if (state.error) poll.current.refresh();
  }, [returns.value]);
  return [state, () => poll.current?.refresh()];
}
