/** A round that is replayed: from stored events, from a certificate, or from a report. */

import { useMemo } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { Playback, usePlayer } from "strand/parts/round/playback.js";
import { Round } from "strand/parts/round/page.js";
import { Recording } from "strand/state/player.js";
import { oneLine } from "strand/state/text.js";

const UNKNOWN = "Nothing is known of this round.";

/** Most characters of a note. */
const NOTE_CHARS_MAX = 300;

/**
 * @param {{replay: {events: Object[], answers: Object[], note?: string}, tools?: any, startMs?: number}} props `replay` as
 *   `GET /api/rounds/{id}/replay` and `POST /api/replay` have it; `tools` and `startMs` as `Round` takes them
 */
export function Replay({ replay, tools, startMs }) {
  const recording = useMemo(() => new Recording(replay.events, replay.answers), [replay]);
  const { round, state, moves } = usePlayer(recording);
  if (!recording.length) return html`<p class="notice">${oneLine(replay.note || UNKNOWN, NOTE_CHARS_MAX)}</p>`;
  return html`
    <div class="round">
      <${Round} round=${round} tools=${tools} startMs=${startMs} />
      <${Playback} recording=${recording} state=${state} moves=${moves} />
    </div>
  `;
}
