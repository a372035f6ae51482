/** Looks of nodes: a colour and a mark for each key, so that the eye finds it again beside its digits. Pure. */

/** Members up to which colours alone are far enough apart. */
const HUES_ALONE_MAX = 8;

/** Forms of a swatch: members with neighbouring colours get different ones. */
export const MARKS = ["full", "hollow", "half"];

/**
 * @typedef {Object} Look
 * @property {number} hue degrees, from 0 to 359
 * @property {string} mark one of MARKS
 */

/**
 * Return the look of a key by itself: it is always the same, and another key may have nearly the same.
 * @param {string} key hexadecimal
 * @returns {Look}
 */
export function lookOf(key) {
  // The golden angle keeps neighbouring numbers apart.
  const hue = Math.round(((parseInt(key.slice(0, 6), 16) || 0) * 137.508) % 360) % 360;
  return { hue, mark: MARKS[0] };
}

/**
 * Return looks of keys that are seen together: hues evenly spread, in the order of those that they have by themselves.
 * @param {string[]} keys
 * @returns {Map<string, Look>}
 */
export function looksOf(keys) {
  const own = (key) => lookOf(key).hue;
  const ordered = [...new Set(keys)].sort((a, b) => own(a) - own(b) || (a < b ? -1 : 1));
  const marks = ordered.length > HUES_ALONE_MAX ? MARKS : MARKS.slice(0, 1);
  // Hues are a circle: the last one's neighbour is the first.
  const isLikeFirst = (place) => place === ordered.length - 1 && place % marks.length === 0;
  const look = (place) => ({
    hue: Math.floor((360 * (place + 0.5)) / ordered.length),
    mark: marks[(isLikeFirst(place) ? 1 : place) % marks.length],
  });
  return new Map(ordered.map((key, place) => [key, look(place)]));
}

/**
 * Return the colour of a hue: all have one lightness, which stands out from both themes' grounds.
 * @param {number} hue degrees
 * @returns {string} as CSS has it
 */
export function colourOf(hue) {
  return `oklch(0.6 0.14 ${hue})`;
}
