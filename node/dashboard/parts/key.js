/** A key or id: its look, its first digits, and the whole of it for whoever copies or points. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { useCopy } from "strand/parts/copy.js";
import { html } from "strand/parts/html.js";
import { shortKey } from "strand/state/format.js";
import { colourOf, lookOf } from "strand/state/looks.js";

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

/** Looks of nodes that are seen together (`looksOf`): whoever shows a round provides them. Others have their own. */
export const Looks = createContext(new Map());

/** The colour alone, beside something that says the key. */
export function Swatch({ value }) {
  const { hue, mark } = useContext(Looks).get(value) ?? lookOf(value);
  const colour = colourOf(hue);
  return html`
    <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
      ${mark === "full" && html`<rect width="10" height="10" rx="2" fill=${colour} />`}
      ${mark === "hollow" &&
      html`<rect x="1.5" y="1.5" width="7" height="7" rx="1" fill="none" stroke=${colour} stroke-width="3" />`}
      ${mark === "half" && html`<path d="M0 10V0L10 10Z" fill=${colour} />`}
    </svg>
  `;
}
