/** The browser's clock and timers, for what tests give others. */

/**
 * @typedef {Object} Clock
 * @property {() => number} nowMs ms since the Unix epoch
 * @property {(ms: number, done: () => void) => (() => void)} after call `done` later; returns what prevents it
 */

/** @type {Clock} */
export const CLOCK = {
  nowMs: () => Date.now(),
  after: (ms, done) => {
    const timer = setTimeout(done, ms);
    return () => clearTimeout(timer);
  },
};
