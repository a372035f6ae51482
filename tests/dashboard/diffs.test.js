import assert from "node:assert/strict";
import { test } from "node:test";

import { diffRows, LINES_MAX, unified } from "strand/state/diffs.js";

const text = (side) => side?.parts.map((part) => (part.marked ? `[${part.text}]` : part.text)).join("") ?? null;
const shown = (rows) => rows.map(({ kind, left, right }) => [kind, text(left), text(right)]);

test("equal texts have equal rows", () => {
  const { rows, is_cut } = diffRows("a\nb", "a\nb\n");
  assert.deepEqual(shown(rows), [["same", "a", "a"], ["same", "b", "b"]]);
  assert.equal(is_cut, false);
});

test("of lines that replace others the differing words are marked", () => {
  const { rows } = diffRows("fn a() {\n  x + 1\n}\n", "fn a() {\n  x - 1\n}\n");
  assert.deepEqual(shown(rows)[1], ["changed", "  x [+] 1", "  x [-] 1"]);
  assert.deepEqual([rows[1].left.line, rows[1].right.line, rows[2].right.line], [2, 2, 3]);
});

test("lines of one side alone leave room on the other, and numbers go on", () => {
  const { rows } = diffRows("a\nc\nd\n", "a\nb\nc\nd\ne\n");
  assert.deepEqual(rows.map(({ kind }) => kind), ["same", "right", "same", "same", "right"]);
  assert.deepEqual(rows.map(({ left, right }) => [left?.line ?? 0, right?.line ?? 0]), [[1, 1], [0, 2], [2, 3], [3, 4], [0, 5]]);
});

test("blocks of different length stand beside each other as far as they go", () => {
  const { rows } = diffRows("one\ntwo\n", "three\n");
  assert.deepEqual(rows.map(({ kind }) => kind), ["changed", "left"]);
});

test("in one column the old lines of a block come before the new ones", () => {
  const { rows } = diffRows("a\nx1\nx2\nz\n", "a\ny1\ny2\nz\n");
  const lines = unified(rows).map(({ sign, left, right }) => `${sign}${left ?? ""}/${right ?? ""}`);
  assert.deepEqual(lines, [" 1/1", "−2/", "−3/", "+/2", "+/3", " 4/4"]);
});

test("empty texts, and texts that are too long", () => {
  assert.deepEqual(diffRows("", "").rows, []);
  assert.deepEqual(shown(diffRows("", "a").rows), [["right", null, "a"]]);
  const { rows, is_cut } = diffRows("a\n".repeat(LINES_MAX + 5), "b\n");
  assert.ok(is_cut && rows.length <= LINES_MAX + 1);
});

test("lines that have little in common have no marks", () => {
  const { rows } = diffRows("let total = values.iter().sum();\n", "/// Return the sum of a slice.\n");
  assert.ok([rows[0].left, rows[0].right].every((side) => side.parts.every(({ marked }) => !marked)));
});

test("a long line is not searched for words", () => {
  const { rows } = diffRows(`${"a ".repeat(5_000)}\n`, `${"b ".repeat(5_000)}\n`);
  assert.ok(rows[0].left.parts.every(({ marked }) => !marked));
});
