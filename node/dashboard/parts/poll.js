/** Polling for components: only while the page is visible. */

import { useEffect, useRef, useState } from "preact/hooks";
import { CLOCK } from "strand/state/clock.js";
import { loadAll, NOTHING_YET, startPoll } from "strand/state/poll.js";

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
 * @returns {[import("../state/poll.js").Polled, () => void]} with a function that asks at once
 */
export function usePoll(paths, everyMs) {
  return useRepeated((signal) => loadAll(paths, signal), everyMs);
}

/**
 * Return what a request tells, made again while the component is on the page and the page visible.
 * @param {(signal: AbortSignal) => Promise<{data: any, error: string}>} load does the same while the component lives
 * @param {number} everyMs
 * @returns {[import("../state/poll.js").Polled, () => void]} with a function that asks at once
 */
export function useRepeated(load, everyMs) {
  const [state, setState] = useState(NOTHING_YET);
  const poll = useRef(null);
  useEffect(() => {
    poll.current = startPoll({ load, everyMs, onState: setState }, PAGE);
    return () => poll.current.stop();
  }, []);
  return [state, () => poll.current?.refresh()];
}
