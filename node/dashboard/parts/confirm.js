/** A button that says what it will do before it does it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "strand/parts/html.js";

/**
 * @param {{label: string, sure: string, onSure: () => Promise<string>, children: any}} props `children` say what
 *   happens; `sure` is the button that does it, and `onSure` returns why it failed, or an empty text
 */
export function Confirmed({ label, sure, onSure, children }) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [first, last] = [useRef(null), useRef(null)];
  const was = useRef(false);
  useEffect(() => {
    // The focus goes where the eyes go: into the question, and back to the button that asked.
    if (open !== was.current) (open ? first : last).current?.focus();
    was.current = open;
  }, [open]);
  const act = async () => {
    setBusy(true);
    const failed = await onSure();
    setBusy(false);
    setError(failed);
    if (!failed) setOpen(false);
  };
  if (!open) return html`<button type="button" ref=${last} onClick=${() => setOpen(true)}>${label}…</button>`;
  return html`
    <div class="confirm" role="group" aria-label=${label} onKeyDown=${({ key }) => key === "Escape" && setOpen(false)}>
      ${children}
      ${error && html`<p class="notice bad" role="alert">${error}</p>`}
      <div class="row">
        <button type="button" class="primary" ref=${first} disabled=${busy} onClick=${act}>${sure}</button>
        <button type="button" disabled=${busy} onClick=${() => setOpen(false)}>Leave it as it is</button>
      </div>
    </div>
  `;
}
