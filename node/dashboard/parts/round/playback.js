/** Replays a recording: step by step, or by time at any speed, by buttons and by keys. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { html } from "strand/parts/html.js";
import { duration } from "strand/state/format.js";
import { advance, seek, standing, toggle } from "strand/state/player.js";
import { eventWords } from "strand/state/words.js";

/** Factors of the time that can be chosen. */
const SPEEDS = [0.5, 1, 2, 5, 10, 20];

/** Elements that have a use of their own for the keys. */
const TAKEN = "input, select, textarea, button, a, summary, [tabindex='0'], [contenteditable]";

/**
 * Return a recording's round at the place where the player stands, the player's state, and how to change it.
 * @param {import("../state/player.js").Recording} recording
 */
export function usePlayer(recording) {
  // The state belongs to one recording; another one stands at its end from its first picture on.
  const [kept, setKept] = useState({ recording, state: standing(recording.length) });
  const stateOf = (known) => (known.recording === recording ? known.state : standing(recording.length));
  const state = stateOf(kept);
  const setState = (change) => setKept((known) => ({ recording, state: change(stateOf(known)) }));
  const round = useMemo(() => recording.roundAt(state.position), [recording, state.position]);
  useEffect(() => {
    if (!state.playing) return undefined;
    let frame = 0;
    let before = performance.now();
    const tick = (now) => {
      const passed = now - before;
      before = now;
      setState((known) => advance(recording, known, passed));
      frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, [recording, state.playing]);
  const moves = useMemo(
    () => ({
      toggle: () => setState((known) => toggle(recording, known)),
      to: (position) => setState((known) => seek(recording, known, position)),
      by: (steps) => setState((known) => seek(recording, { ...known, playing: false }, known.position + steps)),
      speed: (speed) => setState((known) => ({ ...known, speed })),
    }),
    [recording],
  );
  return { round, state, moves };
}

/**
 * @param {{recording: import("../state/player.js").Recording, state: Object, moves: Object}} props as `usePlayer` has
 *   them
 */
export function Playback({ recording, state, moves }) {
  useKeys(moves, recording.length);
  const { position, playing, speed } = state;
  const event = recording.events[position - 1];
  const words = event ? eventWords(event) : "Before the first event";
  const isAtEnd = position === recording.length;
  const label = playing ? "Pause" : isAtEnd ? "Replay" : "Play";
  const time = recording.hasTimes && event ? `${duration(event.at_ms)}: ` : "";
  return html`
    <section class="panel playback" aria-label="Replay">
      <div class="row">
        <button type="button" onClick=${() => moves.by(-1)} disabled=${position === 0} title="One step back (←)">
          <span aria-hidden="true">←</span><span class="spoken">One step back</span>
        </button>
        <button type="button" class="primary" onClick=${moves.toggle} title="Play or pause (space)" aria-label=${label}>
          ${playing ? "❚❚ " : "▶ "}<span class="playback-label">${label}</span>
        </button>
        <button type="button" onClick=${() => moves.by(1)} disabled=${isAtEnd} title="One step forward (→)">
          <span aria-hidden="true">→</span><span class="spoken">One step forward</span>
        </button>
        <label class="row">
          <span class="spoken">Speed</span>
          <select value=${String(speed)} onChange=${(change) => moves.speed(Number(change.currentTarget.value))}>
            ${SPEEDS.map((each) => html`<option key=${each} value=${String(each)}>${each}×</option>`)}
          </select>
        </label>
        <input
          type="range"
          class="scrub"
          aria-label="Event"
          min="0"
          max=${recording.length}
          value=${position}
          aria-valuetext=${`${position} of ${recording.length}: ${words}`}
          onInput=${(change) => moves.to(Number(change.currentTarget.value))}
        />
        <span class="number">${position} / ${recording.length}</span>
      </div>
      <p class="row playback-words">
        <span class="playback-event">${time}${words}.</span>
        <span class="end muted">
          ${recording.hasTimes
            ? "Stored events with their times; long pauses are shortened."
            : "Steps of the certificate's chain, which holds no times."}
        </span>
      </p>
    </section>
  `;
}

/** Let the keys move the player, unless the element with the focus uses them itself. */
function useKeys(moves, length) {
  useEffect(() => {
    const keys = {
      " ": moves.toggle,
      ArrowLeft: () => moves.by(-1),
      ArrowRight: () => moves.by(1),
      Home: () => moves.to(0),
      End: () => moves.to(length),
    };
    const press = (event) => {
      const isPlain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
      if (!isPlain || !Object.hasOwn(keys, event.key) || event.target.closest?.(TAKEN)) return;
      event.preventDefault();
      keys[event.key]();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [moves, length]);
}
