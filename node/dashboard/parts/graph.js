/** A picture of this node's connections. It says nothing that the table beside it does not. */

import { html } from "strand/parts/html.js";
import { useMedia } from "strand/parts/media.js";
import { count, shortKey } from "strand/state/format.js";
import { colourOf, lookOf } from "strand/state/looks.js";
import { drawing, rolesWords, shapeOf, totals, tripWords, WAYS } from "strand/state/network.js";
import { nodeHref } from "strand/state/route.js";

const PHONE = "(max-width: 40rem)";

/**
 * @param {{rows: import("../state/network.js").NodeRow[]}} props
 */
export function NetworkGraph({ rows }) {
  const small = useMedia(PHONE);
  const { size, rings, points } = drawing(rows, small);
  const { direct, through, away } = totals(rows);
  const told =
    `${count(direct, "direct connection")}, ${count(through, "node")} reached through others, ${away} not connected. ` +
    "The table has the same in words.";
  const half = size / 2;
  return html`
    <figure class=${points.length <= 12 ? "graph little" : "graph"}>
      <svg viewBox=${`${-half} ${-half} ${size} ${size}`} role="img" aria-label=${told}>
        ${rings.map(({ r }) => html`<circle class="ring" r=${r} />`)}
        ${points.filter(({ row }) => row.way === "direct").map(({ row, x, y }) => html`
          <line class=${row.in_mesh ? "edge mesh" : "edge"} x1="0" y1="0" x2=${x} y2=${y} />
        `)}
        <circle class="middle" r="11" />
        <text class="halo" y="27" text-anchor="middle">this node</text>
        ${points.map((point) => html`<${Point} ...${point} words=${points.length <= 12} />`)}
      </svg>
      <figcaption class="muted">
        <${Legend} rings=${rings} labelled=${points.some(({ label }) => label)} />
      </figcaption>
    </figure>
  `;
}

function Point({ row, x, y, r, label, words }) {
  const trip = row.round_trip_ms === null ? WAYS[row.way] : tripWords(row.round_trip_ms);
  const title = [row.key, WAYS[row.way], rolesWords(row), row.way === "direct" && trip].filter(Boolean).join(" · ");
  // The table has the links for keyboards; here a click is a shortcut.
  const open = () => (location.hash = nodeHref(row.key));
  return html`
    <g class="point" onClick=${open}>
      <title>${title}</title>
      <${Shape} kind=${shapeOf(row)} x=${x} y=${y} r=${r} fill=${colourOf(lookOf(row.key).hue)} />
      ${label && html`
        <text class="mono halo" text-anchor=${label.anchor} dominant-baseline=${label.turn ? "central" : null}
          transform=${`translate(${label.x} ${label.y}) rotate(${label.turn})`}>${shortKey(row.key)}</text>
      `}
      ${label && words && !label.turn && html`
        <text class="small halo" text-anchor="middle" x=${label.x} y=${label.y + 13}>${trip}</text>
      `}
    </g>
  `;
}

function Shape({ kind, x, y, r, fill }) {
  if (kind === "square") return html`<rect x=${x - r} y=${y - r} width=${2 * r} height=${2 * r} fill=${fill} />`;
  if (kind === "triangle") {
    const points = [[0, -1.15], [1.1, 0.9], [-1.1, 0.9]].map(([dx, dy]) => `${x + dx * r},${y + dy * r}`).join(" ");
    return html`<polygon points=${points} fill=${fill} />`;
  }
  if (kind === "ring") return html`<circle class="hollow" cx=${x} cy=${y} r=${r - 1} stroke=${fill} />`;
  return html`<circle cx=${x} cy=${y} r=${r} fill=${fill} />`;
}

function Legend({ rings, labelled }) {
  const shapes = [
    ["circle", "answers and judges"],
    ["square", "answers only"],
    ["triangle", "judges only"],
    ["ring", "offers nothing now"],
  ];
  const ends = rings.map(({ words }) => words).join("; ");
  return html`
    <ul class="legend">
      ${shapes.map(([kind, words]) => html`
        <li>
          <svg viewBox="-10 -10 20 20" aria-hidden="true">
            <${Shape} kind=${kind} x=${0} y=${0} r=${7} fill="currentColor" />
          </svg>
          ${words}
        </li>
      `)}
      <li>
        <svg viewBox="-10 -10 20 20" aria-hidden="true"><line class="edge mesh" x1="-9" x2="9" y1="0" y2="0" /></svg>
        connection that gets gossip at once
      </li>
      <li>
        <svg viewBox="-10 -10 20 20" aria-hidden="true"><line class="edge" x1="-9" x2="9" y1="0" y2="0" /></svg>
        connection
      </li>
    </ul>
    <p>
      ${rings.length > 0 && `${rings.length === 1 ? "The ring" : "Rings from the middle"}: ${ends}. `}
      Connections between other nodes are not known here, so none is drawn.
      ${!labelled && rings.length > 0 && " Tap a mark for its node."}
    </p>
  `;
}
