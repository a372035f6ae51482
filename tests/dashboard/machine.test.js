import assert from "node:assert/strict";
import { test } from "node:test";

import {
  engineFacts, engineState, machineFacts, originWords, probeRows, refusedWords, roleFacts, servingState, settingFiles,
  settingTables, strangerFacts, toolsState, valueWords, versionRows,
} from "strand/state/machine.js";

const SERVER = { name: "vLLM", stage: "ready", progress: null, seconds: 75, restarts: 0, pid: 7, trouble: null };
const PROBE = {
  kind: "url", model: "M", context_tokens: 4096, tokens_per_second: 31.2, judging: "by logprobs", logprobs: 20, constraint: "", models: ["M"],
  adapters: [], cache_report: "usage", refused: [], skip: "", thinking_tokens: 0, control_tokens: [],
};
const ENGINE = {
  answers: true, server: null, trouble: null, kind: "url", probe: PROBE, tokens_per_second: 40.5, concurrency: 4,
  in_flight: 1, working_on: 1, asked: { answers: 2, judgements: 1 }, abstentions: 0, failures: 0, last_failure: null,
  roles: {
    answer: { offered: true, rounds_failed: 0, in_a_row: 0, reason: null },
    judge: { offered: false, rounds_failed: 3, in_a_row: 2, reason: "no\u202epreference" },
  },
  judgement_ms: 120, cache: { tokens: 100, hits: 40, hit_rate: 0.4 },
};
const LEFT = {
  rounds_this_hour: null, rounds_today: 5, tokens_this_hour: null, tokens_today: null, engine_s_this_hour: 900,
};
const COST = { rounds: 1, tokens: 20, engine_s: 0.5 };
const SERVING = {
  whom: "everyone", serves_nobody: false, open: true, why_not: null, paused_for_ms: null,
  strangers: { hour: COST, day: COST, left: LEFT }, requesters: [], refused: { busy: 1, off_hours: 4 }, ignored: 2,
};
const STATUS = {
  store: "ok", store_size: { bytes: 2048, bytes_max: 0 }, certificates: 3,
  clock: { peers: 4, offset_ms: 3, ours_is_off: false, off: 1 },
  connections: { inbound: 2, inbound_max: 96, half_open: 0, refused: {} },
  tools: { state: "ready", versions: "rustc 1.95.0", why_off: "", remedy: "", challenges: true },
  versions: { software: "0.1", wire: 3, aggregator: "hbt/3" },
  network: "devnet", params_digest: "ab", specialty: "rust", data_dir: "/home/a",
};

const named = (facts, name) => facts.find((each) => each.name === name);

test("an engine replies, starts, or is down", () => {
  assert.deepEqual(engineState(ENGINE), { word: "replies", why: "", tone: "good" });
  const starting = { ...SERVER, stage: "loading weights", progress: "3 of 7" };
  assert.deepEqual(engineState({ ...ENGINE, answers: false, server: starting }), {
    word: "loading weights", why: "3 of 7, for 1 min 15 s", tone: "warn",
  });
  const down = { ...ENGINE, answers: false, server: { ...SERVER, stage: "down", trouble: "out of memory" } };
  assert.deepEqual(engineState(down), { word: "down", why: "out of memory", tone: "bad" });
  const gone = { ...ENGINE, answers: false, trouble: "refused\u0007" };
  assert.deepEqual(engineState(gone), { word: "does not reply", why: "refused⟨0007⟩", tone: "bad" });
});

test("an engine's figures: what is not there is left out", () => {
  const facts = engineFacts({ ...ENGINE, failures: 2, last_failure: "timeout", server: { ...SERVER, restarts: 1 } });
  assert.match(named(facts, "Failures").meaning, /The last: timeout\./);
  assert.equal(named(facts, "Failures").tone, "warn");
  assert.equal(named(facts, "Restarts").figure, "1");
  assert.equal(named(facts, "Cache").figure, "40 %");
  assert.equal(named(facts, "Speed").figure, "40.5 tokens/s");
  assert.match(named(facts, "Speed").meaning, /^Best recent .* The last probe had 31\.2 tokens\/s, which/);
  const few = engineFacts({ ...ENGINE, probe: null, cache: null, judgement_ms: null, tokens_per_second: 0 });
  assert.equal(named(few, "Model").figure, "not known");
  assert.equal(named(few, "Speed").figure, "not measured");
  assert.equal(named(few, "Speed").meaning, "Best recent speed of writing an answer.");
  for (const name of ["Cache", "Context", "One comparison", "Restarts"]) assert.equal(named(few, name), undefined);
});

test("roles that are not offered say why, in characters that are seen", () => {
  const [answering, judging] = roleFacts(ENGINE);
  assert.deepEqual([answering.figure, judging.figure], ["offered", "not offered"]);
  assert.match(judging.meaning, /3 rounds without a result, 2 of them since the last success: no⟨202E⟩preference/);
});

test("what a probe found", () => {
  assert.deepEqual(probeRows(null), []);
  assert.deepEqual(new Map(probeRows(PROBE)).get("All models"), "M");
});

test("work for others is open, paused, out of hours, or for nobody", () => {
  const state = (changes) => servingState({ ...SERVING, open: false, ...changes });
  assert.equal(servingState(SERVING).word, "open");
  assert.match(state({ why_not: "paused" }).why, /until it is resumed/);
  assert.match(state({ why_not: "paused", paused_for_ms: 90_000 }).why, /for 1 min 30 s more/);
  assert.equal(state({ why_not: "off_hours" }).word, "off hours");
  assert.equal(state({ why_not: "stopping" }).word, "stopping");
  assert.match(state({ serves_nobody: true }).why, /none is named/);
});

test("strangers' cost and allowance", () => {
  const facts = strangerFacts(SERVING.strangers);
  assert.equal(facts[0].figure, "1 round, 20 tokens, 500 ms of the engine");
  assert.equal(facts[2].figure, "15 min 00 s of the engine");
  assert.match(facts[2].meaning, /also 5 rounds today/);
  const spent = strangerFacts({ ...SERVING.strangers, left: { ...LEFT, engine_s_this_hour: 0 } });
  assert.equal(spent[2].tone, "warn");
});

test("refusals, the commonest first", () => {
  assert.equal(refusedWords(SERVING), "off hours: 4, too fast to be read: 2, busy: 1");
  assert.equal(refusedWords({ refused: {}, ignored: 0 }), "");
});

test("tools are ready, being looked for, or off with a remedy", () => {
  assert.equal(toolsState(STATUS.tools).tone, "good");
  assert.equal(toolsState({ ...STATUS.tools, state: "opening" }).word, "opening");
  const off = toolsState({ ...STATUS.tools, state: "off", why_off: "no bwrap", remedy: "install it" });
  assert.deepEqual([off.word, off.remedy, off.tone], ["off", "install it", "warn"]);
});

test("disk, clock and connections", () => {
  const facts = machineFacts(STATUS);
  assert.equal(named(facts, "Store").figure, "2.0 KiB");
  assert.match(named(facts, "Clock").meaning, /agrees with 3 of 4 peers/);
  assert.equal(named(facts, "Newcomers").figure, "challenged");
  const bad = machineFacts({
    ...STATUS,
    store: "full: no room",
    store_size: { bytes: 99, bytes_max: 100 },
    certificates: null,
    clock: { peers: 4, offset_ms: -90_000, ours_is_off: true, off: 4 },
    connections: { ...STATUS.connections, refused: { handshake: 2 } },
  });
  assert.deepEqual([named(bad, "Disk").tone, named(bad, "Disk").meaning], ["bad", "full: no room"]);
  assert.deepEqual([named(bad, "Store").figure, named(bad, "Store").tone], ["99 B of 100 B", "warn"]);
  assert.equal(named(bad, "Clock").figure, "off by 1 min 30 s");
  assert.match(named(bad, "Inbound connections").meaning, /handshake: 2/);
  const unread = machineFacts({ ...STATUS, store_size: null, clock: { ...STATUS.clock, peers: 0 } });
  assert.equal(named(unread, "Store").figure, "cannot be read");
  assert.equal(named(unread, "Clock").figure, "not compared");
});

test("versions by name", () => {
  assert.deepEqual(versionRows(STATUS).slice(0, 3), [["Software", "strand 0.1"], ["Wire", "3"], ["Fit", "hbt/3"]]);
});

const SETTINGS = {
  "node.name": { value: "", origin: "default" },
  "node.network": { value: "devnet", origin: "flag" },
  "api.token": { value: "(set)", origin: "environment STRAND_API_TOKEN" },
  "engine.kind": { value: "url", origin: "/etc/strand/node.toml" },
};

test("settings by table: those that somebody set, or all, that a search finds", () => {
  const keys = (...wanted) => settingTables(SETTINGS, ...wanted).flatMap(({ settings }) => settings.map(({ key }) => key));
  assert.deepEqual(keys("", false), ["node.network", "api.token", "engine.kind"]);
  assert.equal(keys("", true).length, 4);
  assert.deepEqual(keys(" DEVNET ", true), ["node.network"]);
  assert.deepEqual(keys("strand_api", true), ["api.token"]);
  assert.deepEqual(keys("nothing", true), []);
});

test("values stand as in the file, secrets do not, and paths are short", () => {
  assert.deepEqual([valueWords(["a"]), valueWords(""), valueWords("(set)")], ['["a"]', '""', "(set, not shown)"]);
  assert.deepEqual(settingFiles(SETTINGS), ["/etc/strand/node.toml"]);
  const words = Object.values(SETTINGS).map(({ origin }) => originWords(origin));
  assert.deepEqual(words, ["default", "flag", "environment STRAND_API_TOKEN", "node.toml"]);
});
