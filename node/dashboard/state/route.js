/** What the address names: a view and, for some, an id. It stands behind the hash, so that one file can be a page. */

/** Each view's title; those with `href` stand in the navigation, `under` names the entry of the others. */
export const VIEWS = {
  ask: { title: "Ask", href: "#/ask" },
  rounds: { title: "Rounds", href: "#/rounds" },
  round: { title: "Round", under: "rounds" },
  replay: { title: "Replay", under: "verify" },
  network: { title: "Network", href: "#/network" },
  machine: { title: "Machine", href: "#/machine" },
  verify: { title: "Verify", href: "#/verify" },
};

const ID = /^[0-9a-f]{64}$/;

/**
 * Return the view that a hash names, the id in it, and what follows its `?`; for anything else the first view.
 * @param {string} hash such as `#/rounds/<64 hexadecimal digits>` or `#/rounds?task=code`
 * @returns {{view: string, id: string, query: string}}
 */
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name, id = "", ...rest] = path.split("/");
  if (name === "rounds" && ID.test(id) && rest.length === 0) return { view: "round", id, query };
  // A certificate's course is handed over in memory, so its address leads nowhere by itself.
  if (path === "replay" || (id === "" && VIEWS[name]?.href)) return { view: name, id: "", query };
  return { view: "ask", id: "", query: "" };
}

/**
 * Return the address of a round's view.
 * @param {string} id the round's query id
 * @returns {string}
 */
export function roundHref(id) {
  return `#/rounds/${id}`;
}
