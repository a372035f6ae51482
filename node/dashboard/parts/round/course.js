/** The track of a round's phases: how far each is, how long it took, and how long it may still take. */

import { useEffect, useState } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { courseOf, leftMs, stopSentence } from "strand/state/course.js";
import { stateWords } from "strand/state/derived.js";
import { duration } from "strand/state/format.js";

/** Pause in ms between two looks at the clock. */
const TICK_MS = 500;

/** State of a phase -> its glyph, and the word for whoever does not see it. */
const STATES = {
  done: { glyph: "✓", words: "done" },
  now: { glyph: "●", words: "now" },
  ahead: { glyph: "○", words: "ahead" },
  skipped: { glyph: "–", words: "did not take place" },
};

/**
 * @param {{round: import("../state/round.js").Round, live: boolean}} props `live`: time goes on between events
 */
export function Course({ round, live }) {
  const now = useRoundTime(round.at_ms, live);
  const steps = courseOf(round);
  const stop = stopSentence(round);
  return html`
    <section class="panel" aria-labelledby="course-title">
      <h2 id="course-title">Course</h2>
      <ol class="course">
        ${steps.map((step) => {
          const key = `${step.phase} ${step.wave}`;
          return html`<${StepItem} key=${key} step=${step} now=${now} live=${live} />`;
        })}
      </ol>
      <p class="spoken" role="status">${stateWords(round)}</p>
      ${stop && html`<p>${stop}</p>`}
    </section>
  `;
}

function StepItem({ step, now, live }) {
  const { glyph, words } = STATES[step.state];
  const left = live ? leftMs(step, now) : null;
  const isSeen = step.began_ms !== null;
  return html`
    <li class=${`step ${step.state}`} aria-current=${step.state === "now" ? "step" : null}>
      <span class="step-name"><span aria-hidden="true">${glyph} </span>${nameOf(step)}</span>
      <span class="step-facts muted">
        ${isSeen ? html`${step.received} of ${step.expected}` : words}
        ${step.took_ms !== null && html` · ${duration(step.took_ms)}`}
        ${left !== null && html` · <span class="left">${duration(left)} left</span>`}
      </span>
      ${step.state === "now" && html`<${Share} step=${step} />`}
    </li>
  `;
}

/** A phase's name that fits into a narrow column. */
function nameOf({ phase, wave }) {
  if (phase === "judging") return `judging ${wave + 1}`;
  return wave && phase === "testing" ? `testing ${wave + 1}` : { cosigning: "co-signing" }[phase] ?? phase;
}

/** How many of the expected contributions are in. */
function Share({ step }) {
  const share = step.expected ? step.received / step.expected : 0;
  return html`<span class="step-share" aria-hidden="true"><span style=${{ width: `${100 * share}%` }}></span></span>`;
}

/** Return the time since the round's start; between events it goes on while the round is live. */
function useRoundTime(at_ms, live) {
  const [passed, setPassed] = useState(0);
  useEffect(() => {
    if (!live) return undefined;
    const began = performance.now();
    setPassed(0);
    const timer = setInterval(() => setPassed(performance.now() - began), TICK_MS);
    return () => clearInterval(timer);
  }, [at_ms, live]);
  return at_ms + (live ? passed : 0);
}
