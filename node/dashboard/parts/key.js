/** A key or an id in short: eight digits and a colour that it always has; all digits as its title. */

import { html } from "strand/parts/html.js";
import { hueOf, shortKey } from "strand/state/format.js";

/**
 * Draw a key.
 * @param {{value: string}} props hexadecimal
 */
export function KeyName({ value }) {
  return html`<code class="key" title=${value}>
    <span class="swatch" aria-hidden="true" style=${{ "--hue": hueOf(value) }}></span>${shortKey(value)}
  </code>`;
}
