/** Code as coloured runs of text: the highlighter's tree of tokens, never its markup. Pure. */

import hljs from "highlight.js/core";
import bash from "highlight.js/bash";
import c from "highlight.js/c";
import ini from "highlight.js/ini";
import json from "highlight.js/json";
import python from "highlight.js/python";
import rust from "highlight.js/rust";

/** Longest code in characters that is coloured: some 5 ms. Longer code is shown as it is. */
export const COLOURED_CHARS_MAX = 20_000;

const LANGUAGES = { rust, bash, c, ini, json, python };
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);

/** Scope of a token, up to its first dot -> class of its colour. Other scopes have the text's colour. */
const COLOURS = {
  keyword: "keyword",
  built_in: "function",
  literal: "number",
  number: "number",
  string: "string",
  regexp: "string",
  symbol: "type",
  comment: "comment",
  doctag: "comment",
  meta: "comment",
  type: "type",
  title: "function",
  attr: "type",
  attribute: "type",
  section: "keyword",
  variable: "type",
};

/**
 * @typedef {Object} Run
 * @property {string} text
 * @property {string} colour one of `keyword`, `type`, `string`, `number`, `comment`, `function`, or empty
 */

/**
 * Return code as runs whose texts, joined, are the code.
 * @param {string} code
 * @param {string} language as a fence names it
 * @returns {Run[]}
 */
export function runsOf(code, language) {
  const known = hljs.getLanguage(language);
  if (!known || code.length > COLOURED_CHARS_MAX) return [{ text: code, colour: "" }];
  const { _emitter } = hljs.highlight(code, { language, ignoreIllegals: true });
  const runs = [];
  flatten(_emitter.rootNode.children, "", runs);
  return runs;
}

function flatten(children, colour, runs) {
  for (const child of children) {
    if (typeof child !== "string") flatten(child.children, colourOf(child.scope) || colour, runs);
    else if (runs.at(-1)?.colour === colour) runs.at(-1).text += child;
    else runs.push({ text: child, colour });
  }
}

function colourOf(scope) {
  return COLOURS[scope?.split(".")[0]] ?? "";
}
