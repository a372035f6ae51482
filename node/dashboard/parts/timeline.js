/** What a node did in its latest rounds, as a small chart and as a table with links. */

import { Badge } from "strand/parts/badge.js";
import { html } from "strand/parts/html.js";
import { moment, shortKey } from "strand/state/format.js";
import { chart, chartWords, deeds, LANES } from "strand/state/record.js";
import { roundHref } from "strand/state/route.js";
import { taskWords } from "strand/state/words.js";

/** Room for the words on the left, in the chart's units. */
const WORDS = 74;

/**
 * @param {{rounds: Object[], complete: boolean}} props as of /api/reputation/{key}
 */
export function Timeline({ rounds, complete }) {
  return html`
    <p>${chartWords(rounds)} ${!complete && "Older rounds are not looked at."}</p>
    <${Chart} rounds=${rounds} />
    <${RoundsTable} rounds=${rounds} />
  `;
}

function Chart({ rounds }) {
  const { width, columns } = chart(rounds);
  const foot = LANES.answers + LANES.gap + LANES.judged;
  const height = foot + 16;
  const ends = [columns[0], columns[columns.length - 1]].map(({ round }) => moment(round.asked_ms).slice(0, 16));
  return html`
    <figure class="scroll timeline" tabindex="0" role="region" aria-label="Chart of its rounds">
      <svg viewBox=${`${-WORDS} -6 ${width + WORDS + 6} ${height + 8}`} width=${1.5 * (width + WORDS + 6)} role="img"
        aria-label=${`${chartWords(rounds)} The table below has each round.`}>
        <text x=${-WORDS} y="8">first place</text>
        <text x=${-WORDS} y=${LANES.answers}>last place</text>
        <text x=${-WORDS} y=${foot}>pairs judged</text>
        <line class="axis" x1="0" x2=${width} y1=${LANES.answers + 6} y2=${LANES.answers + 6} />
        <line class="axis" x1="0" x2=${width} y1=${foot} y2=${foot} />
        ${columns.map((column) => html`<${Column} ...${column} foot=${foot} />`)}
      </svg>
      <figcaption class="muted small">
        Oldest on the left: ${ends[0]} to ${ends[1]}. ★ won, ● agreed with the winner, ○ another answer, – none that
        was ranked, ✕ broke a rule; ∅ judged nothing though it should have.
      </figcaption>
    </figure>
  `;
}

const MARKS = {
  won: ["★", "good"],
  like: ["●", "good"],
  other: ["○", "warn"],
  bad: ["✕", "bad"],
  none: ["–", ""],
};

function Column({ round, x, y, mark, bar, foot }) {
  const [glyph, tone] = MARKS[mark];
  const { answer, judged } = deeds(round);
  return html`
    <g>
      <title>${`${moment(round.asked_ms)} · answer: ${answer} · judged: ${judged}`}</title>
      <text class=${`mark ${tone}`} x=${x} y=${y === null ? LANES.answers - 4 : y} text-anchor="middle"
        dominant-baseline="central">${glyph}</text>
      ${bar > 0 && html`<rect class="bar-judged" x=${x - 5} y=${foot - bar} width="10" height=${bar} />`}
      ${round.silent_judge && html`<text class="mark warn" x=${x} y=${foot - 8} text-anchor="middle">∅</text>`}
    </g>
  `;
}

function RoundsTable({ rounds }) {
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Its latest rounds">
      <table>
        <caption class="spoken">Its latest rounds, those stored last first</caption>
        <thead>
          <tr>
            <th scope="col">Round</th><th scope="col">Asked</th><th scope="col">Task</th><th scope="col">Outcome</th>
            <th scope="col">Its answer</th><th scope="col">Judged</th><th scope="col">Tested</th>
          </tr>
        </thead>
        <tbody>${rounds.map((round) => html`<${RoundRow} key=${round.query_id} round=${round} />`)}</tbody>
      </table>
    </div>
  `;
}

function RoundRow({ round }) {
  const { answer, judged, tested, tone } = deeds(round);
  return html`
    <tr>
      <th scope="row"><a href=${roundHref(round.query_id)} class="mono" title=${round.query_id}>
        ${shortKey(round.query_id)}
      </a>${!round.ours && html` <span class="muted small">asked elsewhere</span>`}</th>
      <td>${moment(round.asked_ms)}</td>
      <td>${taskWords(round.task)}</td>
      <td>${round.outcome}</td>
      <td>${tone ? html`<${Badge} tone=${tone} words=${answer} wraps />` : answer}</td>
      <td>${judged}</td>
      <td>${tested}</td>
    </tr>
  `;
}
