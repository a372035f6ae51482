/** Where a question is written, with its options. */

import { useId } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { Options } from "strand/parts/options.js";
import { bytesOf, QUESTION_BYTES_MAX, TESTS_BYTES_MAX } from "strand/state/asking.js";
import { settingsLine, whyFull } from "strand/state/conversation.js";
import { size } from "strand/state/format.js";

/** Share of a limit from which a size is shown. */
const NEAR = 0.5;

/**
 * Draw the form.
 * @param {{talk: import("strand/state/talk.js").Talk, configured: Object, writing: Object}} props `configured`: the
 *   node's settings; `writing`: set to the text's element
 */
export function Composer({ talk, configured, writing }) {
  const id = useId();
  const draft = talk.draft.value;
  const settings = talk.settings.value;
  const bytes = bytesOf(draft);
  const full = whyFull(talk.exchanges.value);
  const why = full || whyNotSent(talk, bytes, bytesOf(settings.tests));
  const send = () => why || !draft.trim() || talk.send();
  const submit = (event) => {
    event.preventDefault();
    send();
  };
  const onKeyDown = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send();
  };
  return html`<form class="panel composer" onSubmit=${submit} onKeyDown=${onKeyDown}>
    <label for=${id}>${talk.exchanges.value.length ? "Follow-up question" : "Question"}</label>
    <textarea id=${id} ref=${writing} rows="4" value=${draft} aria-describedby=${`${id}-why`}
      onInput=${(event) => talk.write(event.target.value)}></textarea>
    <details class="options">
      <summary>Options <span class="muted">${optionsLine(settings, configured)}</span></summary>
      <${Options} talk=${talk} configured=${configured} />
    </details>
    <div class="row">
      <button class="primary" disabled=${Boolean(why) || !draft.trim()}>Ask</button>
      <span class="muted ask-keys"><kbd>Ctrl</kbd> + <kbd>Enter</kbd></span>
      ${bytes > NEAR * QUESTION_BYTES_MAX &&
      html`<span class="muted">${size(bytes)} of at most ${size(QUESTION_BYTES_MAX)}</span>`}
      <span class="muted" id=${`${id}-why`}>${why}</span>
    </div>
  </form>`;
}

/** Why the draft cannot be sent now; empty if it can. */
function whyNotSent(talk, bytes, testBytes) {
  if (talk.open) return "Wait for the answer, or cancel it.";
  if (bytes > QUESTION_BYTES_MAX) return "The question is too long.";
  return testBytes > TESTS_BYTES_MAX ? "The tests are too long." : "";
}

/** The settings in a line, with the node's own audience where the question names none: who reads it should be plain. */
function optionsLine(settings, configured) {
  const audience = settings.audience || configured["round.audience"]?.value || "";
  return settingsLine({ ...settings, audience });
}
