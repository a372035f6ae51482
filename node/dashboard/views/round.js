/** Shows one round: live, stored, or in a report. */

import { html } from "strand/parts/html.js";
import { shortKey } from "strand/state/format.js";

export function RoundView({ id }) {
  return html`
    <h1>Round <code title=${id}>${shortKey(id)}</code></h1>
    <p class="muted">The round's answers, ballots and outcome will stand here.</p>
  `;
}
