/** The page's frame: top bar, navigation, and the view that the address names. */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { connection, followNode, meetNode, node, nodesBefore } from "strand/live.js";
import { ConnectionBadge } from "strand/parts/connection.js";
import { html } from "strand/parts/html.js";
import { ThemeButton } from "strand/parts/theme.js";
import { SESSION_OVER } from "strand/state/api.js";
import { shortKey } from "strand/state/format.js";
import { parseRoute, queryOf, VIEWS } from "strand/state/route.js";
import { oneLine } from "strand/state/text.js";
import { AskView } from "strand/views/ask.js";
import { MachineView } from "strand/views/machine.js";
import { NetworkView } from "strand/views/network.js";
import { NodeView } from "strand/views/node.js";
import { ReplayView } from "strand/views/replay.js";
import { RoundView } from "strand/views/round.js";
import { RoundsView } from "strand/views/rounds.js";
import { VerifyView } from "strand/views/verify.js";

/** The view of each route. */
const SCREENS = {
  ask: AskView,
  rounds: RoundsView,
  round: RoundView,
  replay: ReplayView,
  network: NetworkView,
  node: NodeView,
  machine: MachineView,
  verify: VerifyView,
};

/** Longest name in the bar, in characters. */
const NAME_CHARS_MAX = 24;

const FAULT = "This page has a fault and may show what is no longer so: load it again. Its console says more.";

const route = signal(routeNow());
const fault = signal("");

addEventListener("hashchange", () => (route.value = routeNow()));
addEventListener("error", () => (fault.value = FAULT));
addEventListener("unhandledrejection", () => (fault.value = FAULT));

export function App() {
  const main = useRef(null);
  const first = useRef(true);
  const { view, id, query } = route.value;
  useEffect(() => {
    // Whoever reads by ear or keyboard begins at the new view; at the start the browser's own place is right.
    if (!first.current) main.current.focus();
    first.current = false;
    document.title = `${VIEWS[view].title} · Strand`;
  }, [view, id]);
  useEffect(() => {
    const stop = new AbortController();
    followNode(stop.signal);
    return () => stop.abort();
  }, []);
  const isLive = connection.value.state === "live";
  useEffect(() => {
    // A node that was started again may have another name, or be another one.
    if (isLive) meetNode();
  }, [isLive]);
  return html`
    <a class="skip" href="#main" onClick=${(event) => skipTo(event, main.current)}>Skip to the content</a>
    <${TopBar} view=${view} />
    <main id="main" tabindex="-1" ref=${main}>
      ${fault.value && html`<p class="notice bad" role="alert">${fault.value}</p>`}
      ${connection.value.state === "refused" && html`<p class="notice bad" role="alert">${SESSION_OVER}</p>`}
      <${SCREENS[view]} key=${`${view}/${id}/${nodesBefore.value}`} id=${id} query=${query} />
    </main>
  `;
}

function routeNow() {
  return { ...parseRoute(location.hash), query: queryOf(location.hash) };
}

/** Move the focus without a change of the hash, which names the view. */
function skipTo(event, target) {
  event.preventDefault();
  target.focus();
}

function TopBar({ view }) {
  const current = VIEWS[view].under ?? view;
  const entries = Object.entries(VIEWS).filter(([, { href }]) => href);
  return html`
    <header class="bar">
      <span class="name">Strand</span>
      ${node.value && html`<${NodeName} node=${node.value} />`}
      <nav aria-label="Views">
        ${entries.map(
          ([name, { href, title }]) =>
            html`<a href=${href} aria-current=${name === current ? "page" : null}>${title}</a>`,
        )}
      </nav>
      <span class="end">
        <${ConnectionBadge} connection=${connection.value} />
        <${ThemeButton} />
      </span>
    </header>
  `;
}

function NodeName({ node: { key, name, network } }) {
  const words = oneLine(name, NAME_CHARS_MAX) || shortKey(key);
  return html`<span class="muted" title=${key}>${words} · ${oneLine(network, NAME_CHARS_MAX)}</span>`;
}
