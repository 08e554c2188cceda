// What a page remembers across a reload. Per page path, in local storage: which terminals it has
// (key → session and life), and which sessions are to be ended. Per tab, in session storage: input
// that was not acknowledged when the page went away. Storage that is full or forbidden costs the
// memory, never the page.

/** Bytes of unacknowledged input kept across a reload; session storage holds about 5 MB. */
export const MAX_SAVED = 1024 * 1024;
/** Sessions that are still to be ended; of more, the oldest are left to the server's own rules. */
export const MAX_ENDING = 64;

/** @typedef {{session: string, life?: string, [extra: string]: unknown}} Remembered */

export class Memory {
  #env;
  #list;
  #ending;

  /** @param {import('./environment.js').Environment} env */
  constructor(env) {
    this.#env = env;
    this.#list = `fairlead.terminals:${env.path}`;
    this.#ending = `fairlead.ending:${env.path}`;
  }

  /** @returns {Record<string, Remembered>} the page's terminals by key, oldest first */
  all() {
    const all = parse(this.#env.localStorage?.getItem(this.#list));
    return Object.fromEntries(
      Object.entries(all).filter(([, it]) => typeof it?.session === 'string'));
  }

  /** @param {string} key @returns {Remembered | undefined} */
  get(key) {
    return this.all()[key];
  }

  /** Reads again before it writes: another tab of the page may have changed the list. */
  set(key, remembered) {
    this.#write({ ...this.all(), [key]: { ...this.get(key), ...remembered } });
  }

  forget(key) {
    const { [key]: _, ...rest } = this.all();
    this.#write(rest);
  }

  #write(all) {
    this.#env.localStorage?.setItem(this.#list, JSON.stringify(all));
  }

  /** @returns {{session: string, life?: string}[]} sessions that a user ended, as far as nobody heard of their end */
  ending() {
    const all = parse(this.#env.localStorage?.getItem(this.#ending));
    return (Array.isArray(all) ? all : []).filter((it) => typeof it?.session === 'string');
  }

  /** `isEnding`: the session is to be ended, and is not known to have. */
  setEnding({ session, life }, isEnding) {
    const others = this.ending().filter((it) => it.session !== session);
    const all = isEnding ? [...others, { session, life }].slice(-MAX_ENDING) : others;
    if (all.length > 0) this.#env.localStorage?.setItem(this.#ending, JSON.stringify(all));
    else this.#env.localStorage?.removeItem(this.#ending);
  }

  /**
   * Keeps what this tab typed into `session`.
   * @returns {boolean} false if it could not be kept whole: then none is, since half a paste must
   *   not be typed
   */
  saveInput(session, client, life, input) {
    const key = this.#inputKey(session);
    this.#env.sessionStorage?.removeItem(key);
    if (input.acknowledged === undefined || !life) return input.length === 0;
    const fits = input.length <= MAX_SAVED;
    const bytes = fits ? toBase64(input.bytes()) : '';
    const saved = { client, life, acknowledged: input.acknowledged, bytes, isWhole: fits };
    const isStored = this.#env.sessionStorage?.setItem(key, JSON.stringify(saved)) ?? false;
    return isStored && fits;
  }

  /**
   * Takes what `saveInput` kept, if it is this client's: a duplicated tab has a copy of another's.
   * @returns {{life: string, acknowledged: number, bytes: Uint8Array, isWhole: boolean} | undefined}
   */
  takeInput(session, client) {
    const key = this.#inputKey(session);
    const saved = parse(this.#env.sessionStorage?.getItem(key));
    this.#env.sessionStorage?.removeItem(key);
    if (saved.client !== client || !Number.isSafeInteger(saved.acknowledged)) return undefined;
    return { ...saved, bytes: fromBase64(saved.bytes) };
  }

  #inputKey(session) {
    return `fairlead.input:${session}`;
  }
}

function parse(text) {
  try {
    return Object(JSON.parse(text ?? '{}'));
  } catch {
    return {};
  }
}

function toBase64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text ?? ''), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}
