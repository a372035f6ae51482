/** Any two answers side by side, line by line, with the words that differ; in one column where there is little room. */

import { useMemo } from "preact/hooks";
import { Choice } from "strand/parts/choice.js";
import { html } from "strand/parts/html.js";
import { useMedia } from "strand/parts/media.js";
import { diffRows, LINES_MAX, unified } from "strand/state/diffs.js";
import { count } from "strand/state/format.js";
import { visible } from "strand/state/text.js";

const NARROW = "(max-width: 48rem)";

/** What stands at a line's begin, and the word for it. */
const MARKS = { removed: "− ", added: "+ ", "": "" };

/** The same, from the sign of one column. */
const SIGNS = { "−": "removed", "+": "added", " ": "" };

/**
 * @param {{answers: Object[], pair: number[], onPair: (pair: number[]) => void}} props `answers` as `rankedAnswers`
 *   tells them; `pair`: the numbers of the two
 */
export function Compare({ answers, pair, onPair }) {
  const [left, right] = pair;
  const texts = pair.map((number) => answers.find((each) => each.number === number)?.text ?? null);
  const isNarrow = useMedia(NARROW);
  const options = optionsOf(answers);
  const chooseLeft = (number) => onPair([number, right]);
  const chooseRight = (number) => onPair([left, number]);
  return html`
    <section class="panel" id="compare" tabindex="-1" aria-labelledby="compare-title">
      <h2 id="compare-title">Two answers side by side</h2>
      <div class="row">
        <${Choice} label="Left" value=${left} options=${options} inRow onChoose=${chooseLeft} />
        <button type="button" onClick=${() => onPair([right, left])}><span aria-hidden="true">⇄ </span>Swap</button>
        <${Choice} label="Right" value=${right} options=${options} inRow onChoose=${chooseRight} />
      </div>
      ${texts.includes(null)
        ? html`<p class="muted">Their texts are being fetched.</p>`
        : html`<${Diff} left=${texts[0]} right=${texts[1]} names=${pair.map(nameOf)} narrow=${isNarrow} />`}
    </section>
  `;
}

function nameOf(number) {
  return `#${number + 1}`;
}

/** The answers to choose from; those that are ranked with their places. */
function optionsOf(answers) {
  return answers.map(({ number, strength }, place) => {
    const where = strength === null ? "" : ` (place ${place + 1})`;
    return [number, `${nameOf(number)}${where}`];
  });
}

/**
 * @param {{left: string, right: string, names: string[], narrow: boolean}} props
 */
function Diff({ left, right, names, narrow }) {
  const { rows, is_cut } = useMemo(() => diffRows(visible(left), visible(right)), [left, right]);
  const changes = rows.filter(({ kind }) => kind !== "same").length;
  const words = `${count(changes, "line differs", "lines differ")}, ${rows.length - changes} are equal.`;
  return html`
    <p class="muted" role="status">
      ${changes ? words : "Both texts are equal."}
      ${is_cut && ` Only the first ${LINES_MAX} lines are compared.`}
    </p>
    ${narrow ? html`<${OneColumn} rows=${rows} names=${names} />` : html`<${TwoColumns} rows=${rows} names=${names} />`}
  `;
}

function TwoColumns({ rows, names }) {
  return html`
    <table class="diff two">
      <thead>
        <tr>
          <th scope="col"><span class="spoken">line</span></th><th scope="col">${names[0]}</th>
          <th scope="col"><span class="spoken">line</span></th><th scope="col">${names[1]}</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ kind, left, right }) => html`
            <tr>
              <${SideCells} side=${left} tone=${left && kind !== "same" ? "removed" : ""} />
              <${SideCells} side=${right} tone=${right && kind !== "same" ? "added" : ""} />
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

function SideCells({ side, tone }) {
  if (!side) return html`<td class="diff-line no-line"></td><td class="no-line"></td>`;
  return html`
    <td class=${`diff-line ${tone}`}><span aria-hidden="true">${MARKS[tone]}</span>${side.line}</td>
    <td class=${tone}><${Marked} parts=${side.parts} tone=${tone} /></td>
  `;
}

function OneColumn({ rows, names }) {
  return html`
    <table class="diff">
      <thead>
        <tr>
          <th scope="col">${names[0]}</th><th scope="col">${names[1]}</th>
          <th scope="col"><span class="spoken">text</span></th>
        </tr>
      </thead>
      <tbody>
        ${unified(rows).map(({ sign, left, right, parts }) => {
          const tone = SIGNS[sign];
          return html`
            <tr>
              <td class=${`diff-line ${tone}`}>${left}</td><td class=${`diff-line ${tone}`}>${right}</td>
              <td class=${tone}><span aria-hidden="true">${sign} </span><${Marked} parts=${parts} tone=${tone} /></td>
            </tr>
          `;
        })}
      </tbody>
    </table>
  `;
}

/** A line's text. Whoever does not see colours hears or sees the marks of words as such. */
function Marked({ parts, tone }) {
  const element = tone === "removed" ? "del" : "ins";
  const drawn = parts.map(({ text, marked }) => (marked ? html`<${element}>${text}<//>` : text));
  return html`<code>${drawn}</code>`;
}
