/** Shows what this machine does for the swarm. */

import { html } from "strand/parts/html.js";

export function MachineView() {
  return html`
    <h1>Machine</h1>
    <p class="muted">The engine, its queue, and the work for others will stand here.</p>
  `;
}
