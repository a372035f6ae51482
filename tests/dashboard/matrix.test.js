import assert from "node:assert/strict";
import { test } from "node:test";

import { cellsOf, cellSize, cellWords, pathsOf, shadeOf } from "strand/state/matrix.js";
import { emptyRound } from "strand/state/round.js";

const pair = (first, second, preference) => ({ first, second, preference });
const round = {
  ...emptyRound(),
  ballots: [
    { judge: "aa", wave: 0, pairs: [pair(0, 1, 0.9), pair(2, 0, 0.5)] },
    { judge: "bb", wave: 0, pairs: [pair(1, 0, 0.3), pair(1, 2, null)] },
    { judge: "cc", wave: 1, pairs: [pair(0, 1, null)] },
  ],
};

const at = (cells, row, column) => cells.find((each) => each.row === row && each.column === column);

test("each pair is told as its row sees it, whichever answer was shown first", () => {
  const cells = cellsOf(round, [1, 0, 2]);
  assert.equal(cells.length, 6);
  const [row, column] = [at(cells, 1, 0), at(cells, 0, 1)];
  assert.ok(Math.abs(row.share - 0.8) < 1e-9 && Math.abs(column.share - 0.2) < 1e-9);
  assert.deepEqual([row.count, row.abstained], [2, 1]);
});

test("a pair whose judges all abstained has no share", () => {
  const cell = at(cellsOf(round, [0, 1, 2]), 1, 2);
  assert.deepEqual([cell.share, cell.count, cell.abstained], [null, 0, 1]);
  assert.equal(cellWords(cell, "#2", "#3"), "#2 and #3: no judgement (1 abstained)");
});

test("answers that are not in the order have no cells", () => {
  assert.deepEqual(cellsOf(round, [0]), []);
});

test("words say who wins, and how surely", () => {
  const cells = cellsOf(round, [0, 1, 2]);
  assert.equal(cellWords(at(cells, 0, 1), "#1", "#2"), "#1 beats #2 with 80 % (2 judgements, 1 abstained)");
  assert.equal(cellWords(at(cells, 1, 0), "#2", "#1"), "#1 beats #2 with 80 % (2 judgements, 1 abstained)");
  assert.equal(cellWords(at(cells, 0, 2), "#1", "#3"), "#1 and #3 are even (1 judgement)");
  assert.equal(cellWords(undefined, "#1", "#4"), "#1 and #4 were not compared");
});

test("a matrix of any size is a dozen paths", () => {
  const order = Array.from({ length: 64 }, (_, number) => number);
  const pairs = order.flatMap((first) => order.slice(first + 1).map((second) => pair(first, second, (first % 11) / 10)));
  const cells = cellsOf({ ...emptyRound(), ballots: [{ judge: "aa", wave: 0, pairs }] }, order);
  const paths = pathsOf(cells, cellSize(64, 512));
  assert.equal(cells.length, 64 * 63);
  assert.ok(paths.length <= 12);
  assert.equal(paths.map(({ path }) => path.split("M").length - 1).reduce((a, b) => a + b), cells.length);
});

test("shades go from loss to win", () => {
  assert.deepEqual([0, 0.04, 0.5, 0.96, 1].map(shadeOf), [0, 0, 5, 10, 10]);
  assert.deepEqual([1, 5, 16, 64].map((answers) => cellSize(answers, 512)), [56, 56, 32, 8]);
});
