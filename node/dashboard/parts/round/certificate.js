/** What one can do with a round's certificate: download it, and let the node verify it. */

import { useState } from "preact/hooks";
import { Badge } from "strand/parts/badge.js";
import { html } from "strand/parts/html.js";
import { getBytes, postJson } from "strand/state/api.js";
import { count } from "strand/state/format.js";
import { certificateFile } from "strand/state/verification.js";

/**
 * @param {{id: string}} props the round's id: 64 hexadecimal digits, as the route allows nothing else
 */
export function CertificateTools({ id }) {
  const [state, setState] = useState({ busy: false, error: "", verified: null });
  const path = `/api/certificates/${id}`;
  const verify = async () => {
    setState({ busy: true, error: "", verified: null });
    const { data: bytes, error } = await getBytes(path);
    const reply = error ? { data: null, error } : await postJson("/api/verify", bytes);
    setState({ busy: false, error: reply.error, verified: reply.data });
  };
  return html`
    <span class="row">
      <a href=${path} download=${certificateFile(id)}>Download</a>
      <button type="button" disabled=${state.busy} onClick=${verify}>${state.busy ? "Verifying" : "Verify"}</button>
    </span>
    <span role="status">
      ${state.error && html`<${Badge} tone="bad" glyph="✕" words=${state.error} />`}
      ${state.verified && html`<${Verified} verified=${state.verified} />`}
    </span>
  `;
}

function Verified({ verified: { valid, rule, steps = [] } }) {
  if (!valid) return html`<${Badge} tone="bad" glyph="✕" words=${`It does not hold: rule ${rule}`} />`;
  const words = steps.length ? `It holds: ${count(steps.length, "step")} passed` : "It holds";
  return html`<${Badge} tone="good" glyph="✓" words=${words} />`;
}
