/** The time of day for what is drawn, such as how long something lasts: only while the page is visible. */

import { useEffect, useState } from "preact/hooks";

/**
 * Return the time, and draw again after each period in which somebody can see the page.
 * @param {number} periodMs
 * @returns {number} ms since the Unix epoch
 */
export function useNow(periodMs) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && setNow(Date.now()), periodMs);
    return () => clearInterval(timer);
  }, [periodMs]);
  return now;
}
