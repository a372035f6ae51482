/** The course of a round: its phases, planned and past, with their times. Pure: the round's time comes in. */

import { isOver } from "strand/state/derived.js";
import { percent } from "strand/state/format.js";
import { stopWords } from "strand/state/outcome.js";

/** Phases that every round plans, but for testing, which has a budget only where something is tested. */
export const PLANNED = ["answering", "opening", "testing", "judging", "cosigning"];

/** Phases that may come more than once. The others name the wave that was the last one. */
const REPEATED = new Set(["testing", "judging"]);

/**
 * @typedef {Object} Step
 * @property {string} phase
 * @property {number} wave wave of judging or stage of testing, from 0
 * @property {"done" | "now" | "ahead" | "skipped"} state `skipped`: the round went on, or ended, without it
 * @property {number} received members whose contributions have arrived
 * @property {number} expected members whose contributions the phase expects
 * @property {number | null} began_ms time since the round's start; null: not begun
 * @property {number | null} took_ms null: it has not ended, or events have no times
 * @property {number | null} budget_ms null: not known
 */

/**
 * Return the phases of a round in their order, each wave for itself.
 * @param {import("./round.js").Round} round
 * @returns {Step[]}
 */
export function courseOf(round) {
  const budgets = round.asked?.budgets_ms ?? {};
  const { phases } = round;
  const hasTimes = phases.some((each) => each.began_ms > 0);
  const isSame = (each, phase, wave) => each.phase === phase && (each.wave === wave || !REPEATED.has(phase));
  const seen = (phase, wave) => phases.findIndex((each) => isSame(each, phase, wave));
  return slotsOf(round).map(({ phase, wave }, place, slots) => {
    const index = seen(phase, wave);
    const found = phases[index];
    const wasPassed = slots.slice(place + 1).some((later) => seen(later.phase, later.wave) >= 0);
    const isLast = index === phases.length - 1;
    const state = isUnsigned(found, round) ? "skipped" : stateOf(Boolean(found), wasPassed, isLast, round);
    const endMs = phases[index + 1]?.began_ms ?? round.at_ms;
    return {
      phase,
      wave,
      state,
      received: found?.received.length ?? 0,
      expected: found?.expected.length ?? 0,
      began_ms: found?.began_ms ?? null,
      took_ms: state === "done" && hasTimes ? Math.max(0, endMs - found.began_ms) : null,
      budget_ms: budgets[phase] ?? null,
    };
  });
}

function stateOf(isSeen, wasPassed, isLast, round) {
  if (isSeen) return isLast && !isOver(round) && !isFailed(round) ? "now" : "done";
  const ruledOut = wasPassed || isOver(round) || isFailed(round);
  return ruledOut ? "skipped" : "ahead";
}

/** A simulation without messages ends with its decision: nobody was asked to co-sign. */
function isUnsigned(found, round) {
  return found?.phase === "cosigning" && found.received.length === 0 && isOver(round);
}

function isFailed({ phases }) {
  return phases.at(-1)?.phase === "failed";
}

/** The phases and waves that are planned, and those that took place without a plan. */
function slotsOf({ asked, phases }) {
  const budgets = asked?.budgets_ms ?? {};
  const waves = (phase) => phases.filter((each) => each.phase === phase).length;
  const planned = { judging: asked?.waves?.length || 1, testing: "testing" in budgets ? 1 : 0 };
  return PLANNED.flatMap((phase) => {
    const number = REPEATED.has(phase) ? Math.max(waves(phase), planned[phase]) : 1;
    return Array.from({ length: number }, (_, wave) => ({ phase, wave }));
  });
}

/**
 * Return the time that a phase may still take.
 * @param {Step} step
 * @param {number} now_ms since the round's start
 * @returns {number | null} ms; null if nothing runs out
 */
export function leftMs(step, now_ms) {
  if (step.state !== "now" || step.budget_ms === null) return null;
  return Math.max(0, step.budget_ms - Math.max(0, now_ms - step.began_ms));
}

/**
 * Return why judging ended, and what was spared.
 * @param {import("./round.js").Round} round
 * @returns {string} empty while it is not known
 */
export function stopSentence({ decided, asked, phases }) {
  if (!decided?.stop) return "";
  const isCertain = decided.stop === "certain" && asked?.threshold;
  const certain = isCertain ? ` (P(best) reached ${percent(asked.threshold)})` : "";
  const words = `Judging ended: ${stopWords(decided.stop)}${certain}.`;
  const planned = asked?.waves?.length ?? 0;
  const judged = phases.filter((each) => each.phase === "judging").length;
  const spared = planned - judged;
  if (!judged || spared <= 0) return words;
  return `${words} ${spared} of ${planned} planned waves ${spared === 1 ? "was" : "were"} not needed.`;
}
