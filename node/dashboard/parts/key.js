/** A key or id: a colour that it always has, its first digits, and the whole of it for whoever copies or points. */

import { useCopy } from "strand/parts/copy.js";
import { html } from "strand/parts/html.js";
import { hueOf, shortKey } from "strand/state/format.js";

/**
 * @param {{value: string, name?: string}} props `name`: what to show in place of the digits, such as `you`
 */
export function Key({ value, name }) {
  const [said, copy] = useCopy(value);
  return html`
    <button type="button" class="key" title=${value} onClick=${copy}>
      <${Swatch} value=${value} />
      <span class=${name ? "" : "mono"}>${said || name || shortKey(value)}</span>
      <span class="spoken">${said ? "" : `copy ${value}`}</span>
    </button>
  `;
}

/** The colour alone, beside something that says the key. */
export function Swatch({ value }) {
  return html`
    <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
      <rect width="10" height="10" rx="2" fill=${`hsl(${hueOf(value)} 65% 50%)`} />
    </svg>
  `;
}
