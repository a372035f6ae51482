/** Rounds that are open now, as the stream of events tells them: those that this node asked, and those it works for. */

import { Badge } from "strand/parts/badge.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { questionLine, stateWords } from "strand/state/derived.js";
import { duration } from "strand/state/format.js";
import { roundHref } from "strand/state/route.js";
import { oneLine } from "strand/state/text.js";

const HEAD_CHARS_MAX = 120;

/** Open rounds that are listed; a node takes part in at most 32 at once. */
const OPEN_MAX = 32;

/**
 * Draw the list; nothing while no round is open.
 * @param {{rounds: Object[], heads: Map<string, string>}} props `rounds`: those that are open, the latest last;
 *   `heads`: beginnings of questions by the round's id, for rounds that began before the page did
 */
export function OpenRounds({ rounds, heads }) {
  if (rounds.length === 0) return null;
  return html`<section class="history" aria-labelledby="open">
    <h2 id="open">Open now</h2>
    <ol class="history-list">
      ${rounds
        .slice(-OPEN_MAX)
        .reverse()
        .map((round) => html`<${OpenRound} key=${round.id} round=${round} head=${heads.get(round.id)} />`)}
    </ol>
  </section>`;
}

function OpenRound({ round, head }) {
  // Only who asks hears of a round's phases.
  const nobody = round.phases.length ? "A question of this node" : "A question of another node";
  const title = questionLine(round, HEAD_CHARS_MAX) || oneLine(head ?? "", HEAD_CHARS_MAX) || nobody;
  return html`<li class="history-row">
    <div class="row apart">
      <a class="history-head" href=${roundHref(round.id)}>${title}</a>
      <span class="muted number">${duration(round.at_ms)}</span>
    </div>
    <p class="row history-facts">
      <${Badge} tone="live" glyph="●" words=${stateWords(round)} />
      ${!round.phases.length &&
      round.joined &&
      html`<span class="muted">for <${Key} value=${round.joined.requester} /></span>`}
    </p>
  </li>`;
}
