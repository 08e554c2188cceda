// When to connect again: after a random part of a time that doubles, from the first try on (full
// jitter), so that the clients of a server that went down do not come back as one. Pure.

/** Milliseconds that the first try is spread over. */
export const FIRST = 500;
/** Milliseconds that a try is spread over at most: what a user waits once the network is back. */
export const LAST = 8_000;
/** A connection that lasted so many milliseconds was good; until then, tries go on slowing down. */
export const GOOD = 3_000;
/** Spread of 1012 (service restart), when no GOAWAY named one. */
export const RESTART_SPREAD = 3_000;
/** 1013 (try again later): not before, and spread over. */
export const LATER = { after: 2_000, spread: 10_000 };

export class Backoff {
  /** @param {() => number} random from 0 to 1 */
  constructor(random) {
    this.random = random;
    this.attempts = 0;
  }

  /**
   * @param {{ lasted?: number, code?: number, spread?: number }} ended how long the connection was
   *   usable, its close code, and the spread its GOAWAY named, in milliseconds
   * @returns {number} milliseconds to wait
   */
  next({ lasted = 0, code = 1006, spread } = {}) {
    if (lasted >= GOOD) this.attempts = 0;
    const limit = Math.min(FIRST * 2 ** Math.min(this.attempts, 10), LAST);
    this.attempts += 1;
    switch (code) {
      case 1012: return this.random() * Math.max(spread ?? RESTART_SPREAD, limit);
      case 1013: return LATER.after + this.random() * Math.max(spread ?? LATER.spread, limit);
      default: return this.random() * limit;
    }
  }
}
