/** The outcome: what was decided, how surely, by whom it is signed, and the answer itself. */

import { Badge } from "strand/parts/badge.js";
import { Body } from "strand/parts/round/body.js";
import { CopyButton } from "strand/parts/copy.js";
import { Fold } from "strand/parts/fold.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { count, duration, percent, size } from "strand/state/format.js";
import { findingWords } from "strand/state/findings.js";
import { endingWords, outcomeBadge, outcomeSentence } from "strand/state/outcome.js";
import { oneLine } from "strand/state/text.js";

/** Lines of the winner that are shown at first. */
const LINES_SHOWN = 24;

const UNCALIBRATED = "not known: too few gold questions were asked to tell";

const CUT_OFF = ", cut off at its greatest length";

/** Keys that are shown without being asked for. */
const KEYS_SHOWN = 12;

/** Most characters of a fault's line. */
const FAULT_CHARS_MAX = 300;

/**
 * @param {{round: import("../state/round.js").Round, tools: any}} props `tools`: what the host can do with the
 *   certificate; a page that stands alone has nothing there
 */
export function Outcome({ round, tools }) {
  const { decided, ended } = round;
  if (!decided) return html`<${Unfinished} ended=${ended.requester} />`;
  const { outcome, reason, answer } = decided;
  const why = outcomeSentence(reason);
  return html`
    <section class="panel outcome" aria-labelledby="outcome-title">
      <div class="row">
        <h2 id="outcome-title">Outcome</h2>
        <${Badge} ...${outcomeBadge(outcome)} />
        ${answer && html`<span class="end"><${CopyButton} text=${answer} what="the answer" /></span>`}
      </div>
      ${why && html`<p>${why}</p>`}
      <div class="outcome-parts">
        ${answer ? html`<div><${Body} text=${answer} task=${round.asked?.task} lines=${LINES_SHOWN} /></div>` : ""}
        <${Facts} round=${round} tools=${tools} />
      </div>
    </section>
  `;
}

/** A round that ended before anything was decided says why. */
function Unfinished({ ended }) {
  if (!ended) return null;
  return html`
    <section class="panel" aria-labelledby="outcome-title">
      <h2 id="outcome-title">Outcome</h2>
      <p class="notice bad">${endingWords(ended.ending, oneLine(ended.fault ?? "", FAULT_CHARS_MAX))}</p>
    </section>
  `;
}

function Keys({ keys }) {
  const list = html`<ul class="signers">${keys.map((key) => html`<li key=${key}><${Key} value=${key} /></li>`)}</ul>`;
  return keys.length <= KEYS_SHOWN ? list : html`<${Fold} summary="Who signed">${() => list}<//>`;
}

function Facts({ round, tools }) {
  const { decided, certified, asked } = round;
  const winner = round.answers.find((each) => each.answer_id === decided.winner);
  const cosigning = round.phases.find((each) => each.phase === "cosigning");
  const findings = findingWords(decided.findings);
  return html`
    <dl class="outcome-facts">
      ${decided.author &&
      html`<dt>Author</dt>
        <dd>${winner && `#${winner.number + 1} by `}<${Key} value=${decided.author} /></dd>`}
      <dt>P(best)</dt><dd>${percent(decided.p_best)}</dd>
      <dt>P(correct)</dt>
      <dd>${decided.p_correct === null ? UNCALIBRATED : percent(decided.p_correct)}</dd>
      ${findings.length > 0 &&
      html`<dt>Tested</dt>
        <dd class="row">${findings.map((each) => html`<${Badge} ...${each} />`)}</dd>`}
      ${decided.answer_tokens > 0 &&
      html`<dt>Length</dt>
        <dd>${count(decided.answer_tokens, "token")}${decided.finish === "length" && CUT_OFF}</dd>`}
      ${decided.at_ms > 0 && html`<dt>Time</dt><dd>${duration(decided.at_ms)} to the answer</dd>`}
      ${decided.own_engine &&
      html`<dt>Own engine</dt>
        <dd>contributed nothing: ${oneLine(decided.own_engine, FAULT_CHARS_MAX)}</dd>`}
      ${cosigning &&
      html`<dt>Co-signed</dt>
        <dd>
          ${cosigning.received.length} of ${count(asked?.members.length ?? cosigning.expected.length, "member")}
          <${Keys} keys=${cosigning.received} />
        </dd>`}
      ${certified && html`<dt>Certificate</dt><dd>${size(certified.bytes)} ${tools}</dd>`}
    </dl>
  `;
}
