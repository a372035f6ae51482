/** Figures with their explanations. */

import { Badge } from "strand/parts/badge.js";
import { html } from "strand/parts/html.js";

/**
 * @param {{facts: import("../state/facts.js").Fact[]}} props
 */
export function Facts({ facts }) {
  return html`
    <dl class="facts">
      ${facts.map(({ name, figure, meaning, tone }) => html`
        <div key=${name}>
          <dt>${name}</dt>
          <dd>
            ${tone ? html`<${Badge} tone=${tone} words=${figure} />` : html`<span class="figure">${figure}</span>`}
            ${meaning && html`<p class="muted small">${meaning}</p>`}
          </dd>
        </div>
      `)}
    </dl>
  `;
}
