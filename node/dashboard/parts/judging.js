/** How a node judges, as one bar of four parts. */

import { html } from "strand/parts/html.js";
import { percent } from "strand/state/format.js";
import { WAYS_OF_JUDGING } from "strand/state/record.js";

/**
 * @param {{judging: Record<string, number>}} props shares by way of judging
 */
export function JudgingBar({ judging }) {
  let left = 0;
  const parts = WAYS_OF_JUDGING.map(([name, words, tone]) => {
    const part = { name, words, tone, x: left, width: 100 * judging[name] };
    left += part.width;
    return part;
  });
  const told = parts.map(({ name, words }) => `${percent(judging[name])} ${words}`).join(", ");
  return html`
    <figure class="shares">
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=${`Judging: ${told}`}>
        ${parts.map(({ tone, x, width }) => html`<rect class=${`share ${tone}`} x=${x} width=${width} height="6" />`)}
      </svg>
      <figcaption>
        <ul class="legend">
          ${parts.map(({ name, words, tone }) => html`
            <li>
              <svg viewBox="0 0 10 10" aria-hidden="true"><rect class=${`share ${tone}`} width="10" height="10" /></svg>
              ${name}: ${percent(judging[name])} <span class="muted">${words}</span>
            </li>
          `)}
        </ul>
      </figcaption>
    </figure>
  `;
}
