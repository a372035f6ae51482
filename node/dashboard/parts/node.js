/** A node's key that leads to its view. */

import { html } from "strand/parts/html.js";
import { Swatch } from "strand/parts/key.js";
import { shortKey } from "strand/state/format.js";
import { nodeHref } from "strand/state/route.js";

/**
 * @param {{value: string, name?: string}} props `name`: what to show in place of the digits
 */
export function NodeLink({ value, name }) {
  return html`
    <a class="node-link" href=${nodeHref(value)} title=${value}>
      <${Swatch} value=${value} /> <span class=${name ? "" : "mono"}>${name || shortKey(value)}</span>
    </a>
  `;
}
