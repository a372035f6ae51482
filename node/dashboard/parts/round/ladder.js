/** The ladder: answers by strength, each with the range that its strength probably has, moving wave by wave. */

import { useState } from "preact/hooks";
import { Fold } from "strand/parts/fold.js";
import { html } from "strand/parts/html.js";
import { Swatch } from "strand/parts/key.js";
import { percent, shortKey } from "strand/state/format.js";
import { ladderOf } from "strand/state/ladder.js";

/** Rungs that are shown at full height; of more, at first these many, closer together. */
const ROOMY_MAX = 20;

/** Heights of a rung, px. */
const HEIGHT = 32;
const DENSE_HEIGHT = 22;

/**
 * @param {{round: import("../state/round.js").Round}} props
 */
export function Ladder({ round }) {
  const [isWhole, setWhole] = useState(false);
  const ladder = ladderOf(round);
  if (!ladder) return html`<${NoLadder} />`;
  const { wave, rungs } = ladder;
  const isDense = rungs.length > ROOMY_MAX;
  const height = isDense ? DENSE_HEIGHT : HEIGHT;
  const shown = isWhole ? rungs.length : Math.min(ROOMY_MAX, rungs.length);
  const hasIntervals = rungs.some((each) => each.low !== null);
  const spoken = rungs.slice(0, 3).map(({ number, p_best }) => `answer ${number + 1} with P(best) ${percent(p_best)}`);
  // The rungs stay in the order of their numbers, so that each one moves instead of being drawn anew.
  const still = rungs.slice(0, shown).sort((a, b) => a.number - b.number);
  return html`
    <section class="panel" aria-labelledby="ladder-title">
      <div class="row">
        <h2 id="ladder-title">Ladder</h2>
        <span class="muted">after wave ${wave + 1}</span>
      </div>
      <div class="rung head muted" aria-hidden="true">
        <span></span><span>answer</span><span>strength</span><span>P(best)</span>
      </div>
      <div
        class=${`ladder ${isDense ? "dense" : ""}`}
        role="img"
        aria-label=${`Ladder after wave ${wave + 1}: ${spoken.join(", ")}`}
        style=${{ height: `${height * shown}px` }}
      >
        ${still.map((rung) => html`<${RungRow} key=${rung.number} rung=${rung} height=${height} />`)}
      </div>
      ${isDense &&
      html`<div><button type="button" aria-expanded=${isWhole} onClick=${() => setWhole(!isWhole)}>
        ${isWhole ? `Show the first ${ROOMY_MAX}` : `Show all ${rungs.length} places`}
      </button></div>`}
      <p class="muted">
        A dot is an answer's strength (log-odds; only differences count)${hasIntervals &&
        ", its line the range that holds nine tenths of what is probable"}. Faint dots are earlier waves.
      </p>
      <${Fold} summary="The ladder as a table">${() => html`<${LadderTable} rungs=${rungs} />`}<//>
    </section>
  `;
}

function NoLadder() {
  return html`
    <section class="panel" aria-labelledby="ladder-title">
      <h2 id="ladder-title">Ladder</h2>
      <p class="muted">It stands once the ballots of the first wave are counted.</p>
    </section>
  `;
}

function RungRow({ rung, height }) {
  const { number, author, place, moved, at, low, high, before, p_best } = rung;
  const middle = height / 2;
  const x = (share) => `${(100 * share).toFixed(2)}%`;
  const style = { height: `${height}px`, transform: `translateY(${place * height}px)` };
  const move = moved ? `${moved > 0 ? "▲" : "▼"}${Math.abs(moved)}` : "";
  return html`
    <div class=${`rung ${place === 0 ? "first" : ""}`} style=${style}>
      <span class="number">${place + 1}.</span>
      <span class="rung-name">
        <${Swatch} value=${author} /> #${number + 1}
        <span class="mono muted rung-key"> ${shortKey(author)}</span>
        ${move && html`<span class=${moved > 0 ? "up" : "down"}> ${move}</span>`}
      </span>
      <svg class="rung-plot" height=${height} width="100%">
        ${low !== null && html`<line class="range" x1=${x(low)} x2=${x(high)} y1=${middle} y2=${middle} />`}
        ${before.map((each) => html`<circle class="past" cx=${x(each)} cy=${middle} r="3" />`)}
        <circle class="dot" cx=${x(at)} cy=${middle} r=${height > DENSE_HEIGHT ? 6 : 4} />
      </svg>
      <span class="rung-best">
        <span class="bar-track"><span class="bar-fill" style=${{ width: `${100 * p_best}%` }}></span></span>
        <span class="number">${percent(p_best)}</span>
      </span>
    </div>
  `;
}

function LadderTable({ rungs }) {
  return html`
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Place</th><th scope="col">Answer</th><th scope="col" class="number">Strength</th>
            <th scope="col" class="number">P(best)</th><th scope="col" class="number">Moved</th>
          </tr>
        </thead>
        <tbody>
          ${rungs.map(
            ({ number, place, strength, p_best, moved }) => html`
              <tr key=${number}>
                <td>${place + 1}</td>
                <th scope="row">#${number + 1}</th>
                <td class="number">${strength.toFixed(2)}</td>
                <td class="number">${percent(p_best)}</td>
                <td class="number">${moved > 0 ? `${moved} up` : moved < 0 ? `${-moved} down` : "–"}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
