/** A view's title, with how old its figures are, and since when nothing newer came. */

import { Badge } from "strand/parts/badge.js";
import { useNow } from "strand/parts/clock.js";
import { html } from "strand/parts/html.js";
import { duration, moment } from "strand/state/format.js";

/**
 * @param {{polled: import("../state/poll.js").Polled, refresh: () => void, children: any}} props `children`: the title
 */
export function Freshness({ polled: { data, error, at_ms, next_ms }, refresh, children }) {
  const now = useNow(1000);
  const leftMs = Math.max(0, Math.ceil((next_ms - now) / 1000) * 1000);
  const next = next_ms ? `Next try in ${duration(leftMs)}.` : "Trying now.";
  const time = moment(at_ms).slice(11);
  return html`
    <div class="freshness">
      <div class="row">
        ${children}
        <span class="row end">
          ${error
            ? html`<${Badge} tone="warn" glyph="▲" words=${data ? "stale" : "no figures"} />`
            : html`<span class="muted">${data ? `as of ${time}` : "loading…"}</span>`}
          <button type="button" onClick=${refresh}>Refresh</button>
        </span>
      </div>
      <div role="status">
        ${error && html`
          <p class="notice">
            ${error} ${data && `What stands here is of ${time}.`} <span aria-live="off">${next}</span>
          </p>
        `}
      </div>
    </div>
  `;
}
