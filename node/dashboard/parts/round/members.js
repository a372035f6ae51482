/** The members: what each has done, and what the present phase still expects of it. */

import { Badge } from "strand/parts/badge.js";
import { Fold } from "strand/parts/fold.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { membersOf, phaseOf } from "strand/state/derived.js";
import { count } from "strand/state/format.js";
import { phaseWords, reasonWords } from "strand/state/words.js";

/** Members of a small round, whose list is open from the start. */
const OPEN_MAX = 16;

/** A member's part in the latest phase -> how it looks. */
const STATES = {
  received: { tone: "good", glyph: "✓", words: "received" },
  waiting: { tone: "", glyph: "…", words: "expected" },
  silent: { tone: "warn", glyph: "▲", words: "silent" },
  refused: { tone: "bad", glyph: "✕", words: "refused" },
  declined: { tone: "warn", glyph: "–", words: "declined" },
};

/**
 * @param {{round: import("../state/round.js").Round}} props
 */
export function Members({ round }) {
  const members = membersOf(round);
  const phase = phaseOf(round);
  const totals = Object.keys(STATES)
    .map((state) => ({ state, number: members.filter((each) => each.state === state).length }))
    .filter(({ number }) => number);
  return html`
    <section class="panel" aria-labelledby="members-title">
      <div class="row">
        <h2 id="members-title">Members</h2>
        <span class="muted">
          ${count(members.length, "member")}${totals.length > 0 && ` · ${phaseWords(phase.phase, phase.wave)}:`}
        </span>
        ${totals.map(({ state, number }) => {
          const { tone, glyph, words } = STATES[state];
          return html`<${Badge} tone=${tone} glyph=${glyph} words=${`${number} ${words}`} />`;
        })}
      </div>
      <${Fold} summary="Each member's part" isOpen=${members.length <= OPEN_MAX}>
        ${() => html`<${List} round=${round} members=${members} />`}
      <//>
    </section>
  `;
}

function List({ round, members }) {
  const signed = new Set(round.phases.find((each) => each.phase === "cosigning")?.received);
  const why = reasonsOf(round);
  return html`
    <ul class="members">
      ${members.map((each) => {
        const { key } = each;
        return html`<${Member} key=${key} member=${each} signed=${signed.has(key)} why=${why.get(key)} />`;
      })}
    </ul>
  `;
}

function Member({ member, signed, why }) {
  const look = STATES[member.state];
  const facts = [
    member.answer === null ? "" : `answer #${member.answer + 1}`,
    member.reports ? count(member.reports, "report") : "",
    member.ballots ? count(member.ballots, "ballot") : "",
    signed ? "co-signed" : "",
  ].filter(Boolean);
  const weights = member.vote_weight === null ? "" : weightWords(member);
  return html`
    <li class="member">
      <span class="row">
        <${Key} value=${member.key} />
        ${look && html`<${Badge} ...${look} />`}
      </span>
      <span class="muted">${facts.join(" · ") || "nothing yet"}</span>
      ${weights && html`<span class="muted">${weights}</span>`}
      ${why && html`<span>${why}</span>`}
    </li>
  `;
}

/** Weights that are not whole: a full vote and a full judge need no words. */
function weightWords({ vote_weight, judge_weight }) {
  const words = [
    vote_weight === 1 ? "" : `vote counts ${vote_weight.toFixed(2)}`,
    judge_weight === 1 ? "" : `judges with ${judge_weight.toFixed(2)}`,
  ];
  return words.filter(Boolean).join(" · ");
}

/** Member -> why it refused or declined, in any phase. */
function reasonsOf({ phases }) {
  const found = new Map();
  for (const { phase, wave, refused, declined } of phases) {
    const note = (key, verb, reason) => {
      const words = `${verb} ${phaseWords(phase, wave)}: ${reasonWords(reason)}`;
      if (!found.get(key)?.startsWith(`${verb} ${phaseWords(phase, wave)}`)) {
        found.set(key, found.has(key) ? `${found.get(key)}; ${words}` : words);
      }
    };
    for (const [key, reason] of Object.entries(refused)) note(key, "refused", reason);
    for (const [key, reason] of Object.entries(declined)) note(key, "declined", reason);
  }
  return found;
}
