/** A round, whatever it comes from: its question, course, outcome, ladder, pairs, answers and members. */

import { useMemo, useState } from "preact/hooks";
import { Answers } from "strand/parts/round/answers.js";
import { Badge } from "strand/parts/badge.js";
import { Course } from "strand/parts/round/course.js";
import { Compare } from "strand/parts/diff.js";
import { html } from "strand/parts/html.js";
import { Ladder } from "strand/parts/round/ladder.js";
import { Matrix } from "strand/parts/round/matrix.js";
import { Members } from "strand/parts/round/members.js";
import { Outcome } from "strand/parts/round/outcome.js";
import { Question } from "strand/parts/round/question.js";
import { isOver, rankedAnswers, stateWords } from "strand/state/derived.js";
import { moment } from "strand/state/format.js";
import { AUDIENCES, OUTCOMES, TASKS } from "strand/state/words.js";

/**
 * @param {{round: import("../state/round.js").Round, live?: boolean, tools?: any}} props `live`: events still come;
 *   `tools`: what the host can do with the certificate
 */
export function Round({ round, live = false, tools = null }) {
  const [chosen, setChosen] = useState(null);
  const answers = useMemo(() => rankedAnswers(round), [round]);
  const order = answers.filter(({ strength }) => strength !== null || !round.strengths.length).map((each) => each.number);
  const isKnown = chosen?.every((number) => answers.some((each) => each.number === number));
  const pair = isKnown ? chosen : answers.slice(0, 2).map((each) => each.number);
  const show = (numbers) => {
    setChosen(numbers);
    document.getElementById("compare")?.focus();
  };
  // One answer more: it takes the left place, and the best of the others stands beside it.
  const showOne = (number) => show([number, answers.find((each) => each.number !== number).number]);
  const hasLadder = round.strengths.length > 0 || round.ballots.length > 0;
  return html`
    <${Head} round=${round} />
    <${Course} round=${round} live=${live} />
    <${Outcome} round=${round} tools=${tools} />
    ${hasLadder &&
    html`<div class="halves">
      <${Ladder} round=${round} />
      <${Matrix} round=${round} order=${order} onCompare=${show} />
    </div>`}
    ${answers.length > 0 && html`<${Answers} round=${round} answers=${answers} chosen=${isKnown ? pair : []} onCompare=${showOne} />`}
    ${answers.length > 1 && html`<${Compare} answers=${answers} pair=${pair} onPair=${setChosen} />`}
    ${round.asked && html`<${Members} round=${round} />`}
  `;
}

function Head({ round }) {
  const { asked, decided } = round;
  const look = decided && isOver(round) ? OUTCOMES[decided.outcome] : null;
  return html`
    <section class="panel" aria-labelledby="question-title">
      <div class="row">
        <h2 id="question-title">Question</h2>
        <${Badge} ...${look ?? { glyph: isOver(round) ? "" : "●", words: stateWords(round) }} />
        ${asked?.task && html`<${Badge} words=${TASKS[asked.task]} />`}
        ${asked?.audience && html`<${Badge} words=${AUDIENCES[asked.audience]} />`}
        ${asked?.gold && html`<${Badge} words="gold: the node knows the right answer" />`}
        ${asked?.asked_ms > 0 && html`<span class="end muted">${moment(asked.asked_ms)}</span>`}
      </div>
      <${Question} asked=${asked} />
    </section>
  `;
}
