import assert from "node:assert/strict";
import { test } from "node:test";

import { COLOURED_CHARS_MAX, runsOf } from "strand/state/tokens.js";

const joined = (runs) => runs.map(({ text }) => text).join("");
const colourOf = (runs, text) => runs.find((run) => run.text.includes(text))?.colour;

test("code becomes runs of text, and nothing is lost or made into markup", () => {
  const code = 'fn a(x: &str) -> u8 { // hi <b>&amp;</b>\n    println!("<img src=x>{}\\n", x); 5u8\n}\n';
  const runs = runsOf(code, "rust");
  assert.equal(joined(runs), code);
  assert.deepEqual(["fn", "u8", "// hi", "<img", "5u8"].map((text) => colourOf(runs, text)), [
    "keyword",
    "type",
    "comment",
    "string",
    "number",
  ]);
});

test("each language that a fence may name is known, with its short names", () => {
  for (const language of ["rust", "rs", "bash", "sh", "c", "ini", "toml", "json", "python", "py"]) {
    assert.ok(runsOf("x = 1 # y", language).length >= 1, language);
  }
  assert.ok(runsOf("let x = 1;", "rs").length > 1);
});

test("other languages, and long code, are shown as they are", () => {
  for (const language of ["", "cobol", "__proto__", "constructor"]) {
    assert.deepEqual(runsOf("let x = 1;", language), [{ text: "let x = 1;", colour: "" }], language);
  }
  assert.equal(runsOf("let x = 1;\n".repeat(COLOURED_CHARS_MAX / 10), "rust").length, 1);
});

test("hostile code is text as any other", () => {
  for (const code of ["</span><script>", '"'.repeat(500), "/*".repeat(500), "r#".repeat(500), "'a".repeat(500)]) {
    assert.equal(joined(runsOf(code, "rust")), code);
  }
});
