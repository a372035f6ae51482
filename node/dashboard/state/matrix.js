/** The matrix of compared pairs, as something that can be drawn cheaply at any size. Pure. */

import { comparisonsOf } from "strand/state/derived.js";
import { percent } from "strand/state/format.js";

/** Shades of one cell, from `the row loses for sure` to `the row wins for sure`; the middle one is neither. */
export const SHADES = 11;

/**
 * @typedef {Object} Cell
 * @property {number} row place of the row's answer
 * @property {number} column place of the column's answer
 * @property {number | null} share mean preference for the row's answer; null: all judges abstained
 * @property {number} count judgements without abstentions
 * @property {number} abstained
 * @property {Object} pair as `comparisonsOf` tells it
 */

/**
 * Return the cells of the pairs that were compared, each pair twice: as its row sees it.
 * @param {import("./round.js").Round} round
 * @param {number[]} order numbers of answers, in the order of rows and columns
 * @returns {Cell[]}
 */
export function cellsOf(round, order) {
  const place = new Map(order.map((number, index) => [number, index]));
  return comparisonsOf(round).flatMap((pair) => {
    const [low, high] = [place.get(pair.low), place.get(pair.high)];
    if (low === undefined || high === undefined) return [];
    const abstained = pair.judgements.filter((each) => each.preference === null).length;
    const both = { count: pair.judgements.length - abstained, abstained, pair };
    const other = pair.share === null ? null : 1 - pair.share;
    return [
      { row: low, column: high, share: pair.share, ...both },
      { row: high, column: low, share: other, ...both },
    ];
  });
}

/**
 * Return the shade of a share.
 * @param {number} share from 0 to 1
 * @returns {number} from 0 to SHADES - 1
 */
export function shadeOf(share) {
  return Math.min(SHADES - 1, Math.max(0, Math.round(share * (SHADES - 1))));
}

/**
 * Return one SVG path for all cells of each shade: a round of 64 answers is a dozen elements then, not four thousand.
 * @param {Cell[]} cells
 * @param {number} size of a cell, px
 * @returns {{shade: number | "abstained", path: string}[]} shades without cells are left out
 */
export function pathsOf(cells, size) {
  const paths = new Map();
  const side = size > 8 ? size - 1 : size;
  for (const { row, column, share } of cells) {
    const shade = share === null ? "abstained" : shadeOf(share);
    const square = `M${column * size} ${row * size}h${side}v${side}h${-side}z`;
    paths.set(shade, (paths.get(shade) ?? "") + square);
  }
  return [...paths].map(([shade, path]) => ({ shade, path }));
}

/**
 * Return the size of a cell so that the matrix fits, within what can be read and pointed at.
 * @param {number} answers
 * @param {number} room px
 * @returns {number} px
 */
export function cellSize(answers, room) {
  return Math.max(8, Math.min(56, Math.floor(room / Math.max(1, answers))));
}

/**
 * Return what a pair's judgements say in one sentence.
 * @param {Cell | undefined} cell undefined: the pair was not compared
 * @param {string} row name of the row's answer
 * @param {string} column name of the column's answer
 * @returns {string}
 */
export function cellWords(cell, row, column) {
  if (!cell) return `${row} and ${column} were not compared`;
  const abstained = cell.abstained ? `, ${cell.abstained} abstained` : "";
  if (cell.share === null) return `${row} and ${column}: no judgement (${cell.abstained} abstained)`;
  const number = `${cell.count} ${cell.count === 1 ? "judgement" : "judgements"}${abstained}`;
  if (Math.abs(cell.share - 0.5) < 0.005) return `${row} and ${column} are even (${number})`;
  const [winner, loser, share] = cell.share > 0.5 ? [row, column, cell.share] : [column, row, 1 - cell.share];
  return `${winner} beats ${loser} with ${percent(share)} (${number})`;
}
