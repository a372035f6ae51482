/** The steps of a certificate's verification, each with its rules, and what these rules say. */

import { useRef } from "preact/hooks";
import { Badge } from "strand/parts/badge.js";
import { html } from "strand/parts/html.js";
import { RULES, rulesIn } from "strand/state/rules.js";
import { capital, visible } from "strand/state/text.js";
import { STEP_STATES } from "strand/state/verification.js";

/**
 * Draw the steps.
 * @param {{verification: Object}} props `Verification` of the API
 */
export function VerificationSteps({ verification: { steps } }) {
  const table = useRef(null);
  if (steps.length === 0) return null;
  const named = new Set(steps.flatMap((each) => rulesIn(each.rule)));
  const explain = (rule) => {
    table.current.open = true;
    const row = table.current.querySelector(`[data-rule="${rule}"]`);
    row.scrollIntoView({ block: "center" });
    row.focus();
  };
  return html`<section class="panel" aria-labelledby="steps">
    <h2 id="steps">Steps of the verification</h2>
    <ol class="verification">
      ${steps.map((step) => html`<${Step} step=${step} explain=${explain} />`)}
    </ol>
    <details ref=${table}>
      <summary>What these rules say</summary>
      <p class="muted">In short; the project's <code>protocol/README.md</code> has each rule in full, by its number.</p>
      <dl class="verify-rules">
        ${Object.entries(RULES)
          .filter(([rule]) => named.has(rule))
          .map(([rule, words]) => html`<div data-rule=${rule} tabindex="-1"><dt>${rule}</dt><dd>${words}</dd></div>`)}
      </dl>
    </details>
  </section>`;
}

function Step({ step: { rule, text, state }, explain }) {
  const rules = rulesIn(rule);
  return html`<li class=${state}>
    <${Badge} ...${STEP_STATES[state]} />
    <div>
      <p>${capital(visible(text))}</p>
      ${state === "failed" && rules.map((each) => html`<p class="broken"><strong>${each}</strong> ${RULES[each]}</p>`)}
    </div>
    <button type="button" class="small" disabled=${rules.length === 0} onClick=${() => explain(rules[0])}>
      <span class="spoken">What says </span>${visible(rule)}
    </button>
  </li>`;
}
