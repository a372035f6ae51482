import assert from "node:assert/strict";
import { test } from "node:test";

import { ladderOf } from "strand/state/ladder.js";
import { emptyRound } from "strand/state/round.js";

const standing = (number, strength, interval = null) => ({ number, author: "aa", strength, p_best: 0.5, interval });
const wave = (number, ...ranking) => ({ wave: number, ranking });
const after = (...strengths) => ladderOf({ ...emptyRound(), strengths });

test("without a wave there is no ladder", () => {
  assert.equal(after(), null);
  assert.equal(after(wave(0)), null);
});

test("rungs are best first, with the places that they gained", () => {
  const { wave: last, rungs } = after(wave(0, standing(0, 1), standing(1, 0)), wave(1, standing(1, 2), standing(0, 0.5)));
  assert.equal(last, 1);
  assert.deepEqual(rungs.map(({ number, place, moved }) => [number, place, moved]), [[1, 0, 1], [0, 1, -1]]);
  assert.deepEqual(rungs.map(({ before }) => before.length), [1, 1]);
});

test("strengths, intervals and earlier waves lie on one scale", () => {
  const { low, high, rungs } = after(wave(0, standing(0, -4)), wave(1, standing(0, 1, [-1, 3])));
  assert.ok(low < -4 && high > 3);
  const [rung] = rungs;
  assert.ok(rung.before[0] < rung.low && rung.low < rung.at && rung.at < rung.high && rung.high < 1);
});

test("a node of an earlier version tells no interval", () => {
  const [rung] = after(wave(0, standing(0, 1))).rungs;
  assert.deepEqual([rung.low, rung.high, rung.at], [null, null, 0.5]);
});

test("differences that are none do not fill the scale", () => {
  const { rungs } = after(wave(0, standing(0, 5.001), standing(1, 5)));
  assert.ok(Math.abs(rungs[0].at - rungs[1].at) < 0.01);
});
