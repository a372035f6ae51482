import assert from "node:assert/strict";
import { test } from "node:test";

import { filtersOf, hrefOf, isNarrowed, NO_FILTERS, pathOf, withoutFences } from "strand/state/history.js";

const ALL = {
  search: "a & b=ä?",
  task: "final",
  outcome: "degraded",
  since: "2025-03-09",
  until: "2025-03-10",
  gold: true,
  after: "1795922218957.ab",
};
const read = (href) => filtersOf(href.split("?").slice(1).join("?"));

test("filters stand in the address and are read from it", () => {
  assert.equal(hrefOf(NO_FILTERS), "#/rounds");
  assert.deepEqual(filtersOf(""), NO_FILTERS);
  assert.deepEqual(read(hrefOf(ALL)), ALL);
});

test("what is no filter is left aside", () => {
  const odd = "task=poem&outcome=won&since=2025-02-30&until=yesterday&gold=yes&constructor=1&search=" + "x".repeat(300);
  assert.deepEqual(filtersOf(odd), { ...NO_FILTERS, search: "x".repeat(200) });
  assert.equal(filtersOf("task=constructor").task, "");
});

test("the request has whole days of the reader's time zone", () => {
  const given = new URLSearchParams(pathOf(ALL).split("?")[1]);
  assert.equal(Number(given.get("since_ms")), new Date(2025, 2, 9).getTime());
  assert.equal(Number(given.get("until_ms")), new Date(2025, 2, 11).getTime() - 1);
  assert.deepEqual([given.get("gold"), given.get("after"), given.get("search")], ["1", ALL.after, ALL.search]);
  assert.equal(pathOf(NO_FILTERS), "/api/rounds?limit=20");
  assert.equal(pathOf({ ...NO_FILTERS, search: "  " }), "/api/rounds?limit=20");
});

test("a page or gold alone narrow nothing", () => {
  assert.equal(isNarrowed({ ...NO_FILTERS, gold: true, after: "1.ab" }), false);
  for (const name of ["search", "task", "outcome", "since", "until"]) {
    assert.equal(isNarrowed({ ...NO_FILTERS, [name]: ALL[name] }), true, name);
  }
});

test("an answer in one line has no fences", () => {
  assert.equal(withoutFences("Use it:\n```rust\nfn f() {}\n```").replace(/\s+/g, " ").trim(), "Use it: fn f() {}");
});
