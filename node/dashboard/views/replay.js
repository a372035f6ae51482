/** Replays the round of a certificate that was verified here: it is handed over in memory, and stored nowhere. */

import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { Replay } from "strand/parts/round/replay.js";
import { handedReplay } from "strand/state/verification.js";

export function ReplayView() {
  const replay = handedReplay.value;
  if (!replay) {
    return html`
      <h1>Replay</h1>
      <p class="empty">No certificate is at hand. <a href="#/verify">Verify one first</a></p>
    `;
  }
  return html`
    <h1>Replay of round <${Key} value=${replay.query_id} /></h1>
    <p class="muted">As its certificate tells it. <a href="#/verify">Back to the verification</a></p>
    <${Replay} replay=${replay} />
  `;
}
