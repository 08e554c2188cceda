// Who this tab is. A ClientID is kept in session storage, so that it survives a reload; but a
// duplicated tab begins with a copy of that storage, and two tabs under one name would throw each
// other out of their sessions. So each tab holds a Web Lock named after its id, and a tab that finds
// it held takes a new id. Where there are no Web Locks (they need TLS, or localhost), a page that goes
// leaves a mark, and only a page that finds it takes the name up. The tab also counts its OPENs, and the token
// that the page's address may bring is the tab's as well.

import { randomName } from './environment.js';

const KEY = 'fairlead.client';
/** The ClientID whose page has gone. */
const LEFT = 'fairlead.left';
/** How many OPENs this tab has sent: `CLIENT:COUNT`. */
const OPENS = 'fairlead.opens';
const TOKEN = 'fairlead.token';
/** Characters of a subject that are shown. */
const SUBJECT = 60;
/** Milliseconds in which the page that this one takes the place of lets go of its lock. */
export const HANDOVER = { reloaded: 3_000, opened: 300 };
/** Numbers of OPENs that one count stands for: two pages that count alike differ by a random one of these. */
const LOADS = 4_096;

export class Identity {
  /** The ClientID; undefined until it is known, which may take some milliseconds. */
  client;
  /** @type {Promise<string>} */
  ready;
  #env;
  #opens = 0;
  #load;
  #unlock;
  #takeDown = [];

  /** @param {import('./environment.js').Environment} env @param {string} [client] one of the page's own */
  constructor(env, client) {
    this.#env = env;
    this.#load = Math.min(Math.floor(env.random() * LOADS), LOADS - 1);
    this.ready = client ? Promise.resolve(this.#become(client, this.#recall(client))) : this.#find();
    this.#listen('pagehide', () => this.client && this.#store(LEFT, this.client));
    this.#listen('pageshow', () => this.#env.sessionStorage?.removeItem(LEFT));
  }

  /**
   * The number of the next OPEN: it only rises, also over reloads, and whatever the clock does. So an OPEN that
   * comes late is known by it.
   */
  nextAttempt() {
    this.#opens += 1;
    this.#store(OPENS, `${this.client}:${this.#opens}`);
    return this.#opens * LOADS + this.#load;
  }

  /** Takes another name. */
  renew() {
    this.#unlock?.();
    this.client = undefined;
    this.ready = this.#takeFresh();
  }

  /** Lets go of the name: who comes next in this tab may have it at once. */
  release() {
    if (this.client) this.#store(LEFT, this.client);
    this.#unlock?.();
    for (const takeDown of this.#takeDown) takeDown();
  }

  async #find() {
    const { sessionStorage } = this.#env;
    const remembered = sessionStorage?.getItem(KEY);
    const hasLeft = sessionStorage?.getItem(LEFT) === remembered;
    sessionStorage?.removeItem(LEFT);
    const isName = remembered && /^[A-Za-z0-9_-]{1,64}$/.test(remembered);
    if (isName && (await this.#mayKeep(remembered, hasLeft))) {
      return this.#become(remembered, this.#recall(remembered));
    }
    return this.#takeFresh();
  }

  async #takeFresh() {
    const fresh = randomName();
    this.#store(KEY, fresh);
    if (this.#env.locks) await this.#hold(fresh, { ifAvailable: true });
    return this.#become(fresh, 0);
  }

  #become(client, opens) {
    this.#opens = opens;
    return (this.client = client);
  }

  /** OPENs so far. A name whose count is lost, or that other pages have too, goes on at the time of day. */
  #recall(client) {
    const [, name, count] = /^(.*):(\d{1,12})$/.exec(this.#env.sessionStorage?.getItem(OPENS) ?? '') ?? [];
    return name === client ? Number(count) : Math.ceil(Date.now() / LOADS);
  }

  async #mayKeep(id, hasLeft) {
    const { locks, wasReloaded } = this.#env;
    if (!locks) return hasLeft;
    if (await this.#hold(id, { ifAvailable: true })) return true;
    const patience = new AbortController();
    const within = wasReloaded && hasLeft ? HANDOVER.reloaded : HANDOVER.opened;
    const timer = this.#env.setTimeout(() => patience.abort(), within);
    const isHeld = await this.#hold(id, { signal: patience.signal });
    this.#env.clearTimeout(timer);
    return isHeld;
  }

  /** Holds the id's lock until the page goes, or lets go of it; false if it could not be had. */
  async #hold(id, options) {
    return new Promise((resolve) => {
      const held = (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise((unlock) => (this.#unlock = unlock));
      };
      // Refused to pages without an origin, by a promise or at once.
      Promise.resolve()
        .then(() => this.#env.locks.request(`fairlead.client.${id}`, options, held))
        .catch(() => resolve(false));
    });
  }

  #store(key, value) {
    this.#env.sessionStorage?.setItem(key, value);
  }

  #listen(name, listener) {
    const { window } = this.#env;
    window?.addEventListener(name, listener);
    this.#takeDown.push(() => window?.removeEventListener(name, listener));
  }
}

/** The token that this tab came in with: it is kept for reloads. */
export function keptToken(env) {
  return env.sessionStorage?.getItem(TOKEN) ?? undefined;
}

export function keepToken(env, token) {
  env.sessionStorage?.setItem(TOKEN, token);
}

/** A token that was refused is not brought again by a reload. */
export function forgetToken(env) {
  env.sessionStorage?.removeItem(TOKEN);
}

/**
 * The token behind `#token=`, which no server, log or Referer sees. It leaves the address bar and
 * the history at once.
 * @param {{ location: Location, history: History }} [page]
 * @returns {string | undefined}
 */
export function takeToken({ location, history } = globalThis) {
  const [, token] = /^#token=(.+)/.exec(location.hash) ?? [];
  if (token === undefined) return undefined;
  try {
    history.replaceState(history.state, '', location.pathname + location.search);
  } catch {
    // A frame without an origin has no history of its own.
  }
  return token;
}

/** Whom a token says that it is for, as short as a person reads it. Nobody has checked that. */
export function subjectOf(token) {
  try {
    const coded = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(coded), (it) => it.charCodeAt(0))));
    const name = String(claims.sub).replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
    return [...name].length > SUBJECT ? `${[...name].slice(0, SUBJECT).join('')}…` : name || 'somebody';
  } catch {
    return 'somebody';
  }
}

/**
 * Whether a token that an address brought may be used without asking. Any web site can lead a browser to such an
 * address, and whose token it is sees what is typed: it takes nobody's place.
 * @param {string} token
 * @param {string | undefined} kept the one that the tab has
 * @param {() => Promise<boolean>} isSignedIn whether the browser has a cookie that is good here
 */
export async function mayEnter(token, kept, isSignedIn) {
  if (kept === undefined) return !(await isSignedIn());
  return token === kept || subjectOf(token) === subjectOf(kept) && subjectOf(token) !== 'somebody';
}
