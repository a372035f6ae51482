/**
 * What is known of one round: all events about it, folded into one value.
 *
 * `reduce` takes events live, from the store or from a file, in any order and more than once: each has a place of its
 * own, and of two for one place the later counts. So a page may begin in the middle of a round, fetch what went before,
 * and fold both. Events keep their fields as `docs/reference/events.md` names them; kinds that are not known are left
 * aside. Pure: every change is a new value.
 */

/**
 * @typedef {Object} Round
 * @property {string} id the query's id; empty before the first event
 * @property {number} at_ms time of the latest event since the round's start
 * @property {boolean} incomplete whether events were lost, so that parts may be missing until they are fetched
 * @property {Object | null} asked the query with its roster, if the node asked, or a certificate tells the round
 * @property {Object | null} joined the query as a member sees it
 * @property {Object<string, number>} readers members that fetched the text, with the time
 * @property {Object[]} phases the latest progress of each phase and wave, with `began_ms`, in their order in time
 * @property {Object[]} answers opened answers, by number
 * @property {Object<number, Object>} texts the answers' texts that are known, by number
 * @property {Object[]} reports testers' reports that count, by stage
 * @property {Object[]} settled what they settle, by stage
 * @property {Object[]} ballots ballots that count, by wave
 * @property {Object[]} strengths the ranking after each wave
 * @property {Object | null} decided
 * @property {Object | null} certified
 * @property {Object<string, Object>} ended endings by role
 * @property {Object[]} work what this node's own member does: generations, tests, judgings and declines
 */

/** Phases in the order of a round, for those that began at one time. */
const PHASES = ["answering", "opening", "testing", "judging", "cosigning", "failed"];

/** Kinds of events -> what they change: a function of the round and the event to the changed properties. */
const KINDS = {
  asked: (round, event) => ({ asked: later(round.asked, event) }),
  joined: (round, event) => ({ joined: later(round.joined, event) }),
  text_sent: ({ readers }, { member, at_ms }) => ({ readers: { ...readers, [member]: at_ms } }),
  progress: ({ phases }, event) => ({ phases: withProgress(phases, event) }),
  answer_opened: ({ answers }, event) => ({ answers: put(answers, event, ["number"]) }),
  report_counted: ({ reports }, event) => ({ reports: put(reports, event, ["stage", "tester"]) }),
  findings_settled: ({ settled }, event) => ({ settled: put(settled, event, ["stage"]) }),
  ballot_counted: ({ ballots }, event) => ({ ballots: put(ballots, event, ["wave", "judge"]) }),
  strengths: ({ strengths }, event) => ({ strengths: put(strengths, event, ["wave"]) }),
  decided: (round, event) => ({ decided: later(round.decided, event) }),
  certified: (round, event) => ({ certified: later(round.certified, event) }),
  ended: ({ ended }, event) => ({ ended: { ...ended, [event.role]: later(ended[event.role], event) } }),
  generation_started: withWork,
  answer_testing_started: withWork,
  judging_started: withWork,
  declined: withWork,
};

/** Names of all kinds that `reduce` knows. */
export const KNOWN_KINDS = Object.keys(KINDS);

/**
 * Return a round of which nothing is known yet.
 * @param {string} [id]
 * @returns {Round}
 */
export function emptyRound(id = "") {
  return {
    id,
    at_ms: 0,
    incomplete: false,
    asked: null,
    joined: null,
    readers: {},
    phases: [],
    answers: [],
    texts: {},
    reports: [],
    settled: [],
    ballots: [],
    strengths: [],
    decided: null,
    certified: null,
    ended: {},
    work: [],
  };
}

/**
 * Return the round after an event; the same value if the event is another round's, or of no known kind.
 * @param {Round} round
 * @param {Object} event one of `node/api/events.py`
 * @returns {Round}
 */
export function reduce(round, event) {
  if (!Object.hasOwn(KINDS, event.event) || (round.id && event.query_id !== round.id)) return round;
  return {
    ...round,
    ...KINDS[event.event](round, event),
    id: event.query_id,
    at_ms: Math.max(round.at_ms, event.at_ms),
    incomplete: round.incomplete || event.missed > 0,
  };
}

/**
 * Return the round after several events.
 * @param {Round} round
 * @param {Iterable<Object>} events
 * @returns {Round}
 */
export function reduceAll(round, events) {
  for (const event of events) round = reduce(round, event);
  return round;
}

/**
 * Return the round with texts of answers, which no event holds but that of the winner.
 * @param {Round} round
 * @param {Object[]} answers as `GET /api/rounds/{id}/answers` tells them
 * @returns {Round}
 */
export function withTexts(round, answers) {
  return { ...round, texts: { ...round.texts, ...Object.fromEntries(answers.map((each) => [each.number, each])) } };
}

/** Order of two events in time, then as the node counted them. */
function byTime(a, b) {
  return a.at_ms - b.at_ms || a.seq - b.seq;
}

/** The later of two events that tell the same; events of a certificate have no times and give way. */
function later(known, event) {
  return known && byTime(known, event) > 0 ? known : event;
}

/** A list with an event in the place that the values of `keys` name, ordered by the first key, then by time. */
function put(list, event, keys) {
  const same = (each) => keys.every((key) => each[key] === event[key]);
  const known = list.find(same);
  const others = known ? list.filter((each) => each !== known) : list;
  return [...others, later(known, event)].sort((a, b) => a[keys[0]] - b[keys[0]] || byTime(a, b) || byText(a, b, keys));
}

function byText(a, b, keys) {
  const [first, second] = [a, b].map((each) => keys.map((key) => each[key]).join());
  return first < second ? -1 : Number(first > second);
}

/** The phases with what a progress event says: its lists are the latest ones, its phase began with the first. */
function withProgress(phases, event) {
  const known = phases.find((each) => each.phase === event.phase && each.wave === event.wave);
  const began_ms = Math.min(known?.began_ms ?? event.at_ms, event.at_ms);
  const order = (each) => PHASES.indexOf(each.phase);
  return [...phases.filter((each) => each !== known), { ...later(known, event), began_ms }].sort(
    (a, b) => a.began_ms - b.began_ms || order(a) - order(b) || a.wave - b.wave,
  );
}

/** A member's own steps: one of a kind in each phase, wave or stage. */
function withWork({ work }, event) {
  const step = { ...event, step: `${event.event} ${event.phase ?? ""} ${event.wave ?? event.stage ?? ""}` };
  const known = work.find((each) => each.step === step.step);
  return { work: [...work.filter((each) => each !== known), later(known, step)].sort(byTime) };
}
