/** A text of which the beginning is shown at first. */

import { useMemo, useState } from "preact/hooks";
import { AnswerText } from "strand/parts/answer_text.js";
import { html } from "strand/parts/html.js";
import { count } from "strand/state/format.js";
import { capped } from "strand/state/text.js";

/** Characters of a beginning, however few lines they are. */
const SHORT_CHARS_MAX = 800;

/** Lines beyond the beginning for which a button would not be worth its room. */
const SPARE_LINES = 3;

/** A line that opens a block of code. */
const FENCED = /^ {0,3}(?:`{3}|~{3})/m;

/**
 * @param {{text: string, task?: string, lines: number}} props `task` as `AnswerText` takes it; `lines` of the beginning
 */
export function Body({ text, task, lines }) {
  const [isWhole, setWhole] = useState(false);
  const all = useMemo(() => text.split("\n"), [text]);
  const isLong = all.length > lines + SPARE_LINES || text.length > SHORT_CHARS_MAX + lines * 80;
  const isCut = isLong && !isWhole;
  const shown = isCut ? capped(all.slice(0, lines).join("\n"), SHORT_CHARS_MAX + lines * 10) : text;
  // The beginning may end before the first block of code, which says that the rest is no code.
  const shownTask = FENCED.test(text) ? "" : task;
  return html`
    <div class="body">
      <${AnswerText} text=${shown} task=${shownTask} isPlain=${true} />
      ${isLong &&
      html`<button type="button" class="small" aria-expanded=${!isCut} onClick=${() => setWhole(isCut)}>
        ${isCut ? `Show all ${all.length > lines ? count(all.length, "line") : ""}` : "Show less"}
      </button>`}
    </div>
  `;
}
