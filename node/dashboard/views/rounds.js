/** Lists the rounds that go on and those that are kept. */

import { html } from "strand/parts/html.js";

export function RoundsView() {
  return html`
    <h1>Rounds</h1>
    <p class="muted">Rounds that go on, and those that this node keeps, will stand here.</p>
  `;
}
