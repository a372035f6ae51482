/** How old a view is, or a part of it with a period of its own, and since when nothing newer came. */

import { Badge } from "strand/parts/badge.js";
import { useNow } from "strand/parts/clock.js";
import { html } from "strand/parts/html.js";
import { duration, toldAt } from "strand/state/format.js";

/**
 * A view's title, with how old its figures are.
 * @param {{polled: import("../state/poll.js").Polled, refreshes: (() => void)[], children: any}} props `refreshes`:
 *   what asks at once, for the view and for its parts; `children`: the title
 */
export function Freshness({ polled, refreshes, children }) {
  const now = useNow(1000);
  const { data, error } = polled;
  return html`
    <div class="freshness">
      <div class="row">
        ${children}
        <span class="row end">
          ${error
            ? html`<${Badge} tone="warn" glyph="▲" words=${data ? "stale" : "no figures"} />`
            : html`<span class="muted">${ageWords(polled, now)}</span>`}
          <button type="button" onClick=${() => refreshes.forEach((refresh) => refresh())}>Refresh</button>
        </span>
      </div>
      <${Trouble} polled=${polled} now=${now} />
    </div>
  `;
}

/** Age in ms from which a part of a view says it: twice the longest pause between two looks at one. */
const OLD_MS = 120_000;

/**
 * How old a part of a view is that is asked for by itself; nothing while it is fresh.
 * @param {{polled: import("../state/poll.js").Polled, what: string}} props `what`: the part, such as `Its record`
 */
export function Age({ polled, what }) {
  const now = useNow(1000);
  const isFresh = polled.data && now - polled.at_ms < OLD_MS;
  return html`
    <div>
      ${!polled.error && !isFresh && html`<p class="muted small">${what}: ${ageWords(polled, now)}</p>`}
      <${Trouble} polled=${polled} what=${what} now=${now} />
    </div>
  `;
}

function ageWords({ data, at_ms }, now) {
  return data ? `as of ${toldAt(at_ms, now)}` : "loading…";
}

/** Why the last try failed, of when that is what is shown, and when the next one is. */
function Trouble({ polled: { data, error, at_ms, next_ms }, what, now }) {
  const leftMs = Math.max(0, Math.ceil((next_ms - now) / 1000) * 1000);
  const next = next_ms ? `Next try in ${duration(leftMs)}.` : "Trying now.";
  return html`
    <div role="status">
      ${error && html`
        <p class="notice">
          ${what && `${what}: `}${error} ${data && `What stands here is of ${toldAt(at_ms, now)}.`}
          ${" "}<span aria-live="off">${next}</span>
        </p>
      `}
    </div>
  `;
}
