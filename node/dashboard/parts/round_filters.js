/** The form that narrows the history. It changes the address alone, so that what is shown has a link. */

import { useEffect, useId, useRef } from "preact/hooks";
import { Choice } from "strand/parts/choice.js";
import { html } from "strand/parts/html.js";
import { filtersOf, hrefOf, isNarrowed, NO_FILTERS, OUTCOMES, SEARCH_CHARS_MAX } from "strand/state/history.js";
import { queryOf } from "strand/state/route.js";
import { choicesOf, TASKS } from "strand/state/words.js";

/** Pause in typing after which the search begins, ms. */
const TYPING_MS = 300;

/** The choice that narrows nothing. */
const ALL = ["", "all"];

/**
 * Draw the form.
 * @param {{filters: import("strand/state/history.js").Filters}} props
 */
export function RoundFilters({ filters }) {
  const id = useId();
  const typing = useRef(0);
  useEffect(() => () => clearTimeout(typing.current), []);
  const change = (changes) => {
    clearTimeout(typing.current);
    show({ ...changes, after: "" });
  };
  const search = (event) => {
    const text = event.target.value;
    clearTimeout(typing.current);
    typing.current = setTimeout(() => change({ search: text }), TYPING_MS);
  };
  const set = (name) => (value) => change({ [name]: value });
  const submit = (event) => {
    event.preventDefault();
    change({ search: event.target.elements.search.value });
  };
  return html`<form class="filters" role="search" onSubmit=${submit}>
    <div class="field grows">
      <label for=${`${id}-search`}>Search</label>
      <input id=${`${id}-search`} name="search" type="search" value=${filters.search} maxlength=${SEARCH_CHARS_MAX}
        placeholder="in questions and answers" onInput=${search} />
    </div>
    <${Choice} label="Task" value=${filters.task} options=${[ALL, ...choicesOf(TASKS)]} onChoose=${set("task")} />
    <${Choice} label="Outcome" value=${filters.outcome} options=${[ALL, ...OUTCOMES.map((each) => [each, each])]}
      onChoose=${set("outcome")} />
    <${Day} label="Since" value=${filters.since} onChoose=${set("since")} />
    <${Day} label="Until" value=${filters.until} onChoose=${set("until")} />
    <label class="check">
      <input type="checkbox" checked=${filters.gold} onChange=${(event) => change({ gold: event.target.checked })} />
      with gold questions
    </label>
    ${isNarrowed(filters) && html`<a href=${hrefOf({ ...NO_FILTERS, gold: filters.gold })}>Show all</a>`}
  </form>`;
}

/** Go to the address with some filters changed; it takes the present one's place, for typing is no way to walk back. */
function show(changes) {
  location.replace(hrefOf({ ...filtersOf(queryOf(location.hash)), ...changes }));
}

function Day({ label, value, onChoose }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input id=${id} type="date" min="1970-01-01" max="9999-12-31" value=${value}
      onChange=${(event) => onChoose(event.target.value)} />
  </div>`;
}
