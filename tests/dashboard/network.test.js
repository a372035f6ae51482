import assert from "node:assert/strict";
import { test } from "node:test";

import {
  drawing, DRAWN_MAX, nodeRows, rolesWords, shapeOf, sorted, totals, tripWords, wireTrouble,
} from "strand/state/network.js";

const OWN = "aa".repeat(32);
const keyOf = (number) => number.toString(16).padStart(64, "0");

const STATUS = {
  key: OWN,
  addresses: ["/ip4/127.0.0.1/tcp/1"],
  engine: { model: "mine", tokens_per_second: 40 },
  working_on: 2,
  tools: { versions: "" },
  serving: { open: true },
  versions: { wire: 3 },
};

const peer = (number, changes = {}) => ({
  key: keyOf(number),
  addresses: [],
  connected: true,
  direction: "inbound",
  round_trip_ms: 5,
  clock_offset_ms: 1,
  score: 1,
  score_reason: "",
  wires: [3],
  offers: { roles: ["answer", "judge"], model: "M", tokens_per_second: 10, queue: 0, tool_versions: "" },
  host: "10.0.0.1",
  in_mesh: true,
  last_seen_ms: 5,
  ...changes,
});

const gone = { connected: false, direction: null, host: "", in_mesh: false };

function rowsOf(...peers) {
  const nodes = [{ key: keyOf(1), weights: { code: { vote: 0.5 } } }];
  const engine = { roles: { answer: { offered: true }, judge: { offered: false } } };
  return nodeRows({ status: STATUS, engine, peers: { peers }, reputation: { nodes } });
}

test("a node is reached directly, through others, or not", () => {
  const rows = rowsOf(peer(1), peer(2, gone), peer(3, { ...gone, offers: null }));
  assert.deepEqual(rows.map(({ way }) => way), ["self", "direct", "through", "away"]);
  assert.deepEqual(rows.map(({ weight }) => weight), [null, 0.5, null, null]);
  assert.deepEqual(rows.map(({ round_trip_ms }) => round_trip_ms), [null, 5, null, null]);
  assert.deepEqual(totals(rows), { direct: 1, through: 1, away: 1, answer: 3, judge: 2 });
});

test("rows are sorted by any column, and what is unknown comes last", () => {
  const rows = rowsOf(
    peer(1, { round_trip_ms: 90 }),
    peer(2, { ...gone, last_seen_ms: 3 }),
    peer(3, { round_trip_ms: 10, offers: null }),
    peer(4, { ...gone, last_seen_ms: null }),
  );
  const order = (column, descending) => sorted(rows, column, descending).map(({ key }) => parseInt(key.slice(-2), 16));
  assert.deepEqual(order("trip", false), [3, 1, 2, 4, 0xaa]);
  assert.deepEqual(order("trip", true), [1, 3, 2, 4, 0xaa]);
  assert.deepEqual(order("seen", true), [1, 3, 0xaa, 2, 4]);
  assert.deepEqual(order("way", false), [0xaa, 1, 3, 2, 4]);
  assert.deepEqual(order("model", false).slice(-1), [3]);
  for (const column of ["key", "roles", "speed", "queue", "weight", "score"]) assert.equal(order(column, true).length, 5);
});

test("roles and round trips in words", () => {
  assert.equal(rolesWords({ roles: ["answer", "judge"] }), "answers, judges");
  assert.equal(rolesWords({ roles: [] }), "no role now");
  assert.equal(rolesWords({ roles: null }), "");
  assert.deepEqual([null, 0.41, 12, 1_500].map(tripWords), ["–", "0.4 ms", "12 ms", "1.5 s"]);
  const shapes = [null, [], ["answer"], ["judge"], ["answer", "judge"]].map((roles) => shapeOf({ roles }));
  assert.deepEqual(shapes, ["ring", "ring", "square", "triangle", "circle"]);
});

test("another wire has its remedy", () => {
  assert.equal(wireTrouble({ wires: [] }, 3), "");
  assert.equal(wireTrouble({ wires: [2, 3] }, 3), "");
  assert.match(wireTrouble({ wires: [4] }, 3), /upgrade this node$/);
  assert.match(wireTrouble({ wires: [2] }, 3), /upgrade it$/);
});

test("near peers are drawn near, and those without a connection outermost", () => {
  const { rings, points } = drawing(
    rowsOf(peer(1, { round_trip_ms: 2 }), peer(2, { round_trip_ms: 100 }), peer(3, gone), peer(4, { round_trip_ms: null })),
    false,
  );
  assert.equal(points.length, 4, "this node is the middle");
  assert.deepEqual(rings.map(({ words }) => words), [
    "under 30 ms", "30 to 150 ms", "150 ms and more, or not measured yet", "no connection",
  ]);
  const far = points.map(({ x, y }) => Math.round(Math.hypot(x, y)));
  assert.deepEqual(far, [rings[0].r, rings[1].r, rings[3].r, rings[2].r].map(Math.round));
});

test("a peer keeps its direction when its round trip changes", () => {
  const angles = (trip) =>
    drawing(rowsOf(peer(1, { round_trip_ms: trip }), peer(2)), false).points.map(({ x, y }) => Math.atan2(y, x).toFixed(6));
  assert.deepEqual(angles(5), angles(500));
});

test("as many as are drawn do not cover each other, and stay within the picture", () => {
  for (const [number, small] of [[0, false], [1, false], [6, true], [10, false], [DRAWN_MAX, false], [DRAWN_MAX, true]]) {
    const peers = Array.from({ length: number }, (_, each) => peer(each + 1, { round_trip_ms: [5, 100, 900][each % 3] }));
    const { size, points } = drawing(rowsOf(...peers), small);
    for (const [place, one] of points.entries()) {
      assert.ok(Math.hypot(one.x, one.y) + one.r <= size / 2);
      for (const other of points.slice(place + 1)) {
        assert.ok(Math.hypot(one.x - other.x, one.y - other.y) > 1.9 * one.r, `${number} ${small}`);
      }
    }
    if (number === DRAWN_MAX) assert.ok(points.every(({ label }) => small === (label === null)));
    // A key of eight characters is some 50 units long.
    for (const { label } of points) if (label) assert.ok(Math.hypot(label.x, label.y) + 10 <= size / 2);
  }
});

test("labels are never upside down", () => {
  const peers = Array.from({ length: 40 }, (_, each) => peer(each + 1));
  for (const { label } of drawing(rowsOf(...peers), false).points) {
    assert.ok(Math.cos((label.turn * Math.PI) / 180) > -1e-9);
  }
});
