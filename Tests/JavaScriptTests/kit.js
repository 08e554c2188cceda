// A browser and a server that do only what a test tells them: a clock that stands still, a WebSocket
// whose other end the test holds, storage, Web Locks and page events.

import { webcrypto } from 'node:crypto';
import { Fairlead } from '../../Sources/Web/Library/fairlead.js';
import { safeStorage } from '../../Sources/Web/Library/fairlead/environment.js';
import { jsonFrame, frame, Type, varint } from '../../Sources/Web/Library/fairlead/wire.js';

export { Type, frame, jsonFrame, varint };
globalThis.crypto ??= webcrypto;
export const text = (bytes) => new TextDecoder().decode(bytes);
export const utf8 = (string) => new TextEncoder().encode(string);

/** Lets promises and microtasks run; no time passes on the test's clock. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export class Clock {
  time = 1_000;
  #timers = new Map();
  #last = 0;

  setTimeout = (run, milliseconds) => {
    this.#timers.set(++this.#last, { run, at: this.time + milliseconds });
    return this.#last;
  };

  clearTimeout = (timer) => this.#timers.delete(timer);

  async advance(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      await settle();
      const [next] = [...this.#timers].filter(([, { at }]) => at <= end)
        .sort(([, a], [, b]) => a.at - b.at);
      if (!next) break;
      this.time = Math.max(this.time, next[1].at);
      this.#timers.delete(next[0]);
      next[1].run();
    }
    this.time = end;
    await settle();
  }
}

export class FakeStorage {
  values = new Map();
  getItem = (key) => this.values.get(key) ?? null;
  setItem = (key, value) => void this.values.set(key, value);
  removeItem = (key) => void this.values.delete(key);
  copy() {
    const copy = new FakeStorage();
    copy.values = new Map(this.values);
    return copy;
  }
}

/** Web Locks as far as the library uses them, shared by the tabs of one browser. */
export class FakeLocks {
  held = new Set();
  async request(name, { signal, ifAvailable }, run) {
    if (!this.held.has(name)) return this.#hold(name, run);
    if (ifAvailable) return run(null);
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      this.waiting.push({ name, resolve: () => resolve(this.#hold(name, run)) });
    });
  }
  waiting = [];
  async #hold(name, run) {
    this.held.add(name);
    await run({ name });
    this.held.delete(name);
    const next = this.waiting.findIndex((it) => it.name === name);
    if (next >= 0) this.waiting.splice(next, 1)[0].resolve();
  }
}

/** Reads what a client sends: the reverse of what wire.js reads, written on its own. */
function framesOf(bytes) {
  const frames = [];
  let at = 0;
  const number = () => {
    const size = 1 << (bytes[at] >> 6);
    let value = BigInt(bytes[at] & 0x3f);
    for (const byte of bytes.subarray(at + 1, at + size)) value = (value << 8n) | BigInt(byte);
    at += size;
    return Number(value);
  };
  while (at < bytes.length) {
    const length = number();
    const end = at + length;
    const type = bytes[at++];
    const stream = number();
    const one = { type, stream };
    switch (type) {
      case Type.INPUT:
        one.offset = number();
        one.text = text(bytes.subarray(at, end));
        break;
      case Type.OUTPUT_ACK:
        one.offset = number();
        one.consumed = number();
        break;
      case Type.RESIZE:
        one.cols = number();
        one.rows = number();
        break;
      case Type.PING: case Type.PONG:
        one.bytes = bytes.slice(at, end);
        break;
      case Type.KILL: case Type.TAKE: break;
      default: one.json = JSON.parse(text(bytes.subarray(at, end)));
    }
    at = end;
    frames.push(one);
  }
  return frames;
}

/** The server's end of one WebSocket. */
export class Line {
  readyState = 0;
  /** Frames the client sent and the test has not taken. */
  received = [];
  /** Answers PING by itself. */
  answersPing = true;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  send(bytes) {
    for (const one of framesOf(bytes)) {
      if (one.type === Type.PING && this.answersPing) {
        queueMicrotask(() => this.deliver(frame(Type.PONG, 0, [], one.bytes)));
      }
      this.received.push(one);
    }
  }

  close(code = 1005) {
    this.readyState = 3;
    this.closedWith = code;
  }

  deliver(...frames) {
    for (const bytes of frames) this.onmessage?.({ data: bytes.slice().buffer });
  }

  /** Opens it and says WELCOME. */
  async accept({ welcome = true } = {}) {
    this.readyState = 1;
    this.onopen?.();
    await settle();
    if (welcome) this.deliver(jsonFrame(Type.WELCOME, 0, { version: 1, time: 0, limits: {} }));
    await settle();
  }

  async end(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
    await settle();
  }

  /** Takes the frames of a type. */
  take(type) {
    const taken = this.received.filter((one) => one.type === type);
    this.received = this.received.filter((one) => one.type !== type);
    return taken;
  }

  opened(stream, fields = {}) {
    this.deliver(jsonFrame(Type.OPENED, stream, {
      session: 's', life: 'a1', epoch: 1, created: false, resumed: 'new', output: 0, input: 0,
      size: { columns: 80, rows: 24 }, mode: 'driver', ...fields,
    }));
  }

  output(stream, offset, string) {
    this.deliver(frame(Type.OUTPUT, stream, [offset], utf8(string)));
  }

  snapshot(stream, { id = 1, marks = 3, offset, cols = 80, rows = 24, string }) {
    const rest = [...varint(offset), ...varint(cols), ...varint(rows), ...utf8(string)];
    this.deliver(frame(Type.SNAPSHOT, stream, [id], Uint8Array.from([marks, ...rest])));
  }
}

/** A tab of a browser. */
export class Tab {
  clock = new Clock();
  /** Every connection tried, oldest first. */
  lines = [];
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  /** What `random` gives. */
  luck = 0.5;
  statusOfGet = 426;
  wordsOfGet;
  complaints = [];

  constructor({
    localStorage = new FakeStorage(), sessionStorage = new FakeStorage(), locks = new FakeLocks(),
    path = '/page', wasReloaded = false,
  } = {}) {
    const tab = this;
    Object.assign(this, { localStorage, sessionStorage, locks });
    this.env = {
      WebSocket: function (url, protocols) {
        const line = new Line(url, protocols);
        tab.lines.push(line);
        return line;
      },
      setTimeout: this.clock.setTimeout,
      clearTimeout: this.clock.clearTimeout,
      now: () => tab.clock.time,
      random: () => tab.luck,
      window: this.window,
      document: this.document,
      localStorage: safeStorage(() => this.localStorage),
      sessionStorage: safeStorage(() => this.sessionStorage),
      locks, path, wasReloaded,
      base: `https://example.org${path}`,
      ask: async () => ({ status: tab.statusOfGet, message: tab.wordsOfGet }),
      complain: (text) => tab.complaints.push(text),
    };
  }

  get line() {
    return this.lines.at(-1);
  }

  /** The page's Content-Security-Policy forbids a connection. */
  forbid(blockedURI) {
    this.document.dispatchEvent(Object.assign(new Event('securitypolicyviolation'), {
      effectiveDirective: 'connect-src', disposition: 'enforce', blockedURI,
    }));
  }

  /** The same tab after a reload. */
  reloaded() {
    this.window.dispatchEvent(new Event('pagehide'));
    return new Tab({ ...this, locks: new FakeLocks(), wasReloaded: true });
  }

  /** A copy of the tab, as "duplicate tab" makes it. */
  duplicated() {
    return new Tab({ ...this, sessionStorage: this.sessionStorage.copy() });
  }
}

/** A page with one terminal, opened; `seen` is what its listeners were told. */
export async function begin({ tab = new Tab(), options = {}, opened = {} } = {}) {
  const cluster = new Fairlead('', { env: tab.env });
  const terminal = cluster.open({ key: 'k', ...options });
  const seen = { text: '', events: [], doubt: [] };
  terminal.on('output', ({ bytes }) => (seen.text += text(bytes)));
  terminal.on('snapshot', ({ first, bytes }) => {
    seen.text = (first ? '' : seen.text) + text(bytes);
  });
  terminal.on('size', ({ cols, rows }) => seen.events.push(`${cols}x${rows}@${seen.text.length}`));
  terminal.on('doubt', ({ bytes, reason }) => seen.doubt.push([reason, text(bytes)]));
  await tab.clock.advance(400);
  await tab.line.accept();
  const [open] = tab.line.take(Type.OPEN);
  tab.line.opened(open.stream, opened);
  await settle();
  return { tab, cluster, terminal, seen, open: open.json };
}

/** Cuts the line and accepts the next; returns its OPEN. */
export async function cut(tab) {
  await tab.line.end();
  await tab.clock.advance(1_000);
  await tab.line.accept();
  return tab.line.take(Type.OPEN)[0];
}

/** What was typed and has arrived: [offset, text]. */
export const typed = (line) => line.take(Type.INPUT).map((one) => [one.offset, one.text]);
