// What the library and its page take from the browser, in one place: so that tests can give it another one, and
// since much of it may be missing, forbidden or full. What may throw in a browser answers here instead.

/**
 * @typedef {object} SafeStorage storage that a browser may refuse at any time
 * @property {(key: string) => string | null} getItem null also if it may not be read
 * @property {(key: string, value: string) => boolean} setItem false if it was not kept
 * @property {(key: string) => void} removeItem
 */

/**
 * @typedef {object} Environment
 * @property {typeof WebSocket} WebSocket
 * @property {(run: () => void, milliseconds: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now milliseconds of a clock that never goes back
 * @property {() => number} random from 0 to 1
 * @property {EventTarget} [window] `online`, `pageshow`, `pagehide`
 * @property {EventTarget & {visibilityState?: string}} [document] `visibilitychange`
 * @property {SafeStorage} [localStorage] where a page's terminals are remembered
 * @property {SafeStorage} [sessionStorage] what belongs to this tab
 * @property {LockManager} [locks]
 * @property {string} path the page's
 * @property {string} [base] what a relative URL is relative to
 * @property {boolean} wasReloaded the page came back, as far as the browser knows
 * @property {(url: string) => Promise<{ status: number, message?: string }>} [ask] what a GET is answered, with the words
 *   of a failure
 * @property {(text: string) => void} [complain] to who wrote the page
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
    localStorage: safeStorage(() => globalThis.localStorage),
    sessionStorage: safeStorage(() => globalThis.sessionStorage),
    locks: globalThis.navigator?.locks,
    path: location?.pathname ?? '/',
    base: location?.href,
    wasReloaded: type === 'reload' || type === 'back_forward',
    ask: async (url) => {
      const answer = await fetch(url, { cache: 'no-store' });
      const said = await answer.json().catch(() => undefined);
      return { status: answer.status, message: said?.error?.message };
    },
    complain: (text) => console.error(text),
  };
}

/**
 * A page whose storage is forbidden (blocked cookies, a sandboxed frame: to name it throws) or full (to write to it
 * does) works, and forgets.
 * @param {() => Storage | undefined} get
 * @returns {SafeStorage}
 */
export function safeStorage(get) {
  const tried = (run, otherwise) => {
    try {
      const storage = get();
      return storage ? run(storage) : otherwise;
    } catch {
      return otherwise;
    }
  };
  return {
    getItem: (key) => tried((storage) => storage.getItem(key), null),
    setItem: (key, value) => tried((storage) => {
      storage.setItem(key, value);
      return true;
    }, false),
    removeItem: (key) => tried((storage) => storage.removeItem(key), undefined),
  };
}

/** The clipboard, which needs TLS, the focus, a gesture or the user's leave. Null and false: it may not be used. */
export const clipboard = {
  async read() {
    try {
      return await navigator.clipboard.readText();
    } catch {
      return null;
    }
  },
  async write(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  },
};

/** Notices of the desktop, which need TLS and the user's leave, and are not in every browser. */
export const notifications = {
  /** Asks the user, if that is still open; wants a gesture. @returns {Promise<boolean>} whether they may be shown */
  async ask() {
    try {
      return (await Notification.requestPermission()) === 'granted';
    } catch {
      return false;
    }
  },
  /** @returns {{ close: () => void } | undefined} undefined: it may not be shown */
  show(title, options, chosen) {
    try {
      if (Notification.permission !== 'granted') return undefined;
      const notice = new Notification(title, options);
      notice.onclick = chosen;
      return notice;
    } catch {
      return undefined;
    }
  },
};

/** 128 random bits, as 32 hexadecimal digits; unlike randomUUID, also on pages without TLS. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
