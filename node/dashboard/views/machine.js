/** Shows what this machine does for the swarm: its engine, its work, its disk and its settings. */

import { lastReplies } from "strand/live.js";
import { Facts } from "strand/parts/facts.js";
import { Age, Freshness } from "strand/parts/freshness.js";
import { html } from "strand/parts/html.js";
import { usePoll } from "strand/parts/poll.js";
import { Queue } from "strand/parts/queue.js";
import { Serving } from "strand/parts/serving.js";
import { Settings } from "strand/parts/settings.js";
import { StateLine } from "strand/parts/state_line.js";
import {
  engineFacts, engineState, machineFacts, probeRows, roleFacts, toolsState, versionRows,
} from "strand/state/machine.js";
import { oneLine } from "strand/state/text.js";

/** /api/status has the same report of serving as /api/serving. */
const PATHS = { status: "/api/status", engine: "/api/engine", queue: "/api/queue" };

/** Times in ms between two looks; settings change only with a restart. */
const EVERY_MS = 3_000;
const SETTINGS_EVERY_MS = 60_000;

const TEXT_CHARS_MAX = 400;

export function MachineView() {
  const [polled, refresh] = usePoll(PATHS, EVERY_MS, lastReplies);
  const [config, refreshConfig] = usePoll({ config: "/api/config" }, SETTINGS_EVERY_MS, lastReplies);
  const { data } = polled;
  return html`
    <${Freshness} polled=${polled} refreshes=${[refresh, refreshConfig]}><h1>Machine</h1><//>
    ${data && html`
      <${Conditions} conditions=${data.status.conditions} />
      <div class="machine">
        <div>
          <${Engine} engine=${data.engine} />
          <${Tools} tools=${data.status.tools} />
        </div>
        <div>
          <${Serving} serving=${data.status.serving} own=${data.status.key} refresh=${refresh} />
          <${Machine} status=${data.status} />
        </div>
      </div>
      <${Queue} queue=${data.queue} />
    `}
    <${Age} polled=${config} what="Configuration" />
    ${config.data && html`<${Settings} settings=${config.data.config.settings} />`}
  `;
}

function Conditions({ conditions }) {
  if (conditions.length === 0) {
    const state = { word: "takes part", why: "Nothing is known that keeps this node from taking part.", tone: "good" };
    return html`<${StateLine} state=${state} />`;
  }
  return html`
    <section aria-label="What keeps this node from taking part" class="conditions">
      ${conditions.map(({ kind, about, text, remedy }) => html`
        <div class="notice bad" key=${kind + about}>
          <p><strong>${oneLine(text, TEXT_CHARS_MAX)}</strong></p>
          <p>Remedy: ${oneLine(remedy, TEXT_CHARS_MAX)}</p>
        </div>
      `)}
    </section>
  `;
}

function Engine({ engine }) {
  const found = probeRows(engine.probe);
  return html`
    <section class="panel">
      <h2>Engine</h2>
      <${StateLine} state=${engineState(engine)} />
      <${Facts} facts=${[...engineFacts(engine), ...roleFacts(engine)]} />
      ${found.length > 0 && html`
        <details>
          <summary>What the last probe found</summary>
          <${Pairs} rows=${found} />
        </details>
      `}
    </section>
  `;
}

function Tools({ tools }) {
  return html`
    <section class="panel">
      <h2>Sandbox and tools</h2>
      <p class="muted">With a sandbox and a Rust compiler a node tests answers: it compiles, checks and runs them.</p>
      <${StateLine} state=${toolsState(tools)} />
    </section>
  `;
}

function Machine({ status }) {
  return html`
    <section class="panel">
      <h2>Disk, clock and versions</h2>
      <${Facts} facts=${machineFacts(status)} />
      <${Pairs} rows=${versionRows(status)} />
    </section>
  `;
}

/** Names and values, without more. */
function Pairs({ rows }) {
  return html`
    <table class="pairs">
      <tbody>
        ${rows.map(([name, value]) => html`
          <tr key=${name}><th scope="row">${name}</th><td>${oneLine(value, TEXT_CHARS_MAX)}</td></tr>
        `)}
      </tbody>
    </table>
  `;
}
