/** What a machine does for the swarm, in words: engine, work for others, tools, store, clock, settings. Pure. */

import { fact } from "strand/state/facts.js";
import { count, duration, percent, size } from "strand/state/format.js";
import { oneLine } from "strand/state/text.js";

/** Longest text of a server or a machine that is shown, in characters. */
const SAID_CHARS_MAX = 300;

/** @typedef {import("./facts.js").Fact} Fact */

const said = (text) => oneLine(text, SAID_CHARS_MAX);

/**
 * Return whether the engine replies, in one word with its reason.
 * @param {Object} engine as of /api/engine
 * @returns {{word: string, why: string, tone: "good" | "warn" | "bad"}}
 */
export function engineState({ answers, server, trouble }) {
  const stage = server && server.stage !== "ready" ? server.stage : "";
  const why = said(trouble ?? server?.trouble ?? "");
  if (answers) return { word: "replies", why: "", tone: "good" };
  if (stage && stage !== "down") {
    const progress = [server.progress && said(server.progress), `for ${duration(server.seconds * 1000)}`];
    return { word: stage, why: progress.filter(Boolean).join(", "), tone: "warn" };
  }
  return { word: stage || "does not reply", why, tone: "bad" };
}

/**
 * Return the engine's figures.
 * @param {Object} engine as of /api/engine
 * @returns {Fact[]}
 */
export function engineFacts(engine) {
  const { probe, asked, cache, judgement_ms, tokens_per_second: speed } = engine;
  const work = count(engine.working_on, "answer or ballot", "answers and ballots");
  // Other nodes, and the network's table, are told the probe's.
  const probed = probe ? ` The last probe had ${probe.tokens_per_second} tokens/s, which the node's offers say.` : "";
  const requests = `${count(asked.answers, "answer")} and ${count(asked.judgements, "comparison")}`;
  return [
    fact("Model", probe ? said(probe.model) : "not known", `Kind of engine: ${engine.kind}.`),
    probe && fact("Context", `${probe.context_tokens} tokens`, "Of one request, prompt and answer together."),
    fact("Speed", speed ? `${speed} tokens/s` : "not measured", `Best recent speed of writing an answer.${probed}`),
    fact(
      "Load",
      `${engine.in_flight} of ${engine.concurrency}`,
      `Requests without a reply, of as many at once as keep it busy. ${work} in progress.`,
    ),
    fact("Requests", `${asked.answers + asked.judgements}`, `${requests} since the node's start.`),
    failures(engine),
    engine.server && restarts(engine.server),
    judgement_ms !== null &&
      fact("One comparison", duration(judgement_ms), "Waiting included; an average of the last ones."),
    cache &&
      fact("Cache", percent(cache.hit_rate), `Of ${cache.tokens} tokens of prompts ${cache.hits} were there already.`),
  ].filter(Boolean);
}

function failures({ failures, abstentions, last_failure }) {
  const words = [
    last_failure && `The last: ${said(last_failure)}.`,
    abstentions > 0 && `Beside them ${count(abstentions, "reply", "replies")} held no preference.`,
  ];
  const meaning = words.filter(Boolean).join(" ") || "Requests that failed since the node's start.";
  return fact("Failures", `${failures}`, meaning, failures + abstentions ? "warn" : "");
}

function restarts({ name, pid, restarts, trouble }) {
  const process = pid ? ` as process ${pid}` : "";
  const ended = trouble ? ` It last ended: ${said(trouble)}.` : "";
  return fact("Restarts", `${restarts}`, `${said(name)}, run by this node${process}.${ended}`, restarts ? "warn" : "");
}

/**
 * Return the roles with what the engine made of them.
 * @param {Object} engine as of /api/engine
 * @returns {Fact[]}
 */
export function roleFacts({ roles }) {
  const names = { answer: "Answering", judge: "Judging" };
  return Object.entries(roles).map(([role, { offered, rounds_failed, in_a_row, reason }]) =>
    fact(
      names[role] ?? role,
      offered ? "offered" : "not offered",
      rounds_failed
        ? `Left ${count(rounds_failed, "round")} without a result, ${in_a_row} of them since the last success` +
            `${reason ? `: ${said(reason)}` : ""}.`
        : "No round was left without a result.",
      offered ? "good" : "warn",
    ),
  );
}

/**
 * Return what the last probe found, for those who look closer.
 * @param {Object | null} probe
 * @returns {[string, string][]} names and values
 */
export function probeRows(probe) {
  if (probe === null) return [];
  const list = (names) => names.join(", ") || "none";
  return [
    ["States a preference", probe.judging],
    ["Alternatives per token", probe.logprobs ? `${probe.logprobs}` : "not listed"],
    ["Constrains a text by", probe.constraint || "nothing"],
    ["Tells cached tokens by", probe.cache_report],
    ["Disables thinking by", probe.skip || "nothing"],
    ["Tokens for thoughts", `${probe.thinking_tokens}`],
    ["Refused parameters", list(probe.refused)],
    ["Control tokens", list(probe.control_tokens)],
    ["All models", list(probe.models)],
    ["Adapters", list(probe.adapters)],
  ];
}

const WHOM = { everyone: "everyone", reputation: "nodes that it knows", named: "named keys" };

/**
 * Return whom the node works for.
 * @param {Object} serving as of /api/serving
 * @returns {{word: string, why: string, tone: "good" | "warn"}}
 */
export function servingState(serving) {
  const { open, why_not, paused_for_ms, serves_nobody } = serving;
  const whom = WHOM[serving.whom] ?? serving.whom;
  if (serves_nobody) {
    return { word: "works for nobody", why: "Only named keys are served, and none is named ([serve]).", tone: "warn" };
  }
  if (open) return { word: "open", why: `It works for ${whom}.`, tone: "good" };
  if (why_not === "paused") {
    const until = paused_for_ms === null ? "until it is resumed" : `for ${duration(paused_for_ms)} more`;
    return { word: "paused", why: `It joins no rounds of other nodes ${until}.`, tone: "warn" };
  }
  if (why_not === "stopping") return { word: "stopping", why: "The node finishes what it holds.", tone: "warn" };
  return { word: "off hours", why: `It works for nobody at this hour; else for ${whom}.`, tone: "warn" };
}

/**
 * Return the cost of strangers and what they may still use.
 * @param {Object} strangers
 * @returns {Fact[]}
 */
export function strangerFacts({ hour, day, left }) {
  const limits = [
    left.rounds_this_hour !== null && `${count(left.rounds_this_hour, "round")} this hour`,
    left.rounds_today !== null && `${count(left.rounds_today, "round")} today`,
    left.tokens_this_hour !== null && `${left.tokens_this_hour} tokens this hour`,
    left.tokens_today !== null && `${left.tokens_today} tokens today`,
  ].filter(Boolean);
  const spent = left.engine_s_this_hour <= 0;
  return [
    fact("Strangers, last hour", costWords(hour), "What unknown requesters have cost."),
    fact("Strangers, last day", costWords(day)),
    fact("Left for strangers", `${duration(left.engine_s_this_hour * 1000)} of the engine`,
      `In this hour${limits.length ? `; also ${limits.join(", ")}` : ""}.`, spent ? "warn" : ""),
  ];
}

/**
 * @param {{rounds: number, tokens: number, engine_s: number}} cost
 * @returns {string} such as `2 rounds, 2348 tokens, 1.5 s of the engine`
 */
export function costWords({ rounds, tokens, engine_s }) {
  return `${count(rounds, "round")}, ${count(tokens, "token")}, ${duration(engine_s * 1000)} of the engine`;
}

/**
 * Return why queries were refused, the commonest first.
 * @param {Object} serving as of /api/serving
 * @returns {string} empty if none was
 */
export function refusedWords({ refused, ignored }) {
  const reasons = Object.entries(refused);
  if (ignored) reasons.push(["too fast to be read", ignored]);
  reasons.sort(([, one], [, other]) => other - one);
  return reasons.map(([reason, number]) => `${reason.replaceAll("_", " ")}: ${number}`).join(", ");
}

/**
 * Return whether the node tests Rust answers.
 * @param {Object} tools as of /api/status
 * @returns {{word: string, why: string, remedy: string, tone: "good" | "warn" | ""}}
 */
export function toolsState({ state, versions, why_off, remedy }) {
  if (state === "ready") {
    return { word: "ready", why: `It tests Rust answers with ${said(versions)}.`, remedy: "", tone: "good" };
  }
  if (state === "opening") {
    return { word: "opening", why: "It looks for a sandbox and a compiler.", remedy: "", tone: "" };
  }
  return { word: "off", why: `It cannot test Rust answers: ${said(why_off)}.`, remedy: said(remedy), tone: "warn" };
}

/**
 * Return the state of store, clock and connections.
 * @param {Object} status as of /api/status
 * @returns {Fact[]}
 */
export function machineFacts(status) {
  const { store, store_size, clock, connections, certificates } = status;
  const takes = store === "ok";
  const turned = Object.entries(connections.refused).map(([reason, number]) => `${reason}: ${number}`).join(", ");
  return [
    fact("Disk", takes ? "takes writes" : "refuses", takes ? "" : said(store), takes ? "good" : "bad"),
    storeFact(store_size),
    fact("Certificates", certificates === null ? "not known" : `${certificates}`, "Outcomes of rounds, stored here."),
    clockFact(clock),
    fact("Inbound connections", `${connections.inbound} of ${connections.inbound_max}`,
      `${connections.half_open} of them not complete.${turned ? ` Refused since the start: ${turned}.` : ""}`),
    newcomers(status.tools),
  ];
}

function newcomers({ challenges, state }) {
  const now = state === "ready" ? "challenged" : "not challenged now";
  const meaning = "Whether strangers get tasks, to find out what they can do. For that this node must test answers.";
  return fact("Newcomers", challenges ? now : "not challenged", meaning);
}

function storeFact(stored) {
  if (stored === null) return fact("Store", "cannot be read", "", "bad");
  const { bytes, bytes_max } = stored;
  if (!bytes_max) return fact("Store", size(bytes), "There is no quota (node.store_bytes_max).");
  const isFull = bytes > 0.95 * bytes_max;
  const meaning = `${percent(bytes / bytes_max)} of its quota; beyond it the oldest history is deleted.`;
  return fact("Store", `${size(bytes)} of ${size(bytes_max)}`, meaning, isFull ? "warn" : "");
}

function clockFact({ peers, offset_ms, ours_is_off, off }) {
  if (!peers) return fact("Clock", "not compared", "No peer's clock was compared yet.");
  const others = count(peers, "peer");
  if (ours_is_off) {
    const offset = duration(Math.abs(offset_ms));
    return fact("Clock", `off by ${offset}`, `From most of ${others}: set this machine's clock.`, "bad");
  }
  const agrees = `It agrees with ${peers - off} of ${others}; the median offset is ${offset_ms} ms.`;
  return fact("Clock", "right", agrees, "good");
}

/**
 * Return versions as names and values.
 * @param {Object} status as of /api/status
 * @returns {[string, string][]}
 */
export function versionRows({ versions, network, params_digest, specialty, data_dir }) {
  return [
    ["Software", `strand ${versions.software}`],
    ["Wire", `${versions.wire}`],
    ["Fit", versions.aggregator],
    ["Network", network],
    ["Parameters", params_digest],
    ["Specialty", specialty],
    ["Folder", data_dir],
  ];
}

/** Where a value may come from, as far as colours go. */
const IS_DEFAULT = "default";

/**
 * Return the settings that a search finds, by table.
 * @param {Record<string, {value: any, origin: string}>} settings as of /api/config
 * @param {string} search part of a key, a value or an origin
 * @param {boolean} all whether values that nobody set are listed, too
 * @returns {{table: string, settings: {key: string, value: string, origin: string, isSet: boolean}[]}[]}
 */
export function settingTables(settings, search, all) {
  const wanted = search.trim().toLowerCase();
  const tables = new Map();
  for (const [name, { value, origin }] of Object.entries(settings)) {
    const setting = { key: name, value: valueWords(value), origin, isSet: origin !== IS_DEFAULT };
    const text = `${name} ${setting.value} ${origin}`.toLowerCase();
    if (!(all || setting.isSet) || !text.includes(wanted)) continue;
    const table = name.slice(0, name.lastIndexOf("."));
    tables.set(table, [...(tables.get(table) ?? []), setting]);
  }
  return [...tables].map(([table, found]) => ({ table, settings: found }));
}

/**
 * Return the files from which settings come.
 * @param {Record<string, {origin: string}>} settings as of /api/config
 * @returns {string[]}
 */
export function settingFiles(settings) {
  return [...new Set(Object.values(settings).map(({ origin }) => origin))].filter(isFile);
}

/**
 * Return where a value comes from in few words.
 * @param {string} origin `default`, `flag`, a variable, or a file's path
 * @returns {string} of a path the last part
 */
export function originWords(origin) {
  return isFile(origin) ? origin.slice(origin.lastIndexOf("/") + 1) : origin;
}

function isFile(origin) {
  return origin.includes("/") && !origin.startsWith("environment ");
}

/**
 * Return a setting's value as the configuration file would have it.
 * @param {any} value
 * @returns {string}
 */
export function valueWords(value) {
  if (value === "(set)") return "(set, not shown)";
  return JSON.stringify(value);
}
