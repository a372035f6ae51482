/** The node's own questions: those whose rounds run, and those that wait. */

import { Badge } from "strand/parts/badge.js";
import { useNow } from "strand/parts/clock.js";
import { html } from "strand/parts/html.js";
import { duration, shortKey } from "strand/state/format.js";
import { roundHref } from "strand/state/route.js";
import { oneLine } from "strand/state/text.js";

const TEXT_CHARS_MAX = 120;

/**
 * @param {{queue: Object}} props as of /api/queue
 */
export function Queue({ queue }) {
  const { running, running_max, waiting, waiting_max, wait_s } = queue;
  const now = useNow(1000);
  const rows = [...running.map((each) => [each, runningWords(each, now)]), ...waiting.map((each) => [each, "waits"])];
  return html`
    <section class="panel">
      <h2>Own questions</h2>
      <p>
        ${running.length} of at most ${running_max} rounds run, ${waiting.length} of at most ${waiting_max} questions
        wait.
        ${" "}A new one would ${wait_s > 0 ? `wait for ${duration(wait_s * 1000)}` : "begin at once"}.
      </p>
      ${rows.length > 0 && html`
        <div class="scroll" tabindex="0" role="region" aria-label="Own questions">
          <table>
            <thead><tr><th scope="col">Round</th><th scope="col">State</th><th scope="col">Question</th>
              <th scope="col" class="number">Since</th></tr></thead>
            <tbody>
              ${rows.map(([each, words], place) => html`
                <tr key=${each.query_id || place}>
                  <th scope="row">${each.query_id
                    ? html`<a class="mono" href=${roundHref(each.query_id)}>${shortKey(each.query_id)}</a>`
                    : "–"}</th>
                  <td>${words}</td>
                  <td>${oneLine(each.text, TEXT_CHARS_MAX)} ${each.gold && html`<${Badge} words="gold" />`}</td>
                  <td class="number">${duration(Math.max(0, now - each.since_ms))}</td>
                </tr>
              `)}
            </tbody>
          </table>
        </div>
      `}
    </section>
  `;
}

function runningWords({ held_until_ms, query_id }, now) {
  if (held_until_ms !== null) return `cancelled; holds its place for ${duration(Math.max(0, held_until_ms - now))}`;
  return query_id ? "runs" : "begins";
}
