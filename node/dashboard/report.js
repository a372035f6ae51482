/** Starts the rounds of a simulator's report: one file, whose replays stand in elements of their own. */

import { render } from "preact";
import { html } from "strand/parts/html.js";
import { Replay } from "strand/parts/round/replay.js";
import { oneLine } from "strand/state/text.js";

/** Most characters of a fact's text. */
const FACT_CHARS_MAX = 300;

const report = document.getElementById("report");
const opened = document.getElementById("opened");
const title = document.title;
const count = document.querySelectorAll('script[type="application/json"]').length;

let shown = null;

addEventListener("hashchange", show);
show();

/** Show the round that the address names, or else the report. */
function show() {
  const number = numberIn(location.hash);
  const before = shown;
  if (number === before) return;
  shown = number;
  report.hidden = number !== null;
  opened.hidden = number === null;
  render(number === null ? null : html`<${OpenedRound} key=${number} number=${number} />`, opened);
  document.title = number === null ? title : `${dataOf(number).title} · ${title}`;
  // Whoever comes back stands where the round was chosen.
  const place = number === null ? report.querySelector(`a[href="${addressOf(before)}"]`) : opened;
  if (number !== null) scrollTo(0, 0);
  (place ?? report).focus();
}

/** The round's number in a hash, or null for anything else. */
function numberIn(hash) {
  const found = /^#\/round\/(\d{1,6})$/.exec(hash);
  return found && Number(found[1]) < count ? Number(found[1]) : null;
}

function addressOf(number) {
  return `#/round/${number}`;
}

function dataOf(number) {
  return JSON.parse(document.getElementById(`round-${number}`).textContent);
}

function OpenedRound({ number }) {
  const { title: name, facts, start_ms, replay } = dataOf(number);
  return html`
    <nav class="row" aria-label="Rounds of the report">
      <a href="#/">Back to the report</a>
      ${number > 0 && html`<a href=${addressOf(number - 1)}>Previous round</a>`}
      ${number + 1 < count && html`<a href=${addressOf(number + 1)}>Next round</a>`}
    </nav>
    <h1>${name}</h1>
    <section class="panel known" aria-labelledby="known-title">
      <h2 id="known-title">Known to the simulator alone</h2>
      <dl>
        ${facts.map(([fact, text]) => html`<dt>${fact}</dt><dd>${oneLine(text, FACT_CHARS_MAX)}</dd>`)}
      </dl>
    </section>
    <${Replay} replay=${replay} startMs=${start_ms} />
  `;
}
