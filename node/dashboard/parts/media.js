/** What holds of the browser's window, such as that it is narrow. */

import { useEffect, useState } from "preact/hooks";

/**
 * Return whether a media query holds, and draw again when that changes.
 * @param {string} query such as `(max-width: 40rem)`
 * @returns {boolean}
 */
export function useMedia(query) {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const changed = () => setMatches(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, [query]);
  return matches;
}
