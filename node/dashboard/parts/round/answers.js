/** The answers as they are opened, best first once they are ranked. */

import { useState } from "preact/hooks";
import { Badge } from "strand/parts/badge.js";
import { Body } from "strand/parts/round/body.js";
import { CopyButton } from "strand/parts/copy.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { count, percent } from "strand/state/format.js";
import { asideReason, findingWords, groupsOf } from "strand/state/findings.js";

/** Answers that are shown at first. */
const SHOWN_MAX = 12;

/** Lines of each answer that are shown at first. */
const LINES_SHOWN = 10;

/**
 * @param {{round: import("../state/round.js").Round, answers: Object[], onCompare: (number: number) => void,
 *   chosen: number[]}} props `answers` as `rankedAnswers` tells them; `chosen`: numbers of the two that are compared
 */
export function Answers({ round, answers, onCompare, chosen }) {
  const [isWhole, setWhole] = useState(false);
  const groups = groupsOf(answers);
  const isRanked = round.strengths.length > 0;
  const shown = isWhole ? answers : answers.slice(0, SHOWN_MAX);
  return html`
    <section class="panel" aria-labelledby="answers-title">
      <div class="row">
        <h2 id="answers-title">Answers</h2>
        <span class="muted">${count(answers.length, "answer")}${isRanked && ", best first"}</span>
      </div>
      ${groups.map(
        ({ numbers, equal }) =>
          html`<p class="muted">
            ${namesOf(numbers)} ${equal ? "are equal" : "behave alike"}: they count as one answer with
            ${` ${count(numbers.length, "vote")}`}.
          </p>`,
      )}
      <ul class="answers">
        ${shown.map(
          (answer, place) => html`
            <${AnswerCard}
              key=${answer.number}
              answer=${answer}
              place=${answer.strength === null ? null : place + 1}
              group=${groups.find(({ numbers }) => numbers.includes(answer.number))}
              aside=${asideReason(round, answer)}
              task=${round.asked?.task}
              chosen=${chosen.includes(answer.number)}
              onCompare=${onCompare}
            />
          `,
        )}
      </ul>
      ${answers.length > SHOWN_MAX &&
      html`<button type="button" aria-expanded=${isWhole} onClick=${() => setWhole(!isWhole)}>
        ${isWhole ? `Show the first ${SHOWN_MAX}` : `Show all ${answers.length} answers`}
      </button>`}
    </section>
  `;
}

function namesOf(numbers) {
  const names = numbers.map((number) => `#${number + 1}`);
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function AnswerCard({ answer, place, group, aside, task, chosen, onCompare }) {
  const { number, author, finish, answer_tokens, token_source, p_best, text, wins, findings } = answer;
  const length = `${token_source === "estimate" ? "about " : ""}${count(answer_tokens, "token")}`;
  return html`
    <li class=${`answer ${wins ? "wins" : ""} ${aside ? "aside" : ""}`}>
      <div class="row">
        <h3>${place !== null && html`<span class="place">${place}.</span>`} Answer #${number + 1}</h3>
        <${Key} value=${author} />
        ${wins && html`<${Badge} tone="good" glyph="★" words="winner" />`}
        ${aside && html`<${Badge} tone="bad" glyph="✕" words=${`set aside: ${aside}`} />`}
      </div>
      <p class="muted">${p_best !== null && `P(best) ${percent(p_best)} · `}${length}</p>
      <div class="row badges">
        ${group && html`<${Badge} glyph="=" words=${likeWords(group, number)} />`}
        ${findingWords(findings).map((each) => html`<${Badge} ...${each} />`)}
        ${finish === "length" && html`<${Badge} tone="warn" glyph="▲" words="cut off at its greatest length" />`}
      </div>
      ${text === null
        ? html`<p class="muted">Its text is being fetched.</p>`
        : html`<${Body} text=${text} task=${task} lines=${LINES_SHOWN} />`}
      <div class="row tools">
        <button type="button" class="small" aria-pressed=${chosen} onClick=${() => onCompare(number)}>
          <span aria-hidden="true">⇄ </span>Compare
        </button>
        ${text !== null && html`<${CopyButton} text=${text} what=${`answer ${number + 1}`} />`}
      </div>
    </li>
  `;
}

function likeWords({ equal, numbers }, number) {
  const others = numbers.filter((each) => each !== number).map((each) => `#${each + 1}`);
  return `${equal ? "equal to" : "behaves like"} ${others.join(", ")}`;
}
