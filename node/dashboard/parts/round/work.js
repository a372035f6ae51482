/** What this node's own member does in a round. */

import { html } from "strand/parts/html.js";
import { duration } from "strand/state/format.js";
import { eventWords, reasonWords } from "strand/state/words.js";

/**
 * @param {{work: Object[]}} props events of the member's side, in their order
 */
export function Work({ work }) {
  return html`
    <section class="panel" aria-labelledby="work-title">
      <h2 id="work-title">This node's part</h2>
      <ul class="work">
        ${work.map(
          (each) => html`
            <li key=${each.step}>
              <span class="muted number">${duration(each.at_ms)}</span>
              <span>${eventWords(each)}${each.event === "declined" && `: ${reasonWords(each.reason)}`}</span>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}
