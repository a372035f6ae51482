/** One question of a conversation, with its round as it goes, its answer, or why there is none. */

import { useRef, useState } from "preact/hooks";
import { AnswerText } from "strand/parts/answer_text.js";
import { Badge } from "strand/parts/badge.js";
import { useNow } from "strand/parts/clock.js";
import { CopyButton } from "strand/parts/copy.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { usePoll, useRepeated } from "strand/parts/poll.js";
import { queueLine, remedyOf, withoutAdvice } from "strand/state/asking.js";
import { DEFAULTS, settingsLine } from "strand/state/conversation.js";
import { duration } from "strand/state/format.js";
import {
  bestWords,
  correctWords,
  endingWords,
  findingBadges,
  outcomeBadge,
  outcomeSentence,
} from "strand/state/outcome.js";
import { stepsOf } from "strand/state/phases.js";
import { roundHref } from "strand/state/route.js";
import { capital, visible } from "strand/state/text.js";

/** Period of looking at the queue, or for a round whose stream is lost, ms. */
const LOOK_MS = 2_000;

/**
 * Draw an exchange.
 * @param {{exchange: import("strand/state/conversation.js").Exchange, talk: import("strand/state/talk.js").Talk,
 *   rounds: import("strand/state/store.js").Store["rounds"]}} props `rounds`: those that the page follows, as a signal
 */
export function Exchange({ exchange, talk, rounds }) {
  const { number, question, settings, state, round, refusal } = exchange;
  const said = settingsLine(settings);
  return html`<li class="exchange">
    <div class="ask-question">
      <h2 class="spoken">Question ${number}</h2>
      <p class="prose">${visible(question)}</p>
      ${said !== settingsLine(DEFAULTS) && html`<p class="muted ask-said">${said}</p>`}
    </div>
    ${state === "gone" && html`<${Gone} number=${number} refusal=${refusal} talk=${talk} />`}
    ${state === "refused" && html`<${Refused} number=${number} refusal=${refusal} talk=${talk} />`}
    ${state === "lost" && html`<${Lost} exchange=${exchange} talk=${talk} rounds=${rounds} />`}
    ${state === "sending" && html`<${Waiting} number=${number} talk=${talk} />`}
    ${state === "open" && html`<${Course} exchange=${exchange} talk=${talk} />`}
    ${round.decided?.answer && html`<${Answer} exchange=${exchange} />`}
    ${state === "over" && !round.decided?.answer && html`<${NoAnswer} exchange=${exchange} talk=${talk} />`}
    <p class="spoken" role="status">${spokenState(exchange)}</p>
  </li>`;
}

/** What is read aloud: the phase without its counts, which change many times a second. */
function spokenState({ state, round }) {
  if (round.decided) return `The round is ${round.decided.outcome}.`;
  if (state === "open") return `Phase: ${stepsOf(round).find((each) => each.state === "now")?.name ?? "begun"}.`;
  return state === "sending" ? "The question was sent." : "";
}

function Waiting({ number, talk }) {
  const [{ data }] = usePoll({ queue: "/api/queue" }, LOOK_MS);
  return html`<p class="row ask-course">
    <span class="muted">${queueLine(data?.queue ?? null)}</span>
    <${CancelButton} number=${number} talk=${talk} />
  </p>`;
}

function Course({ exchange: { number, round }, talk }) {
  const began = useRef(Date.now() - round.at_ms);
  const now = useNow(1_000);
  return html`<div class="row ask-course">
    <${Steps} round=${round} />
    <span class="muted number">${duration(Math.max(round.at_ms, now - began.current))}</span>
    <a href=${roundHref(round.id)}>Watch the round</a>
    ${!round.decided && html`<${CancelButton} number=${number} talk=${talk} />`}
  </div>`;
}

function Steps({ round }) {
  return html`<ol class="ask-steps">
    ${stepsOf(round).map(
      ({ words, state }) => html`<li class=${state} aria-current=${state === "now" ? "step" : null}>
        ${state === "done" && html`<span aria-hidden="true">✓ </span>`}${words}
      </li>`,
    )}
  </ol>`;
}

function CancelButton({ number, talk }) {
  const [said, setSaid] = useState("");
  const cancel = async () => {
    setSaid("cancelling …");
    setSaid(await talk.cancel(number));
  };
  return html`
    <button type="button" class="small" disabled=${Boolean(said)} onClick=${cancel}>Cancel</button>
    <span class="muted" role="status">${said}</span>
  `;
}

function Answer({ exchange: { round, state, settings } }) {
  const { outcome, reason, p_best, p_correct, author, answer, findings, own_engine } = round.decided;
  const badges = findingBadges(findings);
  return html`<article class="panel ask-answer" aria-label="Answer">
    <div class="row">
      <${Badge} ...${outcomeBadge(outcome)} />
      ${author && html`<span class="muted">by <${Key} value=${author} /></span>`}
      <span class="muted">${round.at_ms > 0 && state === "over" && `in ${duration(round.at_ms)}`}</span>
      <span class="row end">
        <a href=${roundHref(round.id)}>How it was decided</a>
        <${CopyButton} text=${answer} what="answer" />
      </span>
    </div>
    ${outcomeSentence(reason) && html`<p class="notice">${outcomeSentence(reason)} Check it before you use it.</p>`}
    <${AnswerText} text=${answer} task=${settings.task} />
    <ul class="plain">
      <li>${bestWords(p_best)}</li>
      <li class=${p_correct === null ? "muted" : ""}>${correctWords(p_correct)}</li>
      ${own_engine && html`<li class="muted">This node's own engine gave nothing: ${visible(own_engine)}</li>`}
    </ul>
    ${settings.task === "code" &&
    html`<p class="row" aria-label="Findings">
      ${badges.map((each) => html`<${Badge} ...${each} />`)}
      ${badges.length === 0 && html`<span class="muted">${untestedWords(round)}</span>`}
    </p>`}
  </article>`;
}

function NoAnswer({ exchange: { number, round }, talk }) {
  const { ending, fault } = round.ended.requester ?? {};
  const why = outcomeSentence(round.decided?.reason) || endingWords(ending, visible(fault ?? ""));
  return html`<div class="notice">
    <p class="row">
      <${Badge} ...${outcomeBadge(round.decided?.outcome ?? ending ?? "over")} />
      <span>${why}</span>
    </p>
    <p class="row">
      <button type="button" class="small" onClick=${() => talk.takeBack(number)}>Change and ask again</button>
      <a href=${roundHref(round.id)}>What happened in the round</a>
    </p>
  </div>`;
}

function Refused({ number, refusal: { error, status, retry_s }, talk }) {
  const { words, action } = remedyOf(status, retry_s);
  return html`<div class="notice bad" role="alert">
    <p>${capital(visible(withoutAdvice(error)))}</p>
    <p>${words}</p>
    <p class="row">
      ${action === "again" &&
      html`<button type="button" class="small" onClick=${() => talk.again(number)}>Try again</button>`}
      <button type="button" class="small" onClick=${() => talk.takeBack(number)}>Change the question</button>
      ${action === "anyway" &&
      html`<button type="button" class="small" onClick=${() => talk.again(number, true)}>Send anyway</button>`}
    </p>
  </div>`;
}

/** Why nothing is known of what an answer does. */
function untestedWords(round) {
  const isTested = round.phases.some((each) => each.phase === "testing");
  if (isTested) return "Tested, but nothing is settled: the testers' tools failed, or their reports differ.";
  return "Not tested: that takes three other members with equal Rust tools.";
}

/**
 * The stream of a round is lost, by a reload or by the network. The round goes on; the node knows how it ends, and the
 * stream of all rounds tells where it is.
 */
function Lost({ exchange: { number, round }, talk, rounds }) {
  const [{ error }] = useRepeated((signal) => talk.recover(number, signal), LOOK_MS);
  const known = rounds.value.get(round.id)?.round;
  return html`<div class="row ask-course">
    ${known?.phases.length ? html`<${Steps} round=${known} />` : html`<span class="muted">The round goes on.</span>`}
    <a href=${roundHref(round.id)}>Watch the round</a>
    <${CancelButton} number=${number} talk=${talk} />
    <span class="muted" role="status">${error}</span>
  </div>`;
}

function Gone({ number, refusal, talk }) {
  return html`<div class="notice">
    <p>${refusal.error}</p>
    <p><button type="button" class="small" onClick=${() => talk.takeBack(number)}>Ask again</button></p>
  </div>`;
}
