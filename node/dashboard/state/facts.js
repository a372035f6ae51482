/** A figure with its explanation. Pure. */

/**
 * @typedef {Object} Fact
 * @property {string} name
 * @property {any} figure text, or what is drawn in its place
 * @property {any} meaning what the figure says, in one or two sentences; empty: nothing more
 * @property {"" | "good" | "warn" | "bad"} tone
 */

/**
 * Return a fact.
 * @param {string} name
 * @param {any} figure
 * @param {any} [meaning]
 * @param {Fact["tone"]} [tone]
 * @returns {Fact}
 */
export function fact(name, figure, meaning = "", tone = "") {
  return { name, figure, meaning, tone };
}
