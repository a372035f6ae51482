/** The ladder: where each answer stands after each wave, and how surely. Pure. */

/** Least width of the scale, log-odds: without it, rounding noise would look like a difference. */
const WIDTH_MIN = 0.5;

/**
 * @typedef {Object} Rung
 * @property {number} number the answer's number
 * @property {string} author
 * @property {number} place from 0
 * @property {number} moved places gained since the wave before; 0 in the first
 * @property {number} strength log-odds
 * @property {number} p_best
 * @property {number} at place of the strength on the scale, from 0 to 1
 * @property {number | null} low place of the interval's lower bound on the scale; null: no interval is known
 * @property {number | null} high
 * @property {number[]} before places of the strengths of earlier waves on the scale, the oldest first
 */

/**
 * Return the rungs after the latest wave, best first, on a scale that holds all waves up to then.
 *
 * Strengths have no zero of their own (findings and records shift them all), so the scale says only who is ahead.
 * @param {import("./round.js").Round} round
 * @returns {{wave: number, low: number, high: number, rungs: Rung[]} | null} null before the first wave
 */
export function ladderOf({ strengths }) {
  const last = strengths.at(-1);
  if (!last?.ranking.length) return null;
  const { low, high } = rangeOf(strengths.flatMap((each) => each.ranking));
  const onScale = (value) => (value - low) / (high - low);
  const earlier = strengths.slice(0, -1);
  const places = earlier.map(({ ranking }) => new Map(ranking.map((each, place) => [each.number, place])));
  const rungs = last.ranking.map(({ number, author, strength, p_best, interval }, place) => {
    const before = earlier.map((wave, index) => wave.ranking[places[index].get(number)]?.strength);
    const placeBefore = places.at(-1)?.get(number) ?? null;
    return {
      number,
      author,
      place,
      moved: placeBefore === null ? 0 : placeBefore - place,
      strength,
      p_best,
      at: onScale(strength),
      low: interval ? onScale(interval[0]) : null,
      high: interval ? onScale(interval[1]) : null,
      before: before.filter(Number.isFinite).map(onScale),
    };
  });
  return { wave: last.wave, low, high, rungs };
}

function rangeOf(standings) {
  const values = standings.flatMap(({ strength, interval }) => [strength, ...(interval ?? [])]);
  let low = values.reduce((least, each) => Math.min(least, each), Infinity);
  let high = values.reduce((most, each) => Math.max(most, each), -Infinity);
  if (high - low < WIDTH_MIN) {
    const middle = (low + high) / 2;
    [low, high] = [middle - WIDTH_MIN / 2, middle + WIDTH_MIN / 2];
  }
  const edge = (high - low) * 0.04;
  return { low: low - edge, high: high + edge };
}
