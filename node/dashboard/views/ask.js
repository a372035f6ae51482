/** Asks the swarm: a conversation whose questions are rounds, with their answers and how sure the swarm is. */

import { useEffect, useRef, useState } from "preact/hooks";
import { store } from "strand/live.js";
import { Composer } from "strand/parts/composer.js";
import { Exchange } from "strand/parts/exchange.js";
import { html } from "strand/parts/html.js";
import { getJson } from "strand/state/api.js";
import { Talk } from "strand/state/talk.js";

/** Questions to begin with. */
const EXAMPLES = [
  "Write a Rust function that finds the first string longer than 10 characters in a vector.",
  "Write fn merge(a: &[i32], b: &[i32]) -> Vec<i32> that merges two sorted slices.",
  "Why does the borrow checker refuse to push to a vector while I iterate over it? Show the usual ways out.",
];

/** The page's conversation: it goes on while other views are shown. */
const talk = new Talk(tabStorage());

export function AskView() {
  const [configured, setConfigured] = useState({});
  const writing = useRef(null);
  const exchanges = talk.exchanges.value;
  useEffect(() => {
    // Without it the options say less; a node that does not answer says so elsewhere.
    getJson("/api/config").then(({ data }) => data && setConfigured(data.settings));
  }, []);
  const example = (text) => {
    talk.write(text);
    writing.current.focus();
  };
  return html`
    <div class="row apart">
      <h1>Ask</h1>
      ${exchanges.length > 0 && html`<button type="button" onClick=${() => talk.clear()}>New conversation</button>`}
    </div>
    ${exchanges.length === 0
      ? html`<${Beginning} example=${example} />`
      : html`<ol class="ask-exchanges">
          ${exchanges.map(
            (each) => html`<${Exchange} key=${each.number} exchange=${each} talk=${talk} rounds=${store.rounds} />`,
          )}
        </ol>`}
    <${Composer} talk=${talk} configured=${configured} writing=${writing} />
  `;
}

function Beginning({ example }) {
  return html`<section class="ask-beginning" aria-labelledby="beginning">
    <h2 id="beginning">What should the swarm answer?</h2>
    <p class="muted">
      Several models answer, each by itself; then they judge each other's answers. You get the best one, how sure the
      swarm is of it, and a certificate that anybody can check.
    </p>
    <ul class="ask-examples">
      ${EXAMPLES.map(
        (text) => html`<li><button type="button" onClick=${() => example(text)}>${text}</button></li>`,
      )}
    </ul>
  </section>`;
}

/** The tab's storage; null where it is forbidden. */
function tabStorage() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
