/** Asks the swarm a question, and shows its round as it goes. */

import { html } from "strand/parts/html.js";

export function AskView() {
  return html`
    <h1>Ask</h1>
    <p class="muted">A question to the swarm, and the answer with its round, will stand here.</p>
  `;
}
