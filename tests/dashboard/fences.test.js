import assert from "node:assert/strict";
import { test } from "node:test";

import { piecesOf } from "strand/state/fences.js";

const short = (text) => piecesOf(text).map(({ kind, text: piece, language }) => [kind, language, piece]);

test("prose and code take turns", () => {
  assert.deepEqual(short("Use it:\n\n```rust\nfn f() {}\n\n```\n\nDone.\n"), [
    ["prose", "", "Use it:"],
    ["code", "rust", "fn f() {}\n"],
    ["prose", "", "Done."],
  ]);
});

test("a fence ends with one that is as long, of its own sign", () => {
  assert.deepEqual(short("````\n```\n~~~\n````"), [["code", "", "```\n~~~"]]);
  assert.deepEqual(short("~~~ Rust,ignore\nx\n~~~"), [["code", "rust", "x"]]);
});

test("a fence that nobody closes holds the rest, an empty one nothing", () => {
  assert.deepEqual(short("a\n```c\nint x;"), [["prose", "", "a"], ["code", "c", "int x;"]]);
  assert.deepEqual(short("```\n```"), [["code", "", ""]]);
  assert.deepEqual(short(""), []);
});

test("line ends of other systems, and indented prose", () => {
  assert.deepEqual(short("\r\n\r\n  a\r\nb  \r\n"), [["prose", "", "  a\nb"]]);
  assert.deepEqual(short("`code` within ``` prose"), [["prose", "", "`code` within ``` prose"]]);
});
