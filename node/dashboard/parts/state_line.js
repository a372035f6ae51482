/** A state in one word with its colour, and why it is so. */

import { Badge } from "strand/parts/badge.js";
import { html } from "strand/parts/html.js";

const GLYPHS = { good: "●", warn: "▲", bad: "✕", "": "◌" };

/**
 * @param {{state: {word: string, why: string, tone: string, remedy?: string}}} props
 */
export function StateLine({ state: { word, why, tone, remedy } }) {
  return html`
    <p><${Badge} tone=${tone} glyph=${GLYPHS[tone]} words=${word} /> ${why}</p>
    ${remedy && html`<p class="notice">Remedy: ${remedy}</p>`}
  `;
}
