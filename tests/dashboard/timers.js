/** The clock of a test: timers end when the test lets time pass. */

const settled = () => new Promise(setImmediate);

export class Timers {
  #now = 0;
  #timers = new Map();

  /** @param {import("node:test").TestContext} t at whose end the real timers are back */
  constructor(t) {
    const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
    t.after(() => Object.assign(globalThis, real));
    globalThis.setTimeout = (done, ms) => {
      const id = Symbol("timer");
      this.#timers.set(id, { at: this.#now + ms, done });
      return id;
    };
    globalThis.clearTimeout = (id) => this.#timers.delete(id);
  }

  /** How many timers wait. */
  get waiting() {
    return this.#timers.size;
  }

  /** @param {number} ms */
  async pass(ms) {
    await settled();
    this.#now += ms;
    for (const [id, { at, done }] of [...this.#timers]) {
      if (at > this.#now) continue;
      this.#timers.delete(id);
      done();
    }
    await settled();
  }
}
