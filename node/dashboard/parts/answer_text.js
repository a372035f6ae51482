/** An answer: its prose, and its code with colours and a button that copies it. All of it is text, never markup. */

import highlighter from "highlight.js/core";
import bash from "highlight.js/bash";
import c from "highlight.js/c";
import ini from "highlight.js/ini";
import json from "highlight.js/json";
import python from "highlight.js/python";
import rust from "highlight.js/rust";
import { useMemo } from "preact/hooks";
import { CopyButton } from "strand/parts/copy.js";
import { html } from "strand/parts/html.js";
import { piecesOf } from "strand/state/fences.js";
import { visible } from "strand/state/text.js";

for (const [name, language] of Object.entries({ bash, c, ini, json, python, rust })) {
  highlighter.registerLanguage(name, language);
}

/** Code with more characters has no colours: a page should not wait for them. */
const COLOURED_CHARS_MAX = 64 * 1024;

/**
 * Draw an answer's text.
 * @param {{text: string}} props
 */
export function AnswerText({ text }) {
  const pieces = useMemo(() => piecesOf(text), [text]);
  return html`<div class="answer-text">
    ${pieces.map((piece) =>
      piece.kind === "code"
        ? html`<${Code} text=${piece.text} language=${piece.language} />`
        : html`<p class="prose">${visible(piece.text)}</p>`,
    )}
  </div>`;
}

function Code({ text, language }) {
  const drawn = useMemo(() => coloured(visible(text), language), [text, language]);
  return html`<figure class="code">
    <figcaption class="row">
      <span class="muted">${visible(language) || "code"}</span>
      <${CopyButton} text=${text} what="code" />
    </figcaption>
    <pre tabindex="0"><code>${drawn}</code></pre>
  </figure>`;
}

/** The highlighter's tree of tokens as elements; its HTML is not used. */
function coloured(text, language) {
  if (!highlighter.getLanguage(language) || text.length > COLOURED_CHARS_MAX) return text;
  return elements(highlighter.highlight(text, { language, ignoreIllegals: true })._emitter.rootNode.children);
}

function elements(nodes) {
  return nodes.map((node) =>
    typeof node === "string"
      ? node
      : html`<span class=${`token-${(node.scope ?? node.language ?? "").split(".")[0]}`}>${elements(node.children)}</span>`,
  );
}
