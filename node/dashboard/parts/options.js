/** The options of a question. What is left as it is follows the node's configuration. */

import { useId } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { bytesOf, TESTS_BYTES_MAX } from "strand/state/asking.js";
import { FINDINGS } from "strand/state/conversation.js";
import { percent, size } from "strand/state/format.js";

const TASKS = {
  code: "Rust code: compiled and tested where members can",
  final: "One final answer, such as a number: equal answers count together",
  open: "Open text: judged by reading alone",
};

const AUDIENCES = {
  trusted: "Trusted: only nodes that you named",
  members: "Members: only those who work on it",
  public: "Public: everybody in the network",
};

/** Confidences that may be asked for, in percent. */
const CONFIDENCES = ["50", "60", "70", "80", "90", "95"];

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
  const set = (name) => (event) => talk.set({ [name]: event.target.value });
  const own = (name) => configured[`round.${name}`]?.value;
  const asConfigured = (words) => (words ? `As configured (${words})` : "As configured");
  const least = own("confidence_min");
  return html`<div class="fields">
    <${Choice} label="Task" value=${settings.task} options=${TASKS} onChange=${set("task")} />
    <${Choice} label="Who may read it" value=${settings.audience} onChange=${set("audience")}
      options=${{ "": asConfigured(own("audience")), ...AUDIENCES }} />
    <${Choice} label="Least P(correct)" value=${settings.confidence} onChange=${set("confidence")}
      options=${[
        ["", asConfigured(least === undefined ? "" : percent(least))],
        ...CONFIDENCES.map((each) => [each, `${each} %: below it the answer is marked as a guess`]),
      ]} />
    ${settings.task === "code" &&
    html`
      <${Findings} talk=${talk} configured=${own("findings")} />
      <${Tests} talk=${talk} />
    `}
  </div>`;
}

function Choice({ label, value, options, onChange }) {
  const id = useId();
  const pairs = Array.isArray(options) ? options : Object.entries(options);
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} value=${value} onChange=${onChange}>
      ${pairs.map(([name, words]) => html`<option value=${name} selected=${name === value}>${words}</option>`)}
    </select>
  </div>`;
}

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
    <span id=${`${id}-size`} class=${bytes > TESTS_BYTES_MAX ? "over" : "muted"}>
      Rust: functions with <code>#[test]</code>, or plain assertions; ${size(bytes)} of at most ${size(TESTS_BYTES_MAX)}
    </span>
    <div class="row">
      ${choice(false, "private: members get them after they have committed to their answers")}
      ${choice(true, "shown: they follow the question, so that authors see them")}
    </div>
  </div>`;
}
