/** An outcome, or another end of a round, as a badge with a sign and its word. */

import { html } from "strand/parts/html.js";
import { markOf } from "strand/state/outcome.js";

/**
 * Draw the badge.
 * @param {{word: string}} props such as `decided` or `cancelled`
 */
export function OutcomeBadge({ word }) {
  const { sign, tone } = markOf(word);
  return html`<span class=${`badge ${tone}`}>${sign && html`<span aria-hidden="true">${sign} </span>`}${word}</span>`;
}

/**
 * Draw clauses, such as those of findings, as badges.
 * @param {{clauses: {text: string, tone: string}[]}} props
 */
export function Clauses({ clauses }) {
  return clauses.map(({ text, tone }) => html`<span class=${`badge ${tone}`}>${text}</span>`);
}
