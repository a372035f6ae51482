/** An answer: its prose, and its code with colours and a button that copies it. All of it is text, never markup. */

import { useMemo } from "preact/hooks";
import { CopyButton } from "strand/parts/copy.js";
import { html } from "strand/parts/html.js";
import { piecesOf } from "strand/state/fences.js";
import { visible } from "strand/state/text.js";
import { runsOf } from "strand/state/tokens.js";

/** A text with any of these is code, if code was asked for; without them it is a remark. */
const CODE = /[{};=]/;

/**
 * Draw an answer's text.
 * @param {{text: string, task?: string, isPlain?: boolean}} props `task`: an answer to the task `code` without any
 *   fence is code as a whole; `isPlain`: code has neither its language nor a button, and its lines are broken
 */
export function AnswerText({ text, task, isPlain = false }) {
  const pieces = useMemo(() => asPieces(text, task), [text, task]);
  return html`<div class="answer-text">
    ${pieces.map((piece) =>
      piece.kind === "code"
        ? html`<${isPlain ? PlainCode : Code} text=${piece.text} language=${piece.language} />`
        : html`<${Prose} text=${piece.text} />`,
    )}
  </div>`;
}

function asPieces(text, task) {
  const pieces = piecesOf(text);
  const isBare = task === "code" && pieces.length === 1 && pieces[0].kind === "prose" && CODE.test(text);
  return isBare ? [{ kind: "code", language: "rust", text: pieces[0].text }] : pieces;
}

function Code({ text, language }) {
  return html`<figure class="code">
    <figcaption class="row apart">
      <span class="muted">${visible(language) || "code"}</span>
      <${CopyButton} text=${text} what="code" />
    </figcaption>
    <pre tabindex="0"><${Coloured} text=${text} language=${language} /></pre>
  </figure>`;
}

function PlainCode({ text, language }) {
  return html`<pre class="broken-lines"><${Coloured} text=${text} language=${language} /></pre>`;
}

function Coloured({ text, language }) {
  const runs = useMemo(() => runsOf(visible(text), language), [text, language]);
  return html`<code>${runs.map(({ text: run, colour }) =>
    colour ? html`<span class=${`hl-${colour}`}>${run}</span>` : run,
  )}</code>`;
}

/** Words between single backticks, as people write code within prose. */
function Prose({ text }) {
  const parts = visible(text).split(/`([^`\n]+)`/);
  return html`<p class="prose">${parts.map((part, index) => (index % 2 ? html`<code>${part}</code>` : part))}</p>`;
}
