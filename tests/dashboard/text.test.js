import assert from "node:assert/strict";
import { test } from "node:test";

import { capped, oneLine, visible } from "strand/state/text.js";

test("what deceives the eye is shown by its code", () => {
  assert.equal(visible("a\u202eb"), "a⟨202E⟩b");
  assert.equal(visible("a\u0000\u001b[31mb\u007f\u009b"), "a⟨0000⟩⟨001B⟩[31mb⟨007F⟩⟨009B⟩");
  assert.equal(visible("\u200b\u200e\u2066\u2069\ufeff\u00ad"), "⟨200B⟩⟨200E⟩⟨2066⟩⟨2069⟩⟨FEFF⟩⟨00AD⟩");
  assert.equal(visible("\u{e0041}\ud800x"), "⟨E0041⟩⟨D800⟩x");
  assert.equal(visible("a\u3164b\ufe01\u{e0100}"), "a⟨3164⟩b⟨FE01⟩⟨E0100⟩");
});

test("lines and the world's letters stay", () => {
  for (const text of ["a\tb\nc", "naïve Straße 漢字 שלום 🦀 ❤️", ""]) assert.equal(visible(text), text);
  assert.equal(visible("a\r\nb"), "a\nb");
  assert.equal(visible("a\rb"), "a⟨000D⟩b");
});

test("one line has one line and an end", () => {
  assert.equal(oneLine("  fn main() {\n\n  }  ", 40), "fn main() { }");
  assert.equal(oneLine("abcdef", 4), "abc…");
  assert.equal(oneLine("x".repeat(1_000_000), 10).length, 10);
});

test("a character outside the basic plane is not cut in half", () => {
  assert.equal(capped("ab🦀cd", 4), "ab…");
  assert.equal(capped("ab🦀cd", 5), "ab🦀…");
  assert.equal(capped("abc", 3), "abc");
});
