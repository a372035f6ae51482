/** Figures with their explanations. */

import { html } from "strand/parts/html.js";

/**
 * @param {{facts: {name: string, figure: any, meaning?: any, tone?: string}[]}} props
 */
export function Facts({ facts }) {
  return html`
    <dl class="facts">
      ${facts.map(({ name, figure, meaning, tone }) => html`
        <div key=${name}>
          <dt>${name}</dt>
          <dd>
            <span class=${tone ? `figure badge ${tone}` : "figure"}>${figure}</span>
            ${meaning && html`<p class="muted small">${meaning}</p>`}
          </dd>
        </div>
      `)}
    </dl>
  `;
}
