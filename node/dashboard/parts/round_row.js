/** One round of the history in a few lines. */

import { Badge } from "strand/parts/badge.js";
import { html } from "strand/parts/html.js";
import { ago, count, duration, moment, percent } from "strand/state/format.js";
import { withoutFences } from "strand/state/history.js";
import { outcomeBadge, outcomeSentence } from "strand/state/outcome.js";
import { roundHref } from "strand/state/route.js";
import { capital, oneLine } from "strand/state/text.js";
import { audienceWords, taskWords } from "strand/state/words.js";

/** Characters of a question or an answer; the node sends no more of them in a list. */
const HEAD_CHARS_MAX = 200;

/**
 * Draw a round.
 * @param {{round: Object}} props `RoundSummary` of the API
 */
export function RoundRow({ round }) {
  const head = oneLine(round.text, HEAD_CHARS_MAX);
  const answer = oneLine(withoutFences(round.answer), HEAD_CHARS_MAX);
  const why = outcomeSentence(round.reason) || capital(oneLine(round.why_not, HEAD_CHARS_MAX));
  return html`<li class="history-row">
    <div class="row apart">
      <a class="history-head" href=${roundHref(round.query_id)}>${head || "a question without a text"}</a>
      <time class="muted" datetime=${new Date(round.asked_ms).toISOString()} title=${moment(round.asked_ms)}>
        ${ago(round.asked_ms, Date.now())}
      </time>
    </div>
    ${answer && html`<p class="muted history-answer">${answer}</p>`}
    <p class="row history-facts">
      <${Badge} ...${outcomeBadge(round.outcome ?? round.ending ?? "open")} />
      ${why && html`<span>${why}</span>`}
      ${round.gold && html`<${Badge} words="gold" />`}
      <span class="muted">${factsOf(round)}</span>
    </p>
  </li>`;
}

function factsOf({ task, turns, audience, p_best, p_correct, asked_ms, ended_ms, certified, outcome }) {
  const told = [taskWords(task), audience && audienceWords(audience)];
  if (turns > 1) told.push(count(turns, "turn"));
  if (p_best !== null) told.push(`P(best) ${percent(p_best)}`);
  if (p_correct !== null) told.push(`P(correct) ${percent(p_correct)}`);
  if (ended_ms !== null) told.push(duration(Math.max(0, ended_ms - asked_ms)));
  if (outcome && !certified) told.push("no certificate");
  return told.filter(Boolean).join(" · ");
}
