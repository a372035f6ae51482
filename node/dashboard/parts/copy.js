/** Copies a text, and says for a while that it did. */

import { useEffect, useState } from "preact/hooks";
import { html } from "strand/parts/html.js";

/** Time for which the button says what became of the copy, ms. */
const SAID_MS = 2_000;

/**
 * Draw the button.
 * @param {{text: string, what: string}} props `what` the text is, for those who hear the button's name
 */
export function CopyButton({ text, what }) {
  const [said, copy] = useCopy(text);
  // No `role="status"`: browsers leave what has that role out of the button's name.
  return html`<button type="button" class="small" onClick=${copy}>
    <span aria-live="polite">${said || "Copy"}</span><span class="spoken"> ${what}</span>
  </button>`;
}

/**
 * Copy a text for whatever button is pressed.
 * @param {string} text
 * @returns {[string, () => Promise<void>]} what became of the copy in words, empty before it and when SAID_MS are over;
 *   and the function that copies
 */
export function useCopy(text) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => setSaid(""), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  return [said, async () => setSaid((await copied(text)) ? "Copied" : "Not copied")];
}

async function copied(text) {
  try {
    // Only pages of this machine or over TLS have a clipboard.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

function copiedBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "spoken";
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}
