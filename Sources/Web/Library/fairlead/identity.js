// Who this tab is. A ClientID is kept in session storage, so that it survives a reload; but a
// duplicated tab begins with a copy of that storage, and two tabs under one name would throw each
// other out of their sessions. So each tab holds a Web Lock named after its id, and a tab that finds
// it held takes a new id. The token that the page's address may bring is the tab's as well.

import { randomName } from './environment.js';

const KEY = 'fairlead.client';
const TOKEN = 'fairlead.token';
/** Milliseconds in which the page that this one takes the place of lets go of its lock. */
export const HANDOVER = { reloaded: 3_000, opened: 300 };

/**
 * @param {import('./environment.js').Environment} env
 * @returns {Promise<string>} this tab's ClientID, held until the page goes
 */
export async function clientID(env) {
  const remembered = read(env);
  if (remembered && (await mayKeep(remembered, env))) return remembered;
  const fresh = randomName();
  try {
    env.sessionStorage?.setItem(KEY, fresh);
  } catch {
    // Full or forbidden: the id lasts as long as the page.
  }
  if (env.locks) await hold(fresh, env, { ifAvailable: true });
  return fresh;
}

/**
 * The token behind `#token=`, which no server, log or Referer sees. It leaves the address bar and
 * the history at once, and is kept for reloads of this tab.
 * @param {import('./environment.js').Environment} env
 * @param {{ location: Location, history: History }} [page]
 * @returns {string | undefined}
 */
export function takeToken(env, { location, history } = globalThis) {
  const [, token] = /^#token=(.+)/.exec(location.hash) ?? [];
  if (token === undefined) return env.sessionStorage?.getItem(TOKEN) ?? undefined;
  history.replaceState(history.state, '', location.pathname + location.search);
  try {
    env.sessionStorage?.setItem(TOKEN, token);
  } catch {
    // As with the id: it lasts as long as the page.
  }
  return token;
}

function read(env) {
  const id = env.sessionStorage?.getItem(KEY);
  return id && /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : undefined;
}

/** Web Locks need TLS (or localhost). Without them only a reloaded page keeps its name. */
async function mayKeep(id, env) {
  if (!env.locks) return env.wasReloaded;
  if (await hold(id, env, { ifAvailable: true })) return true;
  const patience = new AbortController();
  const { reloaded, opened } = HANDOVER;
  const timer = env.setTimeout(() => patience.abort(), env.wasReloaded ? reloaded : opened);
  const isHeld = await hold(id, env, { signal: patience.signal });
  env.clearTimeout(timer);
  return isHeld;
}

/** Holds the id's lock until the page goes; false if it could not be had. */
function hold(id, env, options) {
  return new Promise((resolve) => {
    env.locks
      .request(`fairlead.client.${id}`, options, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}
