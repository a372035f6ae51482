/** Texts of strangers: made visible where they would deceive, and no longer than there is room. */

/**
 * Characters that are not seen or that change how others are read: controls but tab and line feed, what fonts leave out
 * or only obey (zero-width, bidirectional, fillers, tags), line separators, halves of surrogate pairs. The selector
 * that makes a sign an emoji stays.
 */
const DECEIVING = /(?![\t\n\ufe0f])[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Return a text in which each character that would not be seen, or would change the order of others, is its code.
 * @param {string} text
 * @returns {string} such as `a⟨202E⟩b`
 */
export function visible(text) {
  return String(text)
    .replaceAll("\r\n", "\n")
    .replace(DECEIVING, (each) => `⟨${each.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/**
 * Return the beginning of a text in one line.
 * @param {string} text
 * @param {number} max characters, the ellipsis included
 * @returns {string}
 */
export function oneLine(text, max) {
  return capped(visible(String(text).slice(0, 4 * max)).replace(/\s+/g, " ").trim(), max);
}

/**
 * Return a text of at most `max` characters; a longer one ends in an ellipsis.
 * @param {string} text
 * @param {number} max characters, the ellipsis included
 * @returns {string}
 */
export function capped(text, max) {
  if (text.length <= max) return text;
  // A pair of surrogates stays whole.
  const end = /[\ud800-\udbff]/.test(text[max - 2]) ? max - 2 : max - 1;
  return `${text.slice(0, end)}…`;
}

/**
 * Return a line with a capital at its beginning: what the node says in the middle of a line may stand alone here.
 * @param {string} line
 * @returns {string}
 */
export function capital(line) {
  return line.charAt(0).toUpperCase() + line.slice(1);
}
