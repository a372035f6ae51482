/** What the address names: a view and, for some, an id. It stands behind the hash, so that one file can be a page. */

/** Each view's title; those with `href` stand in the navigation, `under` names the entry of the others. */
export const VIEWS = {
  ask: { title: "Ask", href: "#/ask" },
  rounds: { title: "Rounds", href: "#/rounds" },
  round: { title: "Round", under: "rounds" },
  replay: { title: "Replay", under: "verify" },
  network: { title: "Network", href: "#/network" },
  node: { title: "Node", under: "network" },
  machine: { title: "Machine", href: "#/machine" },
  verify: { title: "Verify", href: "#/verify" },
};

/** Views of one thing, by the view whose address goes on with its id. */
const DETAILS = { rounds: "round", network: "node" };

const ID = /^[0-9a-f]{64}$/;

/**
 * Return the view that a hash names, and the id in it; for anything else the first view.
 * @param {string} hash such as `#/rounds/<64 hexadecimal digits>` or `#/rounds?task=code`
 * @returns {{view: string, id: string}}
 */
export function parseRoute(hash) {
  const [name, id = "", ...rest] = hash.replace(/^#\/?/, "").split("?")[0].split("/");
  if (Object.hasOwn(DETAILS, name) && ID.test(id) && rest.length === 0) return { view: DETAILS[name], id };
  // What is replayed is handed over in memory, so that this address alone leads to an explanation.
  if (id === "" && (VIEWS[name]?.href || name === "replay")) return { view: name, id: "" };
  return { view: "ask", id: "" };
}

/**
 * Return what a hash says beside its view, such as the filters of a list.
 * @param {string} hash
 * @returns {string} what follows the first `?`; empty without one
 */
export function queryOf(hash) {
  return hash.includes("?") ? hash.slice(hash.indexOf("?") + 1) : "";
}

/**
 * Return the address of a round's view.
 * @param {string} id the round's query id
 * @returns {string}
 */
export function roundHref(id) {
  return `#/rounds/${id}`;
}

/**
 * Return the address of a node's view.
 * @param {string} key the node's public key
 * @returns {string}
 */
export function nodeHref(key) {
  return `#/network/${key}`;
}
