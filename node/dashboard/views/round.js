/** Shows one round: live while it is open, and replayable once it is over. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { lastReplies, store } from "strand/live.js";
import { CertificateTools } from "strand/parts/round/certificate.js";
import { html } from "strand/parts/html.js";
import { Key } from "strand/parts/key.js";
import { Replay } from "strand/parts/round/replay.js";
import { Round } from "strand/parts/round/page.js";
import { getJson } from "strand/state/api.js";
import { isOver } from "strand/state/derived.js";
import { isFinal, reachesEnd } from "strand/state/player.js";
import { returns } from "strand/state/poll.js";
import { emptyRound } from "strand/state/round.js";
import { capital, oneLine } from "strand/state/text.js";

/** Time in ms in which answers gather, as they are opened together, before their texts are fetched at once. */
const GATHER_MS = 100;

/** Pauses in ms before each further look for another node's certificate, which comes after a member's own part ends. */
const CERTIFICATE_PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 16_000];

/** Most characters of a line about why there is no certificate. */
const WHY_CHARS_MAX = 300;

export function RoundView({ id }) {
  const known = store.rounds.value.get(id);
  const round = known?.round ?? null;
  const over = round !== null && isOver(round);
  const { replay, error, fetched } = useReplay(id, round, over);
  useTexts(id, round);
  // A round that nobody stored, as it has no certificate, may still be one that this page has followed.
  const followed = useMemo(() => replayOf(known), [known]);
  const told = reachesEnd(replay) ? replay : over && fetched === "over" ? followed : null;
  const tools = html`<${CertificateTools} id=${id} />`;
  return html`
    <h1>Round <${Key} value=${id} /></h1>
    ${(told || round) && html`<${Replay} key=${id} replay=${told} followed=${round} tools=${tools} />`}
    ${!told && !round && !fetched && html`<p class="muted" role="status">The round is being fetched.</p>`}
    ${!told && !round && fetched && html`<${Unknown} id=${id} reason=${replay?.note || error} />`}
  `;
}

function replayOf(known) {
  if (!known?.events.length) return null;
  return { events: known.events, answers: Object.values(known.round.texts), note: "" };
}

/**
 * Fetch the round's course at the start, when events are missing, and when the round is over; another node's until its
 * certificate is here.
 *
 * Of an open round it is folded into the store, which the stream keeps up to date. `fetched` is empty before the first
 * reply, then `open` or `over`, as the round was when the reply was asked for. What is final is not fetched again, and
 * stays the same object: the player stands where it stood.
 */
function useReplay(id, round, over) {
  const path = `/api/rounds/${id}/replay`;
  const [state, setState] = useState(() => ({ replay: lastReplies.last(path).data, error: "", fetched: "" }));
  const isSettled = isFinal(state.replay);
  const isPartial = Boolean(round?.incomplete);
  // Of another node's open round this node can tell no more than the stream does.
  const isMembers = Boolean(round?.joined && !round.asked);
  const isOthers = isMembers && !over;
  useEffect(() => {
    if (isOthers || isSettled) return undefined;
    const stop = new AbortController();
    let timer = 0;
    const look = async (tries) => {
      const { data, error } = await lastReplies.load(path, { signal: stop.signal });
      if (stop.signal.aborted) return;
      if (data && !reachesEnd(data)) store.fold(id, data);
      setState((before) => ({ replay: data ?? before.replay, error, fetched: over ? "over" : "open" }));
      const isLacking = isMembers && !reachesEnd(data);
      if (isLacking && tries < CERTIFICATE_PAUSES_MS.length) {
        timer = setTimeout(look, CERTIFICATE_PAUSES_MS[tries], tries + 1);
      }
    };
    look(0);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [id, over, isPartial, isOthers, returns.value]);
  return state;
}

/** Fetch the answers' texts of an open round once they are opened. */
function useTexts(id, round) {
  const opened = round?.answers.length ?? 0;
  // Of another node's open round the texts are not told.
  const isLacking = Boolean(round?.asked) && opened > Object.keys(round.texts).length;
  useEffect(() => {
    if (!isLacking) return undefined;
    const stop = new AbortController();
    const fetchTexts = async () => {
      const { data } = await getJson(`/api/rounds/${id}/answers`, { signal: stop.signal });
      if (data && !stop.signal.aborted) store.fold(id, data);
    };
    const timer = setTimeout(fetchTexts, GATHER_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [id, opened, isLacking]);
}

/** What the history still says of a round of which nothing else is known. */
function Unknown({ id, reason }) {
  const [detail, setDetail] = useState(null);
  useEffect(() => {
    getJson(`/api/rounds/${id}`).then(({ data }) => setDetail(data));
  }, [id]);
  const why = detail?.round.why_not || reason || "Nothing is known of this round.";
  return html`
    <p class="notice">${capital(oneLine(why, WHY_CHARS_MAX))}</p>
    ${detail && html`<div class="round"><${Round} round=${roundOf(detail)} /></div>`}
  `;
}

/** The little that a summary tells, as a round. */
function roundOf({ round, conversation, members, refused, declined }) {
  const { query_id, task, audience, gold, asked_ms } = round;
  const asked = { query_id, members, seats: [], turns: conversation, task, audience, gold, asked_ms, at_ms: 0, seq: 0 };
  const expected = Object.keys({ ...refused, ...declined });
  const phase = { phase: "answering", wave: 0, received: [], expected, silent: [], refused, declined, began_ms: 0 };
  return { ...emptyRound(query_id), asked, phases: expected.length ? [phase] : [], ended: { requester: round } };
}
