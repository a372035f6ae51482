/** The page's frame: top bar, navigation, and the view that the address names. */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { ThemeButton } from "strand/parts/theme.js";
import { getJson } from "strand/state/api.js";
import { shortKey } from "strand/state/format.js";
import { parseRoute, VIEWS } from "strand/state/route.js";
import { oneLine } from "strand/state/text.js";
import { AskView } from "strand/views/ask.js";
import { MachineView } from "strand/views/machine.js";
import { NetworkView } from "strand/views/network.js";
import { RoundView } from "strand/views/round.js";
import { RoundsView } from "strand/views/rounds.js";
import { VerifyView } from "strand/views/verify.js";

/** The view of each route. */
const SCREENS = {
  ask: AskView,
  rounds: RoundsView,
  round: RoundView,
  network: NetworkView,
  machine: MachineView,
  verify: VerifyView,
};

/** Longest name in the bar, in characters. */
const NAME_CHARS_MAX = 24;

const route = signal(parseRoute(location.hash));
const status = signal({ data: null, error: "" });

addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

export function App() {
  const main = useRef(null);
  const { view, id } = route.value;
  const first = useRef(true);
  useEffect(() => {
    // Whoever reads by ear or keyboard begins at the new view; at the start the browser's own place is right.
    if (!first.current) main.current.focus();
    first.current = false;
    document.title = `${VIEWS[view].title} · Strand`;
  }, [view, id]);
  useEffect(() => {
    getJson("/api/status").then((reply) => (status.value = reply));
  }, []);
  return html`
    <a class="skip" href="#main" onClick=${(event) => skipTo(event, main.current)}>Skip to the content</a>
    <${TopBar} view=${view} />
    <main id="main" tabindex="-1" ref=${main}>
      ${status.value.error && html`<p class="notice bad" role="alert">${status.value.error}</p>`}
      <${SCREENS[view]} key=${`${view}/${id}`} id=${id} />
    </main>
  `;
}

/** Move the focus without a change of the hash, which names the view. */
function skipTo(event, target) {
  event.preventDefault();
  target.focus();
}

function TopBar({ view }) {
  const { data } = status.value;
  const current = VIEWS[view].under ?? view;
  return html`
    <header class="bar">
      <span class="name">Strand</span>
      ${data && html`<span class="muted" title=${data.key}>
        ${oneLine(data.name, NAME_CHARS_MAX) || shortKey(data.key)} · ${oneLine(data.network, NAME_CHARS_MAX)}
      </span>`}
      <nav aria-label="Views">
        ${Object.entries(VIEWS)
          .filter(([, each]) => each.href)
          .map(
            ([name, each]) => html`
              <a href=${each.href} aria-current=${name === current ? "page" : null}>${each.title}</a>
            `,
          )}
      </nav>
      <span class="end">
        <${ThemeButton} />
      </span>
    </header>
  `;
}
