/** Shows one node: what it says of itself, and its record as this node holds it. */

import { lastReplies } from "strand/live.js";
import { useNow } from "strand/parts/clock.js";
import { Facts } from "strand/parts/facts.js";
import { Age, Freshness } from "strand/parts/freshness.js";
import { html } from "strand/parts/html.js";
import { JudgingBar } from "strand/parts/judging.js";
import { Key, Swatch } from "strand/parts/key.js";
import { usePoll } from "strand/parts/poll.js";
import { Timeline } from "strand/parts/timeline.js";
import { fact } from "strand/state/facts.js";
import { ago, count, shortKey } from "strand/state/format.js";
import { NO_REPUTATION, nodeRows, rolesWords, tripWords, WAYS, wireTrouble } from "strand/state/network.js";
import { recordFacts, weightRows } from "strand/state/record.js";
import { oneLine } from "strand/state/text.js";

const PATHS = { status: "/api/status", engine: "/api/engine", peers: "/api/peers" };

/** Times in ms between two looks at what a node says now, and at its record, which changes when a round is over. */
const EVERY_MS = 5_000;
const RECORD_EVERY_MS = 30_000;

const TEXT_CHARS_MAX = 120;

export function NodeView({ id }) {
  const [polled, refresh] = usePoll(PATHS, EVERY_MS, lastReplies);
  const [told, refreshRecord] = usePoll({ detail: `/api/reputation/${id}` }, RECORD_EVERY_MS, lastReplies);
  const { data } = polled;
  const row = data && nodeRows({ ...data, reputation: NO_REPUTATION }).find(({ key }) => key === id);
  return html`
    <p><a href="#/network">‹ Network</a></p>
    <${Freshness} polled=${polled} refreshes=${[refresh, refreshRecord]}>
      <h1 title=${id}>
        <${Swatch} value=${id} /> ${row?.way === "self" ? "This node" : "Node"} <code>${shortKey(id)}</code>
      </h1>
    <//>
    <p>Public key: <${Key} value=${id} name=${id} /></p>
    ${data && html`<${Present} row=${row} wire=${data.status.versions.wire} />`}
    <${Age} polled=${told} what="Its record and its rounds" />
    ${told.data && html`<${Record} ...${told.data.detail} /><${Rounds} ...${told.data.detail} />`}
  `;
}

function Present({ row, wire }) {
  const now = useNow(30_000);
  return html`
    <section class="panel">
      <h2>Now</h2>
      ${row
        ? html`<${Facts} facts=${presentFacts(row, wire, now)} />`
        : html`<p>This node is not connected to it, and has no offer of it. It may be switched off.</p>`}
    </section>
  `;
}

function presentFacts(row, wire, now) {
  const own = row.way === "self" ? [] : peerFacts(row, wire);
  return [
    fact("Connection", [WAYS[row.way], row.direction].filter(Boolean).join(", "), connectionWords(row, now)),
    ...own,
    row.speed !== null &&
      fact("Speed and load", `${row.speed.toFixed(0)} tokens/s`, `In its last probe. ${loadWords(row)}`),
    row.tools !== "" && fact("Tests Rust", "yes", `With ${oneLine(row.tools, TEXT_CHARS_MAX)}.`),
    fact(
      "Addresses",
      row.addresses.length ? "" : "none known",
      row.addresses.map((each) => html`<code class="line">${oneLine(each, 2 * TEXT_CHARS_MAX)}</code>`),
    ),
  ].filter(Boolean);
}

/** What holds of others alone. */
function peerFacts(row, wire) {
  const trouble = wireTrouble(row, wire);
  const { offset_ms: offset, score_reason: reason } = row;
  const model = `With the model ${oneLine(row.model, TEXT_CHARS_MAX) || "that it does not name"}, as it says.`;
  const deduction = reason ? ` Largest deduction: ${oneLine(reason, TEXT_CHARS_MAX)}.` : "";
  return [
    fact("Ping", tripWords(row.round_trip_ms), "Round trip of the last ping over the connection."),
    fact("Offers", rolesWords(row) || "nothing now", row.roles && model),
    offset !== null &&
      fact("Clock", `${offset < 0 ? "−" : "+"}${Math.abs(offset)} ms`, "Its clock's offset from this node's."),
    fact("Gossip", row.score.toFixed(1), `${SCORE_WORDS}${deduction}`, row.score < 0 ? "bad" : ""),
    trouble && fact("Version", `wire ${row.wires[row.wires.length - 1]}`, `It ${trouble}.`, "bad"),
  ];
}

const SCORE_WORDS =
  "Score for its behaviour in gossip: below 0 it gets no gossip at once, below −40 it is ignored, below −80 banned.";

function loadWords({ queue, way }) {
  return `${count(queue, "piece")} of work in progress${way === "self" ? "." : "; both as it says."}`;
}

function connectionWords({ way, in_mesh, seen_ms, host, direction }, now) {
  const seen = seen_ms === null ? "It was never connected." : `It was last connected ${ago(seen_ms, now)}.`;
  if (way === "self") return "This page is served by it.";
  if (way === "through") return `Its offers arrive, passed on by others. ${seen}`;
  if (way === "away") return seen;
  const place = host ? `${direction === "outbound" ? "To" : "From"} ${oneLine(host, TEXT_CHARS_MAX)}. ` : "";
  return place + (in_mesh ? "Gossip goes to it in full at once." : "It is told of gossip, and asks for what it lacks.");
}

function Record({ reputation: record, specialty }) {
  return html`
    <section class="panel">
      <h2>Record here, in ${oneLine(specialty, TEXT_CHARS_MAX)}</h2>
      <p class="muted">What this node has learned from its own rounds. Other nodes may hold another record.</p>
      ${record
        ? html`
            <${Facts} facts=${recordFacts(record)} />
            ${record.judging && html`<${JudgingBar} judging=${record.judging} />`}
            <${Weights} record=${record} />
          `
        : html`<p>It has neither taken part in a round that was asked here, nor been challenged.</p>`}
    </section>
  `;
}

function Weights({ record }) {
  return html`
    <h3>Weights that it would get now</h3>
    <p class="muted small">
      A vote counts an answer for those that agree with it; 1 is full. Judging weights its comparisons, below 0 turned
      round. The author's prior is added to the strength of its answers.
    </p>
    <div class="scroll" tabindex="0" role="region" aria-label="Weights by task">
      <table class="narrow">
        <thead>
          <tr>
            <th scope="col">Task</th>
            ${["Vote", "Judging", "Author"].map((name) => html`<th scope="col" class="number">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${weightRows(record).map(({ task, vote, judge, author }) => html`
            <tr key=${task}><th scope="row">${task}</th><td class="number">${vote}</td><td class="number">${judge}</td>
              <td class="number">${author}</td></tr>
          `)}
        </tbody>
      </table>
    </div>
  `;
}

function Rounds({ rounds, complete }) {
  return html`
    <section class="panel">
      <h2>Its latest rounds</h2>
      ${rounds.length > 0
        ? html`<${Timeline} rounds=${rounds} complete=${complete} />`
        : html`<p class="muted">No certificate here shows it in a round.</p>`}
    </section>
  `;
}
