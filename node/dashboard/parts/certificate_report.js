/** What a valid certificate says: the question, the winner, the ranking, and who co-signed. */

import { AnswerText } from "strand/parts/answer_text.js";
import { Badge } from "strand/parts/badge.js";
import { CopyButton } from "strand/parts/copy.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { percent } from "strand/state/format.js";
import {
  bestWords,
  correctWords,
  findingBadges,
  outcomeBadge,
  outcomeSentence,
  stopWords,
} from "strand/state/outcome.js";
import { visible } from "strand/state/text.js";
import { statements } from "strand/state/verification.js";

/**
 * Draw the report.
 * @param {{report: Object}} props `CertificateReport` of the API
 */
export function CertificateReport({ report }) {
  return html`<section class="panel" aria-labelledby="says">
    <h2 id="says">What it says</h2>
    <p class="row">
      <${Badge} ...${outcomeBadge(report.outcome)} />
      <span>${bestWords(report.ranking[0]?.p_best ?? null)}</span>
      <span class="muted">${correctWords(report.p_correct, "the asker")}</span>
    </p>
    ${outcomeSentence(report.reason) && html`<p class="notice">${outcomeSentence(report.reason)}</p>`}
    <${Facts} report=${report} />
    <${Conversation} turns=${report.turns} />
    ${report.winner.author &&
    html`<div class="row apart">
        <h3>Winning answer, by <${Key} value=${report.winner.author} /></h3>
        <${CopyButton} text=${report.winner.text} what="answer" />
      </div>
      <${AnswerText} text=${report.winner.text} />`}
    <${Ranking} report=${report} />
    <${Remarks} report=${report} />
    <p class="muted">
      It says that under the weights which its asker gave the members, these signed answers and ballots yield this
      winner. It does not say how often the asker asked before, nor that its choice of members was fair.
    </p>
  </section>`;
}

function Facts({ report }) {
  return html`<dl class="verify-facts">
    ${statements(report).map(([name, words]) => html`<div><dt>${name}</dt><dd>${visible(words)}</dd></div>`)}
    <div><dt>Judging ended</dt><dd>${stopWords(report.stop)}</dd></div>
    <div><dt>Asked by</dt><dd><${Key} value=${report.requester} /></dd></div>
    <div><dt>Round</dt><dd><${Key} value=${report.query_id} /></dd></div>
  </dl>`;
}

function Conversation({ turns }) {
  if (turns.length === 0) return html`<p class="muted">The question was private, and its text was left out.</p>`;
  return html`<details open=${turns.length === 1}>
    <summary>${turns.length === 1 ? "Question" : `Conversation of ${turns.length} turns`}</summary>
    ${turns.map(
      ({ role, text }) => html`<div class="verify-turn">
        ${turns.length > 1 && html`<h4 class="muted">${role}</h4>`}
        <p class="prose">${visible(text)}</p>
      </div>`,
    )}
  </details>`;
}

function Ranking({ report: { ranking, set_aside } }) {
  const isTested = [...ranking, ...set_aside].some((each) => each.findings?.reports);
  return html`<div class="scroll">
    <table class="verify-ranking">
      <caption class="spoken">Answers, best first</caption>
      <thead>
        <tr>
          <th scope="col">Place</th><th scope="col">Author</th><th scope="col" class="number">P(best)</th>
          <th scope="col" class="number">Strength</th><th scope="col" class="number">Equal answers</th>
          ${isTested && html`<th scope="col">Findings</th>`}
        </tr>
      </thead>
      <tbody>
        ${ranking.map(
          (each, index) => html`<tr>
            <td>${index + 1}</td>
            <td><${Key} value=${each.author} /></td>
            <td class="number">${percent(each.p_best)}</td>
            <td class="number">${each.strength.toFixed(2)}</td>
            <td class="number">${each.cluster_size}</td>
            ${isTested && html`<${Findings} findings=${each.findings} />`}
          </tr>`,
        )}
        ${set_aside.map(
          (each) => html`<tr>
            <td>set aside</td>
            <td><${Key} value=${each.author} /></td>
            <td class="number">–</td><td class="number">–</td><td class="number">–</td>
            ${isTested && html`<${Findings} findings=${each.findings} />`}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function Findings({ findings }) {
  const badges = findingBadges(findings);
  return html`<td><span class="row">${badges.map((each) => html`<${Badge} ...${each} />`)}</span></td>`;
}

/** Members that did less than they could, or something else. */
function Remarks({ report }) {
  const lists = [
    ["Committed to an answer and did not open it", report.unopened],
    ["Had pairs to judge, and neither judged nor declined", report.silent_judges],
    ["Removed, because they signed two different messages for one place", report.removed],
    ["Reported something else than what was settled", report.testing?.contradicted ?? []],
  ].filter(([, keys]) => keys.length);
  if (lists.length + report.declines.length === 0) return null;
  return html`<ul>
    ${lists.map(([words, keys]) => html`<li>${words}: ${keys.map((key) => html`<${Key} value=${key} /> `)}</li>`)}
    ${report.declines.map(
      ({ author, phase, reason }) =>
        html`<li><${Key} value=${author} /> declined ${phase}: ${visible(reason)}</li>`,
    )}
  </ul>`;
}
