/** Shows the nodes that this one knows. */

import { html } from "strand/parts/html.js";

export function NetworkView() {
  return html`
    <h1>Network</h1>
    <p class="muted">Peers, their offers and their reputation will stand here.</p>
  `;
}
