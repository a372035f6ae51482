/** A table whose columns sort it. */

import { html } from "strand/parts/html.js";

/**
 * @typedef {Object} Column
 * @property {string} id
 * @property {string} title
 * @property {(row: any) => any} cell what the cell holds
 * @property {boolean} [number] whether it holds numbers
 * @property {string} [hint] what the column says
 */

/**
 * @param {{caption: string, columns: Column[], rows: any[], order: {column: string, descending: boolean},
 *   onOrder: (order: {column: string, descending: boolean}) => void}} props rows come in their order, each with `key`
 */
export function SortableTable({ caption, columns, rows, order, onOrder }) {
  const head = ({ id, title, number, hint }) => {
    const isOrder = order.column === id;
    const word = order.descending ? "descending" : "ascending";
    const next = { column: id, descending: isOrder && !order.descending };
    return html`
      <th scope="col" class=${number ? "number" : ""} aria-sort=${isOrder ? word : null}>
        <button type="button" class="sort" title=${hint} onClick=${() => onOrder(next)}>
          ${title} <span aria-hidden="true">${isOrder ? (order.descending ? "▼" : "▲") : "↕"}</span>
        </button>
      </th>
    `;
  };
  // The first cell of a row names it.
  const cell = ({ cell, number }, row, place) =>
    place === 0
      ? html`<th scope="row">${cell(row)}</th>`
      : html`<td class=${number ? "number" : ""}>${cell(row)}</td>`;
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
      <table class="sortable">
        <caption class="spoken">${caption}</caption>
        <thead><tr>${columns.map(head)}</tr></thead>
        <tbody>
          ${rows.map((row) => html`<tr key=${row.key}>${columns.map((each, place) => cell(each, row, place))}</tr>`)}
        </tbody>
      </table>
    </div>
  `;
}
