/** A word with a glyph and a colour: the colour alone says nothing. */

import { html } from "strand/parts/html.js";

/**
 * @param {{tone?: "good" | "warn" | "bad" | "live" | "", glyph?: string, words: any, title?: string,
 *   wraps?: boolean}} props `words`: text, or what is drawn in its place; `wraps`: it may take several lines
 */
export function Badge({ tone = "", glyph = "", words, title, wraps = false }) {
  const classes = ["badge", tone, wraps && "wraps"].filter(Boolean).join(" ");
  return html`
    <span class=${classes} title=${title}>
      ${glyph && html`<span aria-hidden="true">${glyph} </span>`}${words}
    </span>
  `;
}
