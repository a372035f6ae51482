/** Says whether what the page shows is as it is now. */

import { Badge } from "strand/parts/badge.js";
import { html } from "strand/parts/html.js";
import { count, moment } from "strand/state/format.js";

const LOOKS = {
  connecting: { glyph: "◌", tone: "", words: () => "connecting" },
  live: { glyph: "●", tone: "good", words: () => "live" },
  stale: { glyph: "▲", tone: "warn", words: ({ since_ms }) => `stale since ${moment(since_ms).slice(11)}` },
  refused: { glyph: "✕", tone: "bad", words: () => "session over" },
};

const LOST_TITLE = "A round that lacks events is marked; open it to fetch them.";

/**
 * @param {{connection: import("../state/stream.js").Connection}} props
 */
export function ConnectionBadge({ connection }) {
  const { glyph, tone, words } = LOOKS[connection.state];
  const lost = connection.lost === null ? "events lost" : count(connection.lost, "event lost", "events lost");
  return html`
    <span class="row" role="status">
      <${Badge} tone=${tone} glyph=${glyph} words=${words(connection)} />
      ${connection.lost !== 0 &&
      html`<${Badge} tone="warn" words=${lost} title=${LOST_TITLE} />`}
    </span>
  `;
}
