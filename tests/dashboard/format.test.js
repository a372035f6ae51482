import assert from "node:assert/strict";
import { test } from "node:test";

import { ago, count, duration, moment, percent, shortKey, size, toldAt } from "strand/state/format.js";

test("a probability is never called certain unless it is", () => {
  const told = [0, 0.004, 0.5, 0.994, 0.999, 1].map(percent);
  assert.deepEqual(told, ["0 %", "< 1 %", "50 %", "> 99 %", "> 99 %", "100 %"]);
  assert.equal(percent(null), "–");
});

test("durations have the unit that suits them", () => {
  const told = [0, 999.4, 2_400, 59_949, 59_950, 185_000, 3_599_600, 7_800_000, 273_600_000].map(duration);
  const expected = ["0 ms", "999 ms", "2.4 s", "59.9 s", "1 min 00 s", "3 min 05 s", "1 h 00 min", "2 h 10 min", "3 d 4 h"];
  assert.deepEqual(told, expected);
});

test("how long ago", () => {
  const now = Date.UTC(2025, 2, 9);
  const told = [0, 120_000, 3 * 3_600_000, 5 * 86_400_000].map((each) => ago(now - each, now));
  assert.deepEqual(told, ["just now", "2 min ago", "3 h ago", "5 d ago"]);
  assert.match(ago(now - 100 * 86_400_000, now), /^2024-11-\d\d$/);
  assert.equal(ago(now + 5_000, now), "just now");
});

test("what was told today has a time, what is older has its day, too", () => {
  const noon = new Date(2025, 2, 9, 12, 0, 7).getTime();
  assert.equal(toldAt(noon, noon + 3_600_000), "12:00:07");
  assert.equal(toldAt(noon, noon + 24 * 3_600_000), "2025-03-09 12:00:07");
});

test("a moment that is none", () => {
  assert.equal(moment(Number.NaN), "–");
  assert.match(moment(0), /^19(69|70)-\d\d-\d\d \d\d:\d\d:00$/);
});

test("keys, sizes and counts", () => {
  assert.equal(shortKey("0123456789abcdef"), "01234567");
  assert.deepEqual([812, 14_541, 3_250_586].map(size), ["812 B", "14.2 KiB", "3.1 MiB"]);
  assert.deepEqual([0, 1, 2].map((each) => count(each, "answer")), ["0 answers", "1 answer", "2 answers"]);
  assert.equal(count(2, "judge of", "judges of"), "2 judges of");
});
