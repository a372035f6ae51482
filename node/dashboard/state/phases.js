/** The phases of a round as steps of one line. Pure. */

import { PLANNED } from "strand/state/course.js";
import { isOver, phaseOf, stateWords } from "strand/state/derived.js";
import { PHASE_WORDS } from "strand/state/words.js";

/**
 * Return the steps of a round: what is behind it, where it is (with counts), what is to come.
 * @param {import("./round.js").Round} round
 * @returns {{name: string, words: string, state: "done" | "now" | "next"}[]}
 */
export function stepsOf(round) {
  const seen = new Set(round.phases.map((each) => each.phase));
  // Testing has a step only where it takes place.
  const plan = PLANNED.filter((name) => name !== "testing" || seen.has(name));
  const now = plan.indexOf(phaseOf(round)?.phase ?? plan[0]);
  return plan.map((name, index) => {
    const state = index < now || isOver(round) ? "done" : index === now ? "now" : "next";
    return { name, words: state === "now" ? stateWords(round) : PHASE_WORDS[name], state };
  });
}
