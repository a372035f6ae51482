/** Shows one round: live, stored, or in a report. */

import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";

export function RoundView({ id }) {
  return html`
    <h1>Round <${Key} value=${id} /></h1>
    <p class="muted">The round's answers, ballots and outcome will stand here.</p>
  `;
}
