/** Rounds that are open now, as the stream of events tells them: those that this node asked, and those it works for. */

import { store } from "strand/live.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { isOver, questionLine, stateWords } from "strand/state/derived.js";
import { duration } from "strand/state/format.js";
import { roundHref } from "strand/state/route.js";

const HEAD_CHARS_MAX = 120;

/** Open rounds that are listed; a node takes part in at most 32 at once. */
const OPEN_MAX = 32;

/** Draw the list; nothing while no round is open. */
export function OpenRounds() {
  const open = [...store.rounds.value.values()].map((each) => each.round).filter((round) => !isOver(round));
  if (open.length === 0) return null;
  return html`<section class="history" aria-labelledby="open">
    <h2 id="open">Open now</h2>
    <ol class="history-list">
      ${open.slice(-OPEN_MAX).reverse().map((round) => html`<${OpenRound} key=${round.id} round=${round} />`)}
    </ol>
  </section>`;
}

function OpenRound({ round }) {
  return html`<li class="history-row">
    <div class="row apart">
      <a class="history-head" href=${roundHref(round.id)}>${questionLine(round, HEAD_CHARS_MAX) || "A question of another node"}</a>
      <span class="muted number">${duration(round.at_ms)}</span>
    </div>
    <p class="row history-facts">
      <span class="badge live"><span aria-hidden="true">● </span>${stateWords(round)}</span>
      ${!round.asked && round.joined && html`<span class="muted">for <${Key} value=${round.joined.requester} /></span>`}
    </p>
  </li>`;
}
