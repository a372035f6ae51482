/** Polling for components: only while the page is visible. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { CLOCK } from "strand/state/clock.js";
import { LastReplies, loadAll, NOTHING_YET, returns, startPoll } from "strand/state/poll.js";

/** The browser, as `state/poll.js` wants it. */
const PAGE = {
  ...CLOCK,
  isVisible: () => document.visibilityState === "visible",
  onVisibility: (changed) => {
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  },
};

/** What the node told last, in whichever view. */
export const lastReplies = new LastReplies();

/**
 * Return what the node tells at these paths, asked again while the component is on the page and the page visible. At
 * first it is what was told last.
 * @param {Record<string, string>} paths by name; they do not change while the component lives
 * @param {number} everyMs
 * @returns {[import("../state/poll.js").Polled, () => void]} with a function that asks at once
 */
export function usePoll(paths, everyMs) {
  const known = useMemo(() => lastReplies.of(paths), []);
  const load = async (signal) => {
    const { data, error } = await loadAll(paths, signal);
    if (data) lastReplies.keep(paths, data, PAGE.nowMs());
    return { data, error };
  };
  return useRepeated(load, everyMs, known);
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
