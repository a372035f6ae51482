/** Two texts side by side: which lines are equal, and which words of the others differ. Pure. */

import { diffLines } from "diff/line";
import { diffWordsWithSpace } from "diff/word";

/** Longest time in ms that finding the difference may take; then all lines count as different. */
const TIME_MS_MAX = 200;

/** Most lines of one side: more would take seconds to draw. */
export const LINES_MAX = 2_000;

/** Longest line in characters of which the differing words are marked. */
const MARKED_CHARS_MAX = 1_000;

/** Share of a line that must stay for its other words to be marked. */
const ALIKE_MIN = 0.4;

/**
 * @typedef {Object} Side
 * @property {number} line from 1
 * @property {{text: string, marked: boolean}[]} parts
 */

/**
 * @typedef {Object} Row
 * @property {"same" | "changed" | "left" | "right"} kind `left`, `right`: the line stands on that side alone
 * @property {Side | null} left
 * @property {Side | null} right
 */

/**
 * Return the rows of two texts.
 * @param {string} left
 * @param {string} right
 * @returns {{rows: Row[], is_cut: boolean}} `is_cut`: one is longer than LINES_MAX lines
 */
export function diffRows(left, right) {
  const [one, other] = [left, right].map(linesOf);
  const is_cut = Math.max(one.length, other.length) > LINES_MAX;
  const [a, b] = [one, other].map((lines) => lines.slice(0, LINES_MAX));
  return { rows: rowsOf(changesOf(a, b)), is_cut };
}

/** Return the changes as lists of lines. */
function changesOf(a, b) {
  const whole = (lines) => lines.map((line) => `${line}\n`).join("");
  const found = diffLines(whole(a), whole(b), { timeout: TIME_MS_MAX });
  if (!found) return [{ removed: true, lines: a }, { added: true, lines: b }];
  return found.map(({ added, removed, value }) => ({ added, removed, lines: linesOf(value) }));
}

function linesOf(text) {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function rowsOf(changes) {
  const rows = [];
  let [left, right] = [0, 0];
  for (let index = 0; index < changes.length; index += 1) {
    const { added, removed, lines } = changes[index];
    const next = changes[index + 1];
    if (removed && next?.added) {
      rows.push(...changed(lines, next.lines, left, right));
      left += lines.length;
      right += next.lines.length;
      index += 1;
      continue;
    }
    for (const line of lines) {
      const plain = [{ text: line, marked: false }];
      if (!added) left += 1;
      if (!removed) right += 1;
      rows.push({
        kind: added ? "right" : removed ? "left" : "same",
        left: added ? null : { line: left, parts: plain },
        right: removed ? null : { line: right, parts: plain },
      });
    }
  }
  return rows;
}

/** Rows of lines that replace others: those at the same place stand beside each other, with their words compared. */
function changed(removed, added, left, right) {
  const rows = [];
  for (let index = 0; index < Math.max(removed.length, added.length); index += 1) {
    const [old, now] = [removed[index], added[index]];
    const [oldParts, nowParts] = old === undefined || now === undefined ? [plain(old), plain(now)] : words(old, now);
    rows.push({
      kind: old === undefined ? "right" : now === undefined ? "left" : "changed",
      left: old === undefined ? null : { line: left + index + 1, parts: oldParts },
      right: now === undefined ? null : { line: right + index + 1, parts: nowParts },
    });
  }
  return rows;
}

function plain(text = "") {
  return [{ text, marked: false }];
}

function words(old, now) {
  if (Math.max(old.length, now.length) > MARKED_CHARS_MAX) return [plain(old), plain(now)];
  const found = diffWordsWithSpace(old, now, { timeout: TIME_MS_MAX });
  if (!found) return [plain(old), plain(now)];
  const kept = found.reduce((sum, { added, removed, value }) => sum + (added || removed ? 0 : value.trim().length), 0);
  // Two lines that have little in common are two lines: marks all over them would say nothing.
  if (kept < ALIKE_MIN * Math.max(old.trim().length, now.trim().length)) return [plain(old), plain(now)];
  const without = (key) => found.filter((each) => !each[key]);
  const parts = (list) => list.map(({ value, added, removed }) => ({ text: value, marked: Boolean(added || removed) }));
  return [parts(without("added")), parts(without("removed"))];
}

/**
 * Return the rows for one column: of a changed line the old one, then the new one.
 * @param {Row[]} rows
 * @returns {{sign: " " | "−" | "+", left: number | null, right: number | null, parts: Side["parts"]}[]}
 */
export function unified(rows) {
  const found = [];
  let waiting = [];
  const flush = () => {
    found.push(...waiting);
    waiting = [];
  };
  for (const { kind, left, right } of rows) {
    if (kind === "same") {
      flush();
      found.push({ sign: " ", left: left.line, right: right.line, parts: left.parts });
      continue;
    }
    // The old lines of a block of changes stand together, before the new ones.
    if (left) found.push({ sign: "−", left: left.line, right: null, parts: left.parts });
    if (right) waiting.push({ sign: "+", left: null, right: right.line, parts: right.parts });
  }
  flush();
  return found;
}
