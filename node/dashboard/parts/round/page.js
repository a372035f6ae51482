/** A round, whatever it comes from: its question, course, outcome, ladder, pairs, answers and members. */

import { useMemo, useState } from "preact/hooks";
import { Answers } from "strand/parts/round/answers.js";
import { Badge } from "strand/parts/badge.js";
import { Course } from "strand/parts/round/course.js";
import { Compare } from "strand/parts/diff.js";
import { Unfolded } from "strand/parts/fold.js";
import { html } from "strand/parts/html.js";
import { Looks } from "strand/parts/key.js";
import { Ladder } from "strand/parts/round/ladder.js";
import { Matrix } from "strand/parts/round/matrix.js";
import { Members } from "strand/parts/round/members.js";
import { Outcome } from "strand/parts/round/outcome.js";
import { Question } from "strand/parts/round/question.js";
import { Work } from "strand/parts/round/work.js";
import { isOver, rankedAnswers, stateWords } from "strand/state/derived.js";
import { duration, moment } from "strand/state/format.js";
import { looksOf } from "strand/state/looks.js";
import { outcomeBadge } from "strand/state/outcome.js";
import { audienceWords, taskWords } from "strand/state/words.js";

/**
 * @param {{round: import("../state/round.js").Round, live?: boolean, tools?: any, startMs?: number}} props `live`:
 *   events still come; `tools`: what the host can do with the certificate; `startMs`: start of the simulated world in
 *   which it was asked
 */
export function Round({ round, live = false, tools = null, startMs = null }) {
  const [chosen, setChosen] = useState(null);
  const { asked, joined, phases, reports, settled, ballots, strengths, decided, texts, work } = round;
  const answers = useMemo(() => rankedAnswers(round), [round.answers, strengths, settled, decided, texts]);
  const order = useMemo(() => orderOf(answers, strengths), [answers]);
  const isKnown = chosen?.every((number) => answers.some((each) => each.number === number));
  const pair = isKnown ? chosen : answers.slice(0, 2).map((each) => each.number);
  const show = (numbers) => {
    setChosen(numbers);
    document.getElementById("compare")?.focus();
  };
  // One answer more: it takes the left place, and the best of the others stands beside it.
  const showOne = (number) => show([number, answers.find((each) => each.number !== number).number]);
  // An event changes little; whatever does not show it is not drawn anew, so that large rounds keep up.
  const ladder = useMemo(() => html`<${Ladder} round=${round} />`, [strengths]);
  const pairs = useMemo(() => html`<${Matrix} round=${round} order=${order} onCompare=${show} />`, [ballots, order]);
  const cards = useMemo(
    () => html`<${Answers} round=${round} answers=${answers} chosen=${isKnown ? pair : []} onCompare=${showOne} />`,
    [answers, isKnown, pair.join()],
  );
  const compare = useMemo(
    () => html`<${Compare} answers=${answers} pair=${pair} onPair=${setChosen} />`,
    [answers, pair.join()],
  );
  const members = useMemo(
    () => html`<${Members} round=${round} />`,
    [asked, phases, reports, ballots, round.answers, isOver(round)],
  );
  // The roster is known as a whole or not at all: where it arrives late, looks change once, and then no more.
  const looks = useMemo(() => looksOf(asked?.members ?? []), [asked]);
  const unfolded = useMemo(() => new Map(), []);
  return html`<${Looks.Provider} value=${looks}><${Unfolded.Provider} value=${unfolded}>
    <${Head} round=${round} startMs=${startMs} />
    ${(asked || phases.length > 0) && html`<${Course} round=${round} live=${live} />`}
    ${(joined || work.length > 0) && !asked && !phases.length && html`<${Elsewhere} isPast=${isOver(round)} />`}
    <${Outcome} round=${round} tools=${tools} />
    ${(strengths.length > 0 || ballots.length > 0) && html`<div class="halves">${ladder}${pairs}</div>`}
    ${answers.length > 0 && cards}
    ${answers.length > 1 && compare}
    ${asked && members}
    ${work.length > 0 && html`<${Work} work=${work} />`}
  <//><//>`;
}

/** Numbers of the answers in the order of the ladder; those that were set aside have no place. */
function orderOf(answers, strengths) {
  return answers.filter(({ strength }) => strength !== null || !strengths.length).map((each) => each.number);
}

/** A member learns little of a round before its certificate. */
function Elsewhere({ isPast }) {
  const who = `Another node ${isPast ? "asked" : "asks"} this.`;
  return html`<p class="notice">${who} Its course is known here once its certificate is.</p>`;
}

function Head({ round, startMs }) {
  const { asked, decided } = round;
  const isSimulated = startMs !== null;
  const look = decided && isOver(round) ? outcomeBadge(decided.outcome) : null;
  return html`
    <section class="panel" aria-labelledby="question-title">
      <div class="row">
        <h2 id="question-title">Question</h2>
        <${Badge} ...${look ?? { glyph: isOver(round) ? "" : "●", words: stateWords(round) }} />
        ${asked?.task && html`<${Badge} words=${taskWords(asked.task)} />`}
        ${isSimulated
          ? html`<${Badge} words="simulated" />`
          : asked?.audience && html`<${Badge} words=${audienceWords(asked.audience)} />`}
        ${asked?.gold && html`<${Badge} words="gold: the node knows the right answer" />`}
        ${asked?.asked_ms > 0 &&
        html`<span class="end muted">
          ${isSimulated ? `asked ${duration(asked.asked_ms - startMs)} after the start` : moment(asked.asked_ms)}
        </span>`}
      </div>
      <${Question} asked=${asked} />
    </section>
  `;
}
