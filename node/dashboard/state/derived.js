/** What views read out of a round. Pure. */

import { oneLine } from "strand/state/text.js";
import { phaseWords } from "strand/state/words.js";

/**
 * Return whether a round goes on no more for this node.
 * @param {import("./round.js").Round} round
 * @returns {boolean}
 */
export function isOver(round) {
  // The asking node is a member as well, and its member's part ends first.
  return Boolean(round.asked ? round.ended.requester || round.certified : round.ended.member);
}

/**
 * Return the latest phase's progress; null before the first.
 * @param {import("./round.js").Round} round
 * @returns {Object | null}
 */
export function phaseOf(round) {
  return round.phases.at(-1) ?? null;
}

/**
 * Return in a few words where a round is.
 * @param {import("./round.js").Round} round
 * @returns {string} such as `judging, wave 2: 3 of 4`, `decided`
 */
export function stateWords(round) {
  const outcome = round.certified?.outcome ?? round.decided?.outcome ?? round.ended.requester?.outcome;
  if (isOver(round)) return outcome ?? round.ended.requester?.ending ?? round.ended.member?.ending;
  const phase = phaseOf(round);
  if (!phase) return round.joined ? "joined" : "asked";
  return `${phaseWords(phase.phase, phase.wave)}: ${phase.received.length} of ${phase.expected.length}`;
}

/**
 * Return the beginning of the question in one line; empty if its text is not known.
 * @param {import("./round.js").Round} round
 * @param {number} max characters
 * @returns {string}
 */
export function questionLine(round, max) {
  const turn = round.asked?.turns?.findLast((each) => each.role === "user");
  return turn ? oneLine(turn.text, max) : "";
}

/**
 * Return the members with what each has done, in the roster's order.
 *
 * `state` is a member's part in the latest phase: `received`, `waiting`, `silent`, `refused`, `declined`, or `none` if
 * the phase expects nothing of it; `reason` is why, if it refused or declined.
 * @param {import("./round.js").Round} round
 * @returns {{key: string, roles: string[], vote_weight: number | null, judge_weight: number | null, state: string,
 *   reason: string, answer: number | null, ballots: number, reports: number}[]}
 */
export function membersOf(round) {
  const seats = new Map((round.asked?.seats ?? []).map((seat) => [seat.member, seat]));
  const keys = new Set([
    ...seats.keys(),
    ...(round.asked?.members ?? []),
    ...round.answers.map((each) => each.author),
    ...round.ballots.map((each) => each.judge),
  ]);
  const numbers = new Map(round.answers.map((each) => [each.author, each.number]));
  const ballots = timesOf(round.ballots.map((each) => each.judge));
  const reports = timesOf(round.reports.map((each) => each.tester));
  const part = partsIn(phaseOf(round), isOver(round));
  return [...keys].map((key) => ({
    key,
    roles: seats.get(key)?.roles ?? [],
    vote_weight: seats.get(key)?.vote_weight ?? null,
    judge_weight: seats.get(key)?.judge_weight ?? null,
    ...part(key),
    answer: numbers.get(key) ?? null,
    ballots: ballots.get(key) ?? 0,
    reports: reports.get(key) ?? 0,
  }));
}

function timesOf(keys) {
  const times = new Map();
  for (const key of keys) times.set(key, (times.get(key) ?? 0) + 1);
  return times;
}

/** A function from a member to its part in a phase. */
function partsIn(phase, isPast) {
  if (!phase) return () => ({ state: "none", reason: "" });
  const [received, silent, expected] = [phase.received, phase.silent, phase.expected].map((keys) => new Set(keys));
  return (key) => {
    for (const state of ["refused", "declined"]) {
      if (Object.hasOwn(phase[state], key)) return { state, reason: phase[state][key] };
    }
    if (received.has(key)) return { state: "received", reason: "" };
    if (silent.has(key)) return { state: "silent", reason: "" };
    // Nobody waits any more for what a round that is over did without.
    return { state: expected.has(key) && !isPast ? "waiting" : "none", reason: "" };
  };
}

/**
 * Return the answers in the latest order, best first, each with what is known of it; without any ballots by number.
 *
 * `strength` and `p_best` are null before the first wave; `findings` is what testers settled last, or null; `text` is
 * null while it is not known.
 * @param {import("./round.js").Round} round
 * @returns {Object[]}
 */
export function rankedAnswers(round) {
  const places = round.strengths.at(-1)?.ranking ?? [];
  const place = (number) => places.findIndex((each) => each.number === number);
  const findings = new Map(round.settled.flatMap((each) => each.answers).map((each) => [each.number, each.findings]));
  const found = round.answers.map((answer) => ({
    ...answer,
    strength: places[place(answer.number)]?.strength ?? null,
    p_best: places[place(answer.number)]?.p_best ?? null,
    findings: findings.get(answer.number) ?? null,
    text: round.texts[answer.number]?.text ?? (isWinner(round, answer) ? round.decided.answer : null),
    wins: isWinner(round, answer),
  }));
  const last = places.length;
  const rank = ({ number }) => (place(number) < 0 ? last : place(number));
  return found.sort((a, b) => rank(a) - rank(b) || a.number - b.number);
}

function isWinner(round, answer) {
  return Boolean(round.decided?.winner) && round.decided.winner === answer.answer_id;
}

/**
 * Return all judgements of each pair of answers that was compared, whichever was shown first.
 *
 * `low` and `high` are the answers' numbers; `share` is the mean preference for `low` among those that did not abstain,
 * or null; each judgement has its judge, its wave, and the preference for `low` (null: abstained).
 * @param {import("./round.js").Round} round
 * @returns {{low: number, high: number, share: number | null, judgements: Object[]}[]}
 */
export function comparisonsOf(round) {
  const pairs = new Map();
  for (const { judge, wave, pairs: compared } of round.ballots) {
    for (const { first, second, preference } of compared) {
      const [low, high] = first < second ? [first, second] : [second, first];
      const given = preference === null || first === low ? preference : 1 - preference;
      const key = `${low} ${high}`;
      if (!pairs.has(key)) pairs.set(key, { low, high, judgements: [] });
      pairs.get(key).judgements.push({ judge, wave, preference: given, shown_first: first });
    }
  }
  const found = [...pairs.values()].map((pair) => ({ ...pair, share: mean(pair.judgements) }));
  return found.sort((a, b) => a.low - b.low || a.high - b.high);
}

function mean(judgements) {
  const given = judgements.map((each) => each.preference).filter((each) => each !== null);
  return given.length ? given.reduce((sum, each) => sum + each, 0) / given.length : null;
}
