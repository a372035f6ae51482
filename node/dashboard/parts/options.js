/** The options of a question. What is left as it is follows the node's configuration. */

import { useId } from "preact/hooks";
import { Choice } from "strand/parts/choice.js";
import { html } from "strand/parts/html.js";
import { bytesOf, TESTS_BYTES_MAX } from "strand/state/asking.js";
import { CONFIDENCES, FINDINGS } from "strand/state/conversation.js";
import { percent, size } from "strand/state/format.js";
import { AUDIENCES, audienceWords, choicesOf, TASKS } from "strand/state/words.js";

/** What a least P(correct) does. */
const LEAST_HINT = "An answer below it is marked as a guess.";

const FINDING_WORDS = {
  compiles: "whether it compiles",
  lint: "warnings of the compiler and clippy",
  examples: "the examples in the question",
  behaviour: "what it does on drawn inputs",
};

/**
 * Draw the options.
 * @param {{talk: import("strand/state/talk.js").Talk, configured: Object}} props
 */
export function Options({ talk, configured }) {
  const settings = talk.settings.value;
  const set = (name) => (value) => talk.set({ [name]: value });
  const own = (name) => configured[`round.${name}`]?.value;
  const least = own("confidence_min");
  const audience = AUDIENCES[settings.audience || own("audience")];
  return html`<div class="fields">
    <${Choice} label="Task" value=${settings.task} hint=${TASKS[settings.task].hint} options=${choicesOf(TASKS)}
      onChoose=${set("task")} />
    <${Choice} label="Who may read it" value=${settings.audience} hint=${audience?.hint} onChoose=${set("audience")}
      options=${[["", asConfigured(audienceWords(own("audience") ?? ""))], ...choicesOf(AUDIENCES)]} />
    <${Choice} label="Least P(correct)" value=${settings.confidence} hint=${LEAST_HINT} onChoose=${set("confidence")}
      options=${[
        ["", asConfigured(least === undefined ? "" : percent(least))],
        ...CONFIDENCES.map((each) => [each, `${each} %`]),
      ]} />
    ${settings.task === "code" &&
    html`
      <${Findings} talk=${talk} configured=${own("findings")} />
      <${Tests} talk=${talk} />
    `}
  </div>`;
}

const asConfigured = (words) => (words ? `As configured: ${words}` : "As configured");

function Findings({ talk, configured }) {
  const { findings } = talk.settings.value;
  const chosen = findings ?? configured ?? FINDINGS;
  const change = (name) => (event) => {
    talk.set({ findings: FINDINGS.filter((each) => (each === name ? event.target.checked : chosen.includes(each))) });
  };
  return html`<fieldset class="field wide">
    <legend>Testers find out</legend>
    <div class="row">
      ${FINDINGS.map(
        (name) => html`<label class="check">
          <input type="checkbox" checked=${chosen.includes(name)} onChange=${change(name)} />${FINDING_WORDS[name]}
        </label>`,
      )}
    </div>
    ${findings &&
    html`<button type="button" class="small" onClick=${() => talk.set({ findings: null })}>As configured</button>`}
  </fieldset>`;
}

function Tests({ talk }) {
  const id = useId();
  const { tests, show_tests: isShown } = talk.settings.value;
  const bytes = bytesOf(tests);
  const choice = (shown, words) => html`<label class="check">
    <input type="radio" name=${`${id}-shown`} checked=${isShown === shown} disabled=${!tests.trim()}
      onChange=${() => talk.set({ show_tests: shown })} />${words}
  </label>`;
  return html`<div class="field wide">
    <label for=${id}>Tests that an answer must pass</label>
    <textarea id=${id} class="mono" rows="3" spellcheck="false" value=${tests} aria-describedby=${`${id}-size`}
      placeholder="assert_eq!(double(2), 4);"
      onInput=${(event) => talk.set({ tests: event.target.value })}></textarea>
    <span id=${`${id}-size`} class=${`hint ${bytes > TESTS_BYTES_MAX ? "over-limit" : ""}`}>
      Rust: functions with <code>#[test]</code>, or plain assertions; ${size(bytes)} of at most ${size(TESTS_BYTES_MAX)}
    </span>
    <div class="row">
      ${choice(false, "private: members get them after they have committed to their answers")}
      ${choice(true, "shown: they follow the question, so that authors see them")}
    </div>
  </div>`;
}
