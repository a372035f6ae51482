/** A choice of one among a few, with its label. */

import { useId } from "preact/hooks";
import { html } from "strand/parts/html.js";

/**
 * @template {string | number} T
 * @param {{label: string, value: T, options: [T, string][], hint?: string, inRow?: boolean,
 *   onChoose: (value: T) => void}} props `options`: values with their words; `hint`: what the chosen one means;
 *   `inRow`: the label stands beside the choice, not above it
 */
export function Choice({ label, value, options, hint, inRow = false, onChoose }) {
  const id = useId();
  return html`
    <div class=${inRow ? "row" : "field"}>
      <label for=${id}>${label}</label>
      <select id=${id} value=${String(value)} aria-describedby=${hint ? `${id}-hint` : null}
        onChange=${(event) => onChoose(options[event.currentTarget.selectedIndex][0])}>
        ${options.map(([each, words]) => html`<option key=${each} value=${String(each)}>${words}</option>`)}
      </select>
      ${hint && html`<span id=${`${id}-hint`} class="hint">${hint}</span>`}
    </div>
  `;
}
