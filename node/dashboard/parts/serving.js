/** The work for other nodes: whether it is open, its cost, and the owner's pause. */

import { useState } from "preact/hooks";
import { Choice } from "strand/parts/choice.js";
import { Confirmed } from "strand/parts/confirm.js";
import { Facts } from "strand/parts/facts.js";
import { html } from "strand/parts/html.js";
import { NodeLink } from "strand/parts/node.js";
import { StateLine } from "strand/parts/state_line.js";
import { postJson } from "strand/state/api.js";
import { costWords, refusedWords, servingState, strangerFacts } from "strand/state/machine.js";

const MINUTE_MS = 60_000;

/** Lengths of a pause in ms; 0: until it is resumed. */
const PAUSES = [
  [0, "until I resume it"],
  [15 * MINUTE_MS, "for 15 minutes"],
  [60 * MINUTE_MS, "for an hour"],
  [8 * 60 * MINUTE_MS, "for 8 hours"],
];

/**
 * @param {{serving: Object, own: string, refresh: () => void}} props as of /api/serving; `own`: this node's key
 */
export function Serving({ serving, own, refresh }) {
  const refused = refusedWords(serving);
  return html`
    <section class="panel">
      <h2>Work for others</h2>
      <${StateLine} state=${servingState(serving)} />
      <${Switch} serving=${serving} refresh=${refresh} />
      <${Facts} facts=${strangerFacts(serving.strangers)} />
      <${Requesters} requesters=${serving.requesters} own=${own} />
      <p class="muted">
        Queries that named this node and were refused since its start: ${refused || "none"}.
      </p>
    </section>
  `;
}

function Switch({ serving, refresh }) {
  const [forMs, setForMs] = useState(0);
  const post = (path, body) => async () => {
    const { error } = await postJson(path, body || {});
    if (!error) refresh();
    return error;
  };
  if (serving.why_not === "stopping") return null;
  if (serving.why_not === "paused") {
    return html`
      <${Confirmed} label="Resume" sure="Resume now" onSure=${post("/api/resume")}>
        <p>The node will join rounds of other nodes again, at once, within its limits.</p>
      <//>
    `;
  }
  return html`
    <${Confirmed} label="Pause" sure="Pause now" onSure=${post("/api/pause", forMs && { for_ms: forMs })}>
      <p>
        The node will join no new rounds of other nodes. Its work in rounds that run goes on, and so do your own
        questions. The pause outlasts a restart of the node.
      </p>
      <${Choice} label="How long" value=${forMs} options=${PAUSES} inRow onChoose=${setForMs} />
    <//>
  `;
}

function Requesters({ requesters, own }) {
  if (requesters.length === 0) return html`<p class="muted">It worked for nobody in the last day.</p>`;
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Requesters of the last day">
      <table class="narrow">
        <caption>Requesters of the last day, the most expensive first</caption>
        <thead><tr><th scope="col">Requester</th><th scope="col">Known</th><th scope="col">Cost</th></tr></thead>
        <tbody>
          ${requesters.map((each) => html`
            <tr key=${each.key}>
              <th scope="row">${each.key === "others"
                ? "all others"
                : html`<${NodeLink} value=${each.key} name=${each.key === own && "this node"} />`}</th>
              <td>${each.known ? "yes" : "stranger"}</td>
              <td>${costWords(each)}</td>
            </tr>
          `)}
        </tbody>
      </table>
    </div>
  `;
}
