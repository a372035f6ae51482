import assert from "node:assert/strict";
import { test } from "node:test";

import { LINE_CHARS_MAX, readLines } from "strand/state/lines.js";

/** A body that arrives in these pieces. */
function body(...pieces) {
  const bytes = pieces.map((each) => (typeof each === "string" ? new TextEncoder().encode(each) : each));
  return ReadableStream.from(bytes);
}

async function all(stream) {
  const found = [];
  for await (const value of readLines(stream)) found.push(value);
  return found;
}

test("lines may be cut anywhere, also within a character", async () => {
  const bytes = new TextEncoder().encode('{"a":"ä"}\n\n{"b":2}\n');
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    assert.deepEqual(await all(body(bytes.slice(0, cut), bytes.slice(cut))), [{ a: "ä" }, { b: 2 }]);
  }
});

test("a last line may have no end", async () => {
  assert.deepEqual(await all(body('{"a":1}\n{"b"', ":2}")), [{ a: 1 }, { b: 2 }]);
});

test("a line without an end is not collected for ever", async () => {
  const endless = new ReadableStream({ pull: (to) => to.enqueue(new TextEncoder().encode("x".repeat(1 << 16))) });
  await assert.rejects(all(endless), RangeError);
  assert.ok(LINE_CHARS_MAX >= 6 * 64 * 1024);
});

test("what is no JSON is an error", async () => {
  await assert.rejects(all(body("<html>\n")), SyntaxError);
});
