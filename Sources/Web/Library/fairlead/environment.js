// What the library takes from the browser, in one place, so that tests can give it another one.

/**
 * @typedef {object} Environment
 * @property {typeof WebSocket} WebSocket
 * @property {(run: () => void, milliseconds: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now milliseconds of a clock that never goes back
 * @property {() => number} random from 0 to 1
 * @property {EventTarget} [window] `online`, `pageshow`, `pagehide`
 * @property {EventTarget & {visibilityState?: string}} [document] `visibilitychange`
 * @property {Storage} [localStorage] where a page's terminals are remembered
 * @property {Storage} [sessionStorage] what belongs to this tab
 * @property {LockManager} [locks]
 * @property {string} path the page's
 * @property {string} [base] what a relative URL is relative to
 * @property {boolean} wasReloaded the page came back, rather than being opened or duplicated
 * @property {(url: string) => Promise<number>} [status] the HTTP status of a GET
 */

/** @returns {Environment} the one this code runs in */
export function environment() {
  const { document, window, location } = globalThis;
  const type = globalThis.performance?.getEntriesByType?.('navigation')?.[0]?.type;
  return {
    WebSocket: globalThis.WebSocket,
    setTimeout: (run, milliseconds) => globalThis.setTimeout(run, milliseconds),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
    now: () => performance.now(),
    random: Math.random,
    window,
    document,
    localStorage: storage('localStorage'),
    sessionStorage: storage('sessionStorage'),
    locks: globalThis.navigator?.locks,
    path: location?.pathname ?? '/',
    base: location?.href,
    wasReloaded: type === 'reload' || type === 'back_forward',
    status: async (url) => (await fetch(url, { cache: 'no-store' })).status,
  };
}

/** A page whose storage is forbidden (a sandboxed frame) works, and forgets. */
function storage(name) {
  try {
    return globalThis[name];
  } catch {
    return undefined;
  }
}

/** 128 random bits, as 32 hexadecimal digits; unlike randomUUID, also on pages without TLS. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
