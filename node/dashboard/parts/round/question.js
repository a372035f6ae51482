/** The question: who says what, and what was asked for. */

import { useState } from "preact/hooks";
import { Body } from "strand/parts/round/body.js";
import { html } from "strand/parts/html.js";
import { count } from "strand/state/format.js";

/** Lines of a turn that are shown at first. */
const TURN_LINES = 6;

/** Turns that are shown at first: the last ones. */
const TURNS_SHOWN = 1;

/**
 * @param {{asked: Object | null}} props
 */
export function Question({ asked }) {
  const [isWhole, setWhole] = useState(false);
  const turns = asked?.turns ?? [];
  if (!turns.length) {
    const why = asked ? "The certificate of a private question holds its digest, not its text." : "";
    return why && html`<p class="muted">${why}</p>`;
  }
  const hidden = isWhole ? 0 : Math.max(0, turns.length - TURNS_SHOWN);
  return html`
    <div class="turns">
      ${turns.length > TURNS_SHOWN &&
      html`<button type="button" class="small" aria-expanded=${isWhole} onClick=${() => setWhole(!isWhole)}>
        ${isWhole ? "Show the last turn alone" : `Show ${count(hidden, "earlier turn")}`}
      </button>`}
      ${turns.slice(hidden).map(
        ({ role, text }, index) => html`
          <div class="turn" key=${hidden + index}>
            ${turns.length > 1 && html`<span class="muted">${role}</span>`}
            <${Body} text=${text} lines=${TURN_LINES} />
          </div>
        `,
      )}
    </div>
  `;
}
