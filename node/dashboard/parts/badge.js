/** A word with a glyph and a colour: the colour alone says nothing. */

import { html } from "strand/parts/html.js";

/**
 * @param {{tone?: "good" | "warn" | "bad" | "", glyph?: string, words: string, title?: string}} props
 */
export function Badge({ tone = "", glyph = "", words, title }) {
  return html`
    <span class=${`badge ${tone}`} title=${title}>
      ${glyph && html`<span aria-hidden="true">${glyph} </span>`}${words}
    </span>
  `;
}
