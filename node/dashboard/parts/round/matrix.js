/** The matrix of pairs: who beats whom, how surely, and by how many judgements. */

import { useMemo, useRef, useState } from "preact/hooks";
import { Fold } from "strand/parts/fold.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { percent } from "strand/state/format.js";
import { cellSize, cellsOf, cellWords, pathsOf, SHADES } from "strand/state/matrix.js";

/** Width in px that the cells share. */
const ROOM = 512;

/** Room in px for the names of rows and columns. */
const MARGIN = 44;

/** Least size in px of a cell that has room for numbers, and for the name of its row. */
const NUMBERED = 32;
const NAMED = 16;

/** Least size in px of a cell that has room for the number of abstentions, too. */
const SPACIOUS = 44;

/** Judgements of a pair that are listed. */
const LISTED_MAX = 12;

/** Key -> how it moves the choice: rows down, columns to the right. */
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * @param {{round: import("../state/round.js").Round, order: number[], onCompare: (pair: number[]) => void}} props
 *   `order`: numbers of the answers that are ranked, or opened, in the order of rows
 */
export function Matrix({ round, order, onCompare }) {
  const [pointed, setPointed] = useState(null);
  const [chosen, setChosen] = useState(null);
  const names = order.join();
  const cells = useMemo(() => cellsOf(round, order), [round.ballots, names]);
  if (!cells.length) return null;
  const at = place(pointed, order) ?? place(chosen, order);
  const cell = at && cells.find((each) => each.row === at.row && each.column === at.column);
  const judged = new Set(cells.map(({ pair }) => pair)).size;
  const all = (order.length * (order.length - 1)) / 2;
  return html`
    <section class="panel" aria-labelledby="matrix-title">
      <div class="row">
        <h2 id="matrix-title">Pairs</h2>
        <span class="muted">${judged} of ${all} compared</span>
      </div>
      <div class="pairs-parts">
        <${Grid} cells=${cells} order=${order} at=${at} onPoint=${setPointed} onChoose=${setChosen} />
        <${Detail} cell=${cell} at=${at} order=${order} onCompare=${onCompare} />
      </div>
      <${Legend} isDense=${cellSize(order.length, ROOM) < NUMBERED} />
      <${Fold} summary="The pairs as a list">${() => html`<${PairList} cells=${cells} order=${order} />`}<//>
    </section>
  `;
}

/** The place of a choice, which is kept as numbers of answers, so that it stays with them when the order changes. */
function place(choice, order) {
  if (!choice) return null;
  const [row, column] = [order.indexOf(choice[0]), order.indexOf(choice[1])];
  return row < 0 || column < 0 || row === column ? null : { row, column };
}

function Grid({ cells, order, at, onPoint, onChoose }) {
  const svg = useRef(null);
  const size = cellSize(order.length, ROOM);
  const side = size * order.length;
  const under = ({ clientX, clientY }) => {
    const box = svg.current.getBoundingClientRect();
    const [column, row] = [clientX - box.left, clientY - box.top].map((each) => Math.floor((each - MARGIN) / size));
    const inside = [row, column].every((each) => each >= 0 && each < order.length);
    return inside && row !== column ? [order[row], order[column]] : null;
  };
  const step = (event) => {
    const move = MOVES[event.key];
    if (!move || order.length < 2) return;
    event.preventDefault();
    event.stopPropagation();
    onPoint(null);
    onChoose(moved(at, move, order));
  };
  // Everything but the frame around a pair is drawn anew only when ballots or the order change.
  const drawn = useMemo(() => html`<${Cells} cells=${cells} order=${order} size=${size} />`, [cells]);
  return html`
    <div
      class="scroll matrix-scroll"
      tabindex="0"
      role="group"
      aria-label="Pairs: arrow keys choose one"
      aria-describedby="pair-detail"
      onKeyDown=${step}
    >
      <svg
        ref=${svg}
        class=${`matrix ${size < NUMBERED ? "dense" : ""}`}
        role="img"
        aria-label=${`Matrix of pairs of ${order.length} answers`}
        width=${side + MARGIN}
        height=${side + MARGIN}
        onPointerMove=${(event) => onPoint(under(event))}
        onPointerLeave=${() => onPoint(null)}
        onClick=${(event) => onChoose(under(event))}
      >
        ${drawn}
        ${at && html`<${Frame} at=${at} size=${size} side=${side} />`}
      </svg>
    </div>
  `;
}

/** The next pair in a direction; the diagonal, on which no pair lies, is stepped over. */
function moved(at, [down, right], order) {
  if (!at) return [order[0], order[1]];
  const last = order.length - 1;
  const step = (from) => ({
    row: Math.min(last, Math.max(0, from.row + down)),
    column: Math.min(last, Math.max(0, from.column + right)),
  });
  let next = step(at);
  if (next.row === next.column) next = step(next);
  return next.row === next.column ? [order[at.row], order[at.column]] : [order[next.row], order[next.column]];
}

function Cells({ cells, order, size }) {
  const every = size >= NAMED ? 1 : 8;
  const middle = (index) => MARGIN + index * size + size / 2;
  // Names of columns need more room than those of rows.
  const hasNames = size >= NUMBERED || every > 1;
  return html`
    <g transform=${`translate(${MARGIN} ${MARGIN})`}>
      <rect class="ground" width=${size * order.length} height=${size * order.length} />
      ${pathsOf(cells, size).map(({ shade, path }) => html`<path class=${`shade-${shade}`} d=${path} />`)}
      <path class="diagonal" d=${`M0 0L${size * order.length} ${size * order.length}`} />
      ${size >= NUMBERED && cells.map((cell) => html`<${Numbers} cell=${cell} size=${size} />`)}
    </g>
    ${order.map(
      (number, index) =>
        index % every === 0 &&
        html`
          <text class="cell-name" x=${MARGIN - 6} y=${middle(index)} text-anchor="end">#${number + 1}</text>
          ${hasNames && html`<text class="cell-name above" x=${middle(index)} y=${MARGIN - 10}>#${number + 1}</text>`}
        `,
    )}
  `;
}

function Numbers({ cell: { row, column, share, count, abstained }, size }) {
  const [x, y] = [column * size + size / 2, row * size + size / 2];
  if (share === null) return html`<text class="cell-count" x=${x} y=${y}>∅${abstained}</text>`;
  const without = abstained ? (size < SPACIOUS ? "∅" : ` ∅${abstained}`) : "";
  return html`
    <text class="cell-share" x=${x} y=${y - size / 8}>${Math.round(100 * share)}</text>
    <text class="cell-count" x=${x} y=${y + size / 4}>×${count}${without}</text>
  `;
}

function Frame({ at: { row, column }, size, side }) {
  const [x, y] = [MARGIN + column * size, MARGIN + row * size];
  return html`
    <path class="cross" d=${`M${MARGIN} ${y}h${side}m0 ${size}h${-side}M${x} ${MARGIN}v${side}m${size} 0v${-side}`} />
    <rect class="frame" x=${x} y=${y} width=${size} height=${size} />
  `;
}

function Legend({ isDense }) {
  const shades = Array.from({ length: SHADES }, (_, shade) => shade);
  return html`
    <p class="row muted pairs-legend">
      <span>the row loses</span>
      <svg class=${`matrix ${isDense ? "dense" : ""}`} width=${SHADES * 14} height="14" aria-hidden="true">
        ${shades.map((shade) => html`<rect class=${`shade-${shade}`} x=${shade * 14} width="14" height="14" />`)}
      </svg>
      <span>the row wins</span>
      ${!isDense && html`<span>% preferred, × judgements, ∅ abstentions</span>`}
    </p>
  `;
}

function Detail({ cell, at, order, onCompare }) {
  const [row, column] = at ? [order[at.row], order[at.column]] : [];
  const name = (number) => `#${number + 1}`;
  return html`
    <div class="pair-detail" id="pair-detail">
      ${!at && html`<p class="muted">Point at a pair, or choose it with the arrow keys, to see its judgements.</p>`}
      ${at &&
      html`
        <div class="row">
          <p role="status">${cellWords(cell, name(row), name(column))}</p>
          <button type="button" onClick=${() => onCompare([row, column])}>
            <span aria-hidden="true">⇄ </span>Compare ${name(row)} and ${name(column)}
          </button>
        </div>
      `}
      ${cell && html`<${Judgements} pair=${cell.pair} row=${row} column=${column} />`}
    </div>
  `;
}

function Judgements({ pair: { low, judgements }, row, column }) {
  const forRow = (preference) => (row === low ? preference : 1 - preference);
  const words = (preference) => {
    if (preference === null) return "abstained";
    const share = forRow(preference);
    if (share === 0.5) return "finds both alike";
    const [better, sure] = share > 0.5 ? [row, share] : [column, 1 - share];
    return `prefers #${better + 1} with ${percent(sure)}`;
  };
  return html`
    <ul class="judgements">
      ${judgements.slice(0, LISTED_MAX).map(
        ({ judge, wave, preference }) => html`
          <li key=${`${judge} ${wave}`}>
            <${Key} value=${judge} /> ${words(preference)}<span class="muted">, wave ${wave + 1}</span>
          </li>
        `,
      )}
      ${judgements.length > LISTED_MAX && html`<li class="muted">and ${judgements.length - LISTED_MAX} more</li>`}
    </ul>
  `;
}

/** The same as text. */
function PairList({ cells, order }) {
  const name = (place) => `#${order[place] + 1}`;
  const rows = cells.filter(({ row, column }) => row < column);
  return html`
    <ul class="pair-list" tabindex="0" aria-label="Pairs">
      ${rows.map((cell) => html`<li>${cellWords(cell, name(cell.row), name(cell.column))}</li>`)}
    </ul>
  `;
}
