/** The configuration in force, and where each value comes from. */

import { useState } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { originWords, settingFiles, settingTables } from "strand/state/machine.js";
import { capped, visible } from "strand/state/text.js";

const VALUE_CHARS_MAX = 1_000;

/**
 * @param {{settings: Record<string, {value: any, origin: string}>}} props as of /api/config
 */
export function Settings({ settings }) {
  const [search, setSearch] = useState("");
  const [all, setAll] = useState(false);
  const tables = settingTables(settings, search, all);
  const files = settingFiles(settings);
  const found = tables.reduce((sum, each) => sum + each.settings.length, 0);
  return html`
    <section class="panel">
      <h2>Configuration in force</h2>
      <p class="muted">
        As it was when the node started. A flag goes before a variable of the environment, that before the file, and the
        file before the default. Of secrets this page knows only whether they are set.
      </p>
      ${files.length > 0 && html`<p>Read from ${files.map((each) => html`<code>${visible(each)}</code> `)}</p>`}
      <div class="row">
        <label>
          Search${" "}<input type="search" value=${search} onInput=${({ target }) => setSearch(target.value)} />
        </label>
        <label>
          <input type="checkbox" checked=${all} onChange=${({ target }) => setAll(target.checked)} /> also defaults
        </label>
        <span class="muted" role="status">${found} of ${Object.keys(settings).length} settings</span>
      </div>
      ${found > 0 && html`
        <div class="scroll" tabindex="0" role="region" aria-label="Settings">
          <table class="settings">
            <thead>
              <tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">Comes from</th></tr>
            </thead>
            ${tables.map((each) => html`<${SettingTable} key=${each.table} ...${each} />`)}
          </table>
        </div>
      `}
    </section>
  `;
}

function SettingTable({ table, settings }) {
  return html`
    <tbody>
      <tr><th colspan="3" scope="rowgroup" class="mono">[${table}]</th></tr>
      ${settings.map(({ key, value, origin, isSet }) => html`
        <tr key=${key}>
          <th scope="row" class="mono">${key.slice(table.length + 1)}</th>
          <td><code>${capped(visible(value), VALUE_CHARS_MAX)}</code></td>
          <td class=${isSet ? "" : "muted"} title=${visible(origin)}>${visible(originWords(origin))}</td>
        </tr>
      `)}
    </tbody>
  `;
}
