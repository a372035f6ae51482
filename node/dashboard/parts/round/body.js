/** An answer's text: prose as it is, blocks of code with their colours. All of it is text, whatever it holds. */

import { useMemo, useState } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { count } from "strand/state/format.js";
import { piecesOf } from "strand/state/fences.js";
import { capped, visible } from "strand/state/text.js";
import { runsOf } from "strand/state/tokens.js";

/** Characters of a text that is shown in short, whatever its lines. */
const SHORT_CHARS_MAX = 1_000;

/** A text with any of these is code, if it was asked for; without them it is a remark. */
const CODE = /[{};=]/;

/** A line that opens a block of code. */
const FENCED = /^ {0,3}(?:`{3}|~{3})/m;

/**
 * @param {{text: string, language: string}} props
 */
export function Code({ text, language }) {
  const runs = useMemo(() => runsOf(text, language), [text, language]);
  return html`<code>${runs.map((run) => (run.colour ? html`<span class=${`hl-${run.colour}`}>${run.text}</span>` : run.text))}</code>`;
}

/**
 * @param {{text: string, task?: string, lines?: number}} props `task`: a text of the task `code` without any fence is
 *   code as a whole; `lines`: how many are shown at first, all if there are few more
 */
export function AnswerBody({ text, task, lines = Infinity }) {
  const [isWhole, setWhole] = useState(false);
  const all = useMemo(() => text.split("\n"), [text]);
  const isLong = all.length > lines + 3 || (lines < Infinity && text.length > SHORT_CHARS_MAX);
  const isCut = isLong && !isWhole;
  const shown = useMemo(() => {
    const cut = isCut ? capped(all.slice(0, lines).join("\n"), SHORT_CHARS_MAX) : text;
    const isBare = task === "code" && CODE.test(text) && !FENCED.test(text);
    return isBare ? [{ kind: "code", language: "rust", text: visible(cut) }] : piecesOf(visible(cut));
  }, [text, task, isCut, lines]);
  return html`
    <div class="answer-body">
      ${shown.map(({ kind, language, text: part }) =>
        kind === "code"
          ? html`<pre><${Code} text=${part} language=${language} /></pre>`
          : html`<p class="prose">${part}</p>`,
      )}
      ${isLong &&
      html`<button type="button" aria-expanded=${!isCut} onClick=${() => setWhole(isCut)}>
        ${isCut ? `Show all ${all.length > lines ? count(all.length, "line") : ""}` : "Show less"}
      </button>`}
    </div>
  `;
}
