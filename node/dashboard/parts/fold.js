/** What is folded away at first, and is drawn only once somebody unfolds it: a large round redraws its lists often. */

import { createContext } from "preact";
import { useContext, useState } from "preact/hooks";
import { html } from "strand/parts/html.js";

/**
 * What a reader has unfolded or folded, by its summary: a replay that is set back takes parts off the page, and they
 * are as the reader left them when they come again. Whoever shows a round provides it.
 */
export const Unfolded = createContext(new Map());

/**
 * @param {{summary: string, isOpen?: boolean, children: () => any}} props `isOpen`: unfolded from the start;
 *   `children`: a function that draws what is folded
 */
export function Fold({ summary, isOpen = false, children }) {
  const left = useContext(Unfolded);
  const [isOpenFirst] = useState(() => left.get(summary) ?? isOpen);
  const [isDrawn, setDrawn] = useState(isOpenFirst);
  const onToggle = (event) => {
    left.set(summary, event.currentTarget.open);
    setDrawn(event.currentTarget.open);
  };
  return html`
    <details open=${isOpenFirst} onToggle=${onToggle}>
      <summary>${summary}</summary>
      ${isDrawn && children()}
    </details>
  `;
}
