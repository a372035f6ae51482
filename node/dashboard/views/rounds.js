/** The history: open rounds as they go, and all rounds that the node asked, searched and page by page. */

import { useEffect, useState } from "preact/hooks";
import { lastReplies, store } from "strand/live.js";
import { html } from "strand/parts/html.js";
import { OpenRounds } from "strand/parts/open_rounds.js";
import { RoundFilters } from "strand/parts/round_filters.js";
import { RoundRow } from "strand/parts/round_row.js";
import { isOver } from "strand/state/derived.js";
import { moment } from "strand/state/format.js";
import { filtersOf, hrefOf, isNarrowed, NO_FILTERS, pathOf } from "strand/state/history.js";
import { returns } from "strand/state/poll.js";

/**
 * Draw the view.
 * @param {{query: string}} props the filters, as the address names them
 */
export function RoundsView({ query }) {
  const filters = filtersOf(query);
  const [tries, setTries] = useState(0);
  const page = usePage(pathOf(filters), `${tries} ${endedCount()} ${returns.value}`);
  const open = [...store.rounds.value.values()].map((each) => each.round).filter((round) => !isOver(round));
  return html`
    <h1>Rounds</h1>
    <${OpenRounds} rounds=${open} heads=${headsOf(page.data)} />
    <section class="history" aria-labelledby="asked">
      <h2 id="asked">Asked by this node</h2>
      <${RoundFilters} filters=${filters} />
      ${page.error &&
      html`<div class="notice bad" role="alert">
        <p>${page.error} ${page.data && `What stands here is of ${moment(page.at_ms)}.`}</p>
        <button type="button" class="small" onClick=${() => setTries(tries + 1)}>Try again</button>
      </div>`}
      ${page.data &&
      html`<${Page} page=${withoutOpen(page.data, open)} filters=${filters} isLoading=${page.isLoading} />`}
      <p class="muted" role="status">${page.isLoading && !page.data ? "Loading …" : ""}</p>
    </section>
  `;
}

/**
 * A page of the history: the one before stays while another is loaded, so that nothing jumps. One that cannot be loaded
 * is as the node told it last.
 */
function usePage(path, version) {
  const [page, setPage] = useState(() => ({ ...lastReplies.last(path), error: "", isLoading: true }));
  useEffect(() => {
    const leaving = new AbortController();
    setPage((before) => ({ ...before, isLoading: true }));
    lastReplies.load(path, { signal: leaving.signal }).then(({ error }) => {
      if (!leaving.signal.aborted) setPage({ ...lastReplies.last(path), error, isLoading: false });
    });
    return () => leaving.abort();
  }, [path, version]);
  return page;
}

/** Rounds of ours that have ended since the page was opened: with each the history has something new. */
function endedCount() {
  return [...store.rounds.value.values()].filter(({ round }) => round.ended.requester).length;
}

/** Beginnings of the questions of a page, by the rounds' ids. */
function headsOf(page) {
  return new Map((page?.rounds ?? []).map(({ query_id, text }) => [query_id, text]));
}

/** A page without the rounds that are listed as open above it. */
function withoutOpen(page, open) {
  const listed = new Set(open.map((each) => each.id));
  return { ...page, rounds: page.rounds.filter((each) => each.ending !== null || !listed.has(each.query_id)) };
}

function Page({ page, filters, isLoading }) {
  if (page.rounds.length === 0) return html`<${Nothing} filters=${filters} />`;
  return html`
    <ol class=${`history-list ${isLoading ? "loading" : ""}`} aria-busy=${isLoading}>
      ${page.rounds.map((each) => html`<${RoundRow} key=${each.query_id} round=${each} />`)}
    </ol>
    <nav class="row apart" aria-label="Pages">
      ${filters.after ? html`<a href=${hrefOf({ ...filters, after: "" })}>« Newest</a>` : html`<span></span>`}
      ${page.next && html`<a href=${hrefOf({ ...filters, after: page.next })}>Older »</a>`}
    </nav>
  `;
}

function Nothing({ filters }) {
  if (filters.after) {
    return html`<p class="empty">No older rounds. <a href=${hrefOf({ ...filters, after: "" })}>Newest rounds</a></p>`;
  }
  if (isNarrowed(filters)) {
    return html`<p class="empty">
      No round matches. <a href=${hrefOf({ ...NO_FILTERS, gold: filters.gold })}>Show all rounds</a>
    </p>`;
  }
  return html`<p class="empty">This node has not asked anything yet. <a href="#/ask">Ask the swarm</a></p>`;
}
