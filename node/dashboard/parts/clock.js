/** The time of day for what is drawn, such as how long something lasts. */

import { useEffect, useState } from "preact/hooks";

/**
 * Return the time, and draw again after each period.
 * @param {number} period_ms
 * @returns {number} ms since the Unix epoch
 */
export function useNow(period_ms) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), period_ms);
    return () => clearInterval(timer);
  }, [period_ms]);
  return now;
}
