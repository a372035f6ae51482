/** Verifies a certificate, also a stranger's: each step with its rule, then what it says. */

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { CertificateReport } from "strand/parts/certificate_report.js";
import { html } from "strand/parts/html.js";
import { VerificationSteps } from "strand/parts/verification_steps.js";
import { postJson } from "strand/state/api.js";
import { size } from "strand/state/format.js";
import { capital, oneLine, visible } from "strand/state/text.js";
import { CERTIFICATE_BYTES_MAX, handedReplay, verdictOf, whyNotRead } from "strand/state/verification.js";

const NAME_CHARS_MAX = 60;

/** The file that was verified last: who comes back from its replay finds it again. */
const verified = signal({ file: null, data: null, error: "", isBusy: false });

export function VerifyView() {
  const { file, data, error, isBusy } = verified.value;
  return html`
    <h1>Verify a certificate</h1>
    <p class="muted">
      A certificate proves how a round was decided. This node checks it from its bytes alone: it asks nobody, tells
      nobody, and stores nothing. Who made the certificate does not matter.
    </p>
    <${Drop} take=${verify} isBusy=${isBusy} />
    <div aria-live="polite" class="verified">
      ${file && html`<p class="muted">${oneLine(file.name, NAME_CHARS_MAX)} · ${size(file.size)}</p>`}
      ${isBusy && html`<p>Verifying …</p>`}
      ${error && html`<p class="notice bad" role="alert">${error}</p>`}
      ${data && html`<${Verdict} verification=${data} />`}
      ${data?.report && html`<${Replaying} file=${file} />`}
    </div>
    ${data && html`<${VerificationSteps} verification=${data} />`}
    ${data?.report && html`<${CertificateReport} report=${data.report} />`}
  `;
}

async function verify(file) {
  const error = whyNotRead(file.size);
  verified.value = { file, data: null, error, isBusy: !error };
  if (error) return;
  const told = await postJson("/api/verify", file);
  // Another file may have been chosen meanwhile.
  if (verified.value.file === file) verified.value = { file, data: told.data, error: told.error, isBusy: false };
}

function Drop({ take, isBusy }) {
  const [isOver, setIsOver] = useState(false);
  const input = useRef(null);
  useEffect(() => {
    // The whole page takes the file: a browser would leave the page for one that falls beside the field.
    const onDragOver = (event) => {
      event.preventDefault();
      setIsOver(true);
    };
    const onDragLeave = (event) => event.relatedTarget === null && setIsOver(false);
    const onDrop = (event) => {
      event.preventDefault();
      setIsOver(false);
      if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    };
    addEventListener("dragover", onDragOver);
    addEventListener("dragleave", onDragLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onDragOver);
      removeEventListener("dragleave", onDragLeave);
      removeEventListener("drop", onDrop);
    };
  }, [take]);
  const choose = (event) => {
    if (event.target.files.length) take(event.target.files[0]);
    // The same file may be chosen again after it has changed.
    event.target.value = "";
  };
  return html`<div class=${`drop ${isOver ? "over" : ""}`}>
    <p>Drop a certificate here, such as <code>b6191b4280cf309f.strand</code></p>
    <button type="button" class="primary" disabled=${isBusy} onClick=${() => input.current.click()}>
      Choose a file
    </button>
    <input ref=${input} class="spoken" type="file" tabindex="-1" aria-label="Certificate" onChange=${choose} />
    <p class="muted">At most ${size(CERTIFICATE_BYTES_MAX)}; a larger file is not read.</p>
  </div>`;
}

function Verdict({ verification }) {
  const { tone, glyph, head, words } = verdictOf(verification);
  return html`<p class=${`verdict ${tone}`}>
    <span aria-hidden="true">${glyph}</span>
    <span><strong>${head}</strong> ${visible(words)}</span>
  </p>`;
}

function Replaying({ file }) {
  const [said, setSaid] = useState("");
  const replay = async () => {
    setSaid("Reading its course …");
    const { data, error } = await postJson("/api/replay", file);
    setSaid(capital(error || data.note));
    if (!data || data.note) return;
    handedReplay.value = data;
    location.hash = "#/replay";
  };
  return html`<p class="row">
    <button type="button" onClick=${replay}>Replay the round</button>
    <span class="muted" role="status">${said}</span>
  </p>`;
}
