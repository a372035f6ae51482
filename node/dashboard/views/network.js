/** Shows the other nodes: who is connected, what each offers, and how it is known. */

import { useState } from "preact/hooks";
import { lastReplies } from "strand/live.js";
import { Badge } from "strand/parts/badge.js";
import { useNow } from "strand/parts/clock.js";
import { Age, Freshness } from "strand/parts/freshness.js";
import { NetworkGraph } from "strand/parts/graph.js";
import { html } from "strand/parts/html.js";
import { NodeLink } from "strand/parts/node.js";
import { usePoll } from "strand/parts/poll.js";
import { SortableTable } from "strand/parts/sortable.js";
import { ago, count } from "strand/state/format.js";
import {
  DRAWN_MAX, NO_REPUTATION, nodeRows, rolesWords, sorted, totals, tripWords, WAYS, wireTrouble,
} from "strand/state/network.js";
import { oneLine } from "strand/state/text.js";

const PATHS = { status: "/api/status", engine: "/api/engine", peers: "/api/peers" };

/**
 * Times in ms between two looks: peers are pinged every 10 s; the weights of votes, which are read out of all nodes'
 * statistics, change when a round is over.
 */
const EVERY_MS = 5_000;
const WEIGHTS_EVERY_MS = 60_000;

/** Rows of the table at first, and with each further click: an attacker may invent a thousand nodes. */
const ROWS_SHOWN = 100;

const MODEL_CHARS_MAX = 28;
const REASON_CHARS_MAX = 80;
const ADDRESS_CHARS_MAX = 96;

export function NetworkView() {
  const [polled, refresh] = usePoll(PATHS, EVERY_MS, lastReplies);
  const [weights, refreshWeights] = usePoll({ reputation: "/api/reputation" }, WEIGHTS_EVERY_MS, lastReplies);
  return html`
    <${Freshness} polled=${polled} refreshes=${[refresh, refreshWeights]}><h1>Network</h1><//>
    <${Age} polled=${weights} what="Weights of votes" />
    ${polled.data && html`<${Overlay} ...${polled.data} reputation=${weights.data?.reputation ?? NO_REPUTATION} />`}
  `;
}

function Overlay(told) {
  const { status } = told;
  const rows = nodeRows(told);
  const known = rows.length - 1;
  return html`
    ${status.conditions.map((each) => html`<p class="notice" key=${each.kind + each.about}>
      ${oneLine(each.text, 400)}: ${oneLine(each.remedy, 400)}
    </p>`)}
    <p><${Summary} rows=${rows} status=${status} /></p>
    ${known === 0
      ? html`<p class="panel">No other node is known yet. Those that answer appear here by themselves.</p>`
      : html`<${Picture} rows=${rows} />`}
    <${NodesTable} rows=${rows} wire=${status.versions.wire} />
  `;
}

function Picture({ rows }) {
  const known = rows.length - 1;
  if (known > DRAWN_MAX) {
    return html`<p class="muted">${known} nodes are more than a picture can show: the table has them all.</p>`;
  }
  return html`
    <section class="panel" aria-label="Picture of the connections">
      <${NetworkGraph} rows=${rows} />
    </section>
  `;
}

function Summary({ rows, status }) {
  const { direct, through, away } = totals(rows);
  const { inbound, inbound_max } = status.connections;
  const others = [through && `${through} reached through others`, away && `${away} known, but not connected`];
  return html`
    This node is connected to ${count(direct, "node")} (${inbound} of at most ${inbound_max} came in by themselves)
    ${others.filter(Boolean).map((words) => `, ${words}`)}.
    ${" "}${count(status.nodes_offering, "node offers", "nodes offer")} to answer or judge now, this one included.
  `;
}

function NodesTable({ rows, wire }) {
  const [order, setOrder] = useState({ column: "way", descending: false });
  const [shown, setShown] = useState(ROWS_SHOWN);
  const now = useNow(30_000);
  const ordered = sorted(rows, order.column, order.descending);
  return html`
    <section class="panel">
      <h2>Nodes</h2>
      <${SortableTable} caption="Nodes that this node knows" columns=${columnsOf(now, wire)}
        rows=${ordered.slice(0, shown)} order=${order} onOrder=${setOrder} />
      ${rows.length > shown && html`
        <button type="button" onClick=${() => setShown(shown + ROWS_SHOWN)}>
          Show ${Math.min(ROWS_SHOWN, rows.length - shown)} more of ${rows.length}
        </button>
      `}
      <p class="muted">
        Every connection is direct: no node passes on another's. “Through others” means that a node's offers arrive, as
        gossip passes them on, without a connection to it. Model, speed and queue are what a node says of itself. The
        vote is what this node's rosters would give it in a round about code.
      </p>
    </section>
  `;
}

function columnsOf(now, wire) {
  const column = (id, title, cell, more = {}) => ({ id, title, cell, ...more });
  const numbers = (hint) => ({ number: true, hint });
  return [
    column("key", "Node", (row) => html`<${NodeLink} value=${row.key} name=${row.way === "self" && "this node"} />`),
    column("way", "Connection", (row) => html`<${Way} row=${row} />`),
    column("trip", "Ping", (row) => tripWords(row.round_trip_ms), numbers("Round trip of the last ping")),
    column("roles", "Offers", (row) => rolesWords(row) || "–"),
    column("model", "Model", (row) => oneLine(row.model, MODEL_CHARS_MAX) || "–"),
    column("speed", "Tokens/s", (row) => row.speed?.toFixed(0) ?? "–", numbers("Speed of writing in its last probe")),
    column("queue", "Queue", (row) => row.queue ?? "–", numbers("Pieces of work in progress")),
    column("weight", "Vote", (row) => row.weight?.toFixed(2) ?? "–", numbers("Weight of its vote here")),
    column("seen", "Last seen", (row) => seenWords(row, now)),
    column("score", "Gossip", (row) => html`<${Standing} row=${row} wire=${wire} />`, numbers("Score in gossip")),
    column("address", "Address", (row) => html`<${Addresses} row=${row} />`),
  ];
}

const WAY_LOOKS = { self: ["", "◉"], direct: ["good", "●"], through: ["", "◌"], away: ["warn", "○"] };

function Way({ row }) {
  const [tone, glyph] = WAY_LOOKS[row.way];
  return html`
    <${Badge} tone=${tone} glyph=${glyph} words=${WAYS[row.way]} />
    ${row.direction && html` <span class="muted small">${row.direction}</span>`}
  `;
}

function Standing({ row, wire }) {
  const trouble = wireTrouble(row, wire);
  const why = [row.score_reason, trouble].filter(Boolean).join(", ");
  if (row.score === null) return "–";
  const score = row.score.toFixed(1);
  return html`
    ${row.score < 0 ? html`<${Badge} tone="bad" glyph="▼" words=${score} />` : score}
    ${why && html`<div class="muted small">${oneLine(why, REASON_CHARS_MAX)}</div>`}
  `;
}

function Addresses({ row: { host, addresses } }) {
  const [first, ...others] = addresses;
  const line = (text) => html`<code>${oneLine(text, ADDRESS_CHARS_MAX)}</code>`;
  if (!first) return host ? line(host) : "–";
  if (others.length === 0) return line(first);
  return html`
    <details>
      <summary>${line(first)}</summary>
      <ul class="plain">${others.map((each) => html`<li>${line(each)}</li>`)}</ul>
    </details>
  `;
}

function seenWords({ way, seen_ms }, now) {
  if (way === "direct" || way === "self") return "now";
  return seen_ms === null ? "never connected" : ago(seen_ms, now);
}
