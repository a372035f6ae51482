/** What is folded away at first, and is drawn only once somebody unfolds it: a large round redraws its lists often. */

import { useState } from "preact/hooks";
import { html } from "strand/parts/html.js";

/**
 * @param {{summary: string, isOpen?: boolean, children: () => any}} props `isOpen`: unfolded from the start;
 *   `children`: a function that draws what is folded
 */
export function Fold({ summary, isOpen = false, children }) {
  const [isDrawn, setDrawn] = useState(isOpen);
  return html`
    <details open=${isOpen} onToggle=${(event) => setDrawn(event.currentTarget.open)}>
      <summary>${summary}</summary>
      ${isDrawn && children()}
    </details>
  `;
}
