/** A round that is replayed: from stored events, from a certificate, or from a report. */

import { useMemo } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { Playback, usePlayer } from "strand/parts/round/playback.js";
import { Round } from "strand/parts/round/page.js";
import { isOver } from "strand/state/derived.js";
import { Recording } from "strand/state/player.js";
import { oneLine } from "strand/state/text.js";

const UNKNOWN = "Nothing is known of this round.";

/** Most characters of a note. */
const NOTE_CHARS_MAX = 300;

/**
 * @param {{replay: {events: Object[], answers: Object[], note?: string} | null,
 *   followed?: import("../../state/round.js").Round | null, tools?: any, startMs?: number}} props `replay` as
 *   `GET /api/rounds/{id}/replay` and `POST /api/replay` have it; null while there is only what is `followed` live. The
 *   same components show that, so that what a reader has unfolded or chosen stays. The others as `Round` takes them
 */
export function Replay({ replay, followed = null, tools, startMs }) {
  const recording = useMemo(() => new Recording(replay?.events ?? [], replay?.answers ?? []), [replay]);
  const { round, state, moves } = usePlayer(recording);
  const isRecorded = recording.length > 0;
  if (!isRecorded && !followed) {
    return html`<p class="notice">${oneLine(replay?.note || UNKNOWN, NOTE_CHARS_MAX)}</p>`;
  }
  const shown = isRecorded ? round : followed;
  return html`
    <div class="round">
      <${Round} round=${shown} live=${!isRecorded && !isOver(shown)} tools=${tools} startMs=${startMs} />
      ${isRecorded && html`<${Playback} recording=${recording} state=${state} moves=${moves} />`}
    </div>
  `;
}
