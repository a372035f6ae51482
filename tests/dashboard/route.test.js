import assert from "node:assert/strict";
import { test } from "node:test";

import { nodeHref, parseRoute, queryOf, roundHref, VIEWS } from "strand/state/route.js";

const ID = "ab".repeat(32);

test("each entry of the navigation leads to its view", () => {
  for (const [name, { href }] of Object.entries(VIEWS)) if (href) assert.equal(parseRoute(href).view, name);
});

test("a round is named by its id", () => {
  assert.deepEqual(parseRoute(roundHref(ID)), { view: "round", id: ID });
});

test("a node is named by its key", () => {
  assert.deepEqual(parseRoute(nodeHref(ID)), { view: "node", id: ID });
  assert.equal(parseRoute(`#/machine/${ID}`).view, "ask");
});

test("what follows a question mark does not change the view", () => {
  assert.deepEqual(parseRoute("#/rounds?task=code&search=a/b?c"), { view: "rounds", id: "" });
  assert.equal(queryOf("#/rounds?task=code&search=a/b?c"), "task=code&search=a/b?c");
  assert.equal(queryOf("#/rounds"), "");
  assert.deepEqual(parseRoute(`${roundHref(ID)}?x`), { view: "round", id: ID });
});

test("a replay has an address, which needs no id", () => {
  assert.deepEqual(parseRoute("#/replay"), { view: "replay", id: "" });
});

test("what names nothing leads to the first view", () => {
  for (const hash of ["", "#", "#/", "#/nothing", "#/round", "#/rounds/zz", `#/rounds/${ID}/x`, "#/constructor", "#/ask/x"]) {
    assert.equal(parseRoute(hash).view, "ask", hash);
  }
});
