/** Verifies a certificate that the user gives. */

import { html } from "strand/parts/html.js";

export function VerifyView() {
  return html`
    <h1>Verify</h1>
    <p class="muted">A certificate, verified step by step, will stand here.</p>
  `;
}
