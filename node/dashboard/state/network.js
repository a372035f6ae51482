/** The network as one node knows it: rows of a table, and places in a picture of its connections. Pure. */

import { duration } from "strand/state/format.js";

/** Most peers that are drawn: more are told by the table alone. */
export const DRAWN_MAX = 64;

/** Upper ends in ms of the rings of connected peers; the last ring has no end. */
const RINGS_MS = [30, 150, Infinity];

/** Most peers that have their words below them; above, a key stands along its own ray. */
const WORDS_MAX = 10;
const WORDS_MAX_SMALL = 6;

/** How a node is reached. */
export const WAYS = {
  self: "this node",
  direct: "direct",
  through: "through others",
  away: "not connected",
};

const WAY_RANK = { self: 0, direct: 1, through: 2, away: 3 };

/**
 * @typedef {Object} NodeRow one node of the network
 * @property {string} key
 * @property {"self" | "direct" | "through" | "away"} way `through`: its offers arrive, but there is no connection
 * @property {string} direction `inbound`, `outbound`, or empty
 * @property {boolean} in_mesh whether gossip goes to it in full at once
 * @property {number | null} round_trip_ms
 * @property {number | null} offset_ms its clock's offset from ours
 * @property {string[] | null} roles those that it offers; null without an offer
 * @property {string} model
 * @property {number | null} speed tokens per second, as it states
 * @property {number | null} queue pieces of work in progress, as it states
 * @property {string} tools versions of what it tests with; empty if it cannot
 * @property {number | null} score of gossip; null for this node
 * @property {string} score_reason
 * @property {number[]} wires
 * @property {number | null} weight of its vote in a round for code
 * @property {number | null} seen_ms when it was last connected, ms since the Unix epoch
 * @property {string} host
 * @property {string[]} addresses
 */

/** Statistics of nobody, for those who do not show them, or do not know them yet. */
export const NO_REPUTATION = Object.freeze({ nodes: [] });

/**
 * Return a row for each node: this one first, then peers in the order in which the node tells them.
 * @param {{status: Object, engine: Object, peers: Object, reputation: Object}} told replies of the API by these names
 * @returns {NodeRow[]}
 */
export function nodeRows({ status, engine, peers, reputation }) {
  const weights = new Map(reputation.nodes.map(({ key, weights }) => [key, weights.code?.vote ?? null]));
  const weightOf = (key) => weights.get(key) ?? null;
  return [ownRow(status, engine, weightOf), ...peers.peers.map((peer) => peerRow(peer, weightOf))];
}

function ownRow(status, { roles }, weightOf) {
  const { engine, serving, tools } = status;
  return {
    key: status.key,
    way: "self",
    direction: "",
    in_mesh: false,
    round_trip_ms: null,
    offset_ms: null,
    roles: serving.open ? Object.keys(roles).filter((role) => roles[role].offered) : [],
    model: engine?.model ?? "",
    speed: engine?.tokens_per_second ?? null,
    queue: status.working_on,
    tools: tools.versions,
    score: null,
    score_reason: "",
    wires: [status.versions.wire],
    weight: weightOf(status.key),
    seen_ms: null,
    host: "",
    addresses: status.addresses,
  };
}

function peerRow(peer, weightOf) {
  const { offers } = peer;
  const absent = offers ? "through" : "away";
  return {
    key: peer.key,
    way: peer.connected ? "direct" : absent,
    direction: peer.direction ?? "",
    in_mesh: peer.in_mesh,
    round_trip_ms: peer.connected ? peer.round_trip_ms : null,
    offset_ms: peer.clock_offset_ms,
    roles: offers?.roles ?? null,
    model: offers?.model ?? "",
    speed: offers?.tokens_per_second ?? null,
    queue: offers?.queue ?? null,
    tools: offers?.tool_versions ?? "",
    score: peer.score,
    score_reason: peer.score_reason,
    wires: peer.wires,
    weight: weightOf(peer.key),
    seen_ms: peer.last_seen_ms,
    host: peer.host,
    addresses: peer.addresses,
  };
}

/** What each column is sorted by. */
const SORTED_BY = {
  key: (row) => row.key,
  way: (row) => WAY_RANK[row.way],
  trip: (row) => row.round_trip_ms,
  roles: (row) => rolesWords(row) || null,
  model: (row) => row.model.toLowerCase() || null,
  speed: (row) => row.speed,
  queue: (row) => row.queue,
  weight: (row) => row.weight,
  seen: (row) => (row.way === "direct" || row.way === "self" ? Infinity : row.seen_ms),
  score: (row) => row.score,
  address: (row) => row.addresses[0] ?? null,
};

/**
 * Return the rows in the order of a column; what is unknown comes last in both directions.
 * @param {NodeRow[]} rows
 * @param {string} column
 * @param {boolean} descending
 * @returns {NodeRow[]}
 */
export function sorted(rows, column, descending) {
  const by = SORTED_BY[column];
  const turn = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [by(one), by(other)];
    if (a === b) return one.key < other.key ? -1 : 1;
    if (a === null || b === null) return a === null ? 1 : -1;
    return a < b ? -turn : turn;
  });
}

/**
 * Return the roles that a node offers in words.
 * @param {NodeRow} row
 * @returns {string} empty without an offer
 */
export function rolesWords({ roles }) {
  if (roles === null) return "";
  const words = { answer: "answers", judge: "judges" };
  return roles.map((role) => words[role] ?? role).join(", ") || "no role now";
}

/**
 * Return the round trip of a ping.
 * @param {number | null} ms
 * @returns {string} such as `0.4 ms`, `120 ms`; `–` if it is unknown
 */
export function tripWords(ms) {
  if (ms === null) return "–";
  return ms < 10 ? `${ms.toFixed(1)} ms` : duration(ms);
}

/**
 * Return why no message is exchanged with a peer of another wire version, with the remedy.
 * @param {NodeRow} row
 * @param {number} own version of this node's wire
 * @returns {string} empty if it speaks ours, or has not told
 */
export function wireTrouble({ wires }, own) {
  if (wires.length === 0 || wires.includes(own)) return "";
  const theirs = wires[wires.length - 1];
  return `speaks wire ${theirs}, this node wire ${own}: upgrade ${theirs > own ? "this node" : "it"}`;
}

/**
 * Return what the rows come to.
 * @param {NodeRow[]} rows
 * @returns {{direct: number, through: number, away: number, answer: number, judge: number}}
 */
export function totals(rows) {
  const total = { direct: 0, through: 0, away: 0, answer: 0, judge: 0 };
  for (const { way, roles } of rows) {
    if (way !== "self") total[way] += 1;
    for (const role of roles ?? []) if (role in total) total[role] += 1;
  }
  return total;
}

/** The shape of a node by the roles that it offers. */
export function shapeOf({ roles }) {
  if (!roles?.length) return "ring";
  if (roles.length > 1) return "circle";
  return roles[0] === "answer" ? "square" : "triangle";
}

/**
 * Return where each peer is drawn: around this node, the nearer the shorter its round trip; those without a connection
 * outermost. A peer keeps its direction while the others stay, whatever its round trip.
 * @param {NodeRow[]} rows
 * @param {boolean} small whether the picture is for a phone
 * @returns {{size: number, rings: {r: number, words: string}[], points: Object[]}} points have `row`, `x`, `y`, `r`
 *   (from the middle, y downwards), and `label` (`x`, `y`, `turn`, `anchor`) or null
 */
export function drawing(rows, small) {
  const peers = rows.filter(({ way }) => way !== "self").sort((one, other) => (one.key < other.key ? -1 : 1));
  const hasWords = peers.length <= (small ? WORDS_MAX_SMALL : WORDS_MAX);
  const size = small ? 340 : hasWords ? 460 : 640;
  const margin = hasWords ? 44 : small ? 12 : 68;
  const used = [...new Set(peers.map(ringOf))].sort();
  const outer = size / 2 - margin;
  const inner = used.length === 1 ? outer : outer * 0.5;
  const radius = (place) => inner + ((outer - inner) * place) / Math.max(1, used.length - 1);
  const slot = (2 * Math.PI) / Math.max(1, peers.length);
  const r = hasWords ? 9 : Math.max(3, Math.min(7, (slot * inner) / 2.4));
  const points = peers.map((row, place) => {
    const angle = slot * (place + 0.5) - Math.PI / 2;
    const at = radius(used.indexOf(ringOf(row)));
    const [x, y] = [at * Math.cos(angle), at * Math.sin(angle)];
    return { row, x, y, r, label: hasWords ? below(x, y, r) : small ? null : along(angle, at + r + 4) };
  });
  return { size, rings: used.map((ring, place) => ({ r: radius(place), words: ringWords(ring) })), points };
}

function below(x, y, r) {
  return { x, y: y + r + 13, turn: 0, anchor: "middle" };
}

/** A label along the ray on which its node lies, never upside down. */
function along(angle, at) {
  const degrees = (angle * 180) / Math.PI;
  const isLeft = Math.cos(angle) < 0;
  return {
    x: at * Math.cos(angle),
    y: at * Math.sin(angle),
    turn: isLeft ? degrees + 180 : degrees,
    anchor: isLeft ? "end" : "start",
  };
}

/** The ring of a peer, from the middle: those of RINGS_MS, and one for peers without a connection. */
function ringOf({ way, round_trip_ms }) {
  if (way !== "direct") return RINGS_MS.length;
  return round_trip_ms === null ? RINGS_MS.length - 1 : RINGS_MS.findIndex((end) => round_trip_ms < end);
}

function ringWords(ring) {
  if (ring === RINGS_MS.length) return "no connection";
  if (ring === 0) return `under ${RINGS_MS[0]} ms`;
  if (ring === RINGS_MS.length - 1) return `${RINGS_MS[ring - 1]} ms and more, or not measured yet`;
  return `${RINGS_MS[ring - 1]} to ${RINGS_MS[ring]} ms`;
}
