// fairlead.js: terminals in a browser that come back by themselves. One connection carries many.
//
//     const cluster = new Fairlead('https://terminals.example.com');
//     const terminal = cluster.open({ key: 'shell', cols: 80, rows: 24 });
//     terminal.on('output', ({ bytes }) => …);
//     terminal.write('ls\n');
//
// fairlead-xterm.js shows one in xterm.js; fairlead.d.ts has every option and event.

import { Backoff } from './fairlead/backoff.js';
import { Connection, DOUBT_WITHIN } from './fairlead/connection.js';
import { Emitter } from './fairlead/emitter.js';
import { environment, randomName } from './fairlead/environment.js';
import { Identity } from './fairlead/identity.js';
import { Memory } from './fairlead/memory.js';
import { FairleadTerminal } from './fairlead/terminal.js';
import { explanation, isMixed } from './fairlead/trouble.js';
import { Type, jsonFrame } from './fairlead/wire.js';

export { FairleadTerminal };

/** The close codes with which a server refuses the token, and whom it knows by it. */
const UNAUTHORIZED = 4401;
const FORBIDDEN = 4403;
/** The same as answers to the upgrade, which scripts cannot see; a plain GET gets it too. */
const REFUSED_STATUS = [401, 403];

/**
 * Events: `state` `{ name, reason?, retryAt? }`, `latency` (milliseconds), `denied` `{ session, message }`: a session whose
 * terminal was left after `kill()` may not be ended by this client; `trouble` `{ kind, message }`: why there is no
 * connection, and what to do about it. Of each kind it is told once, and if nobody listens, on the browser's console.
 */
export class Fairlead extends Emitter {
  /** What the page remembers of its terminals. */
  memory;
  /** `idle`, `connecting`, `open`, `waiting`, `stopped` (this client was refused) or `closed`. */
  state = Object.freeze({ name: 'idle' });
  /** The last round trip in milliseconds. */
  latency;

  #url;
  #token;
  #env;
  #backoff;
  #connection;
  /** A connection that is to take the place of a present one, after GOAWAY. */
  #successor;
  #timer;
  #goAway;
  #successorTimer;
  /** Counts the tries to connect: what an earlier one brings is of no use. */
  #attempt = 0;
  #refusals = 0;
  #failures = 0;
  #wasWelcomed = false;
  /** The kinds of trouble that were told, and the last of them that is not over. */
  #told = new Set();
  #trouble;
  #lastNumber = 0;
  /** @type {Set<FairleadTerminal>} */
  #terminals = new Set();
  /** @type {Map<number, FairleadTerminal>} by stream number of the present connection */
  #streams = new Map();
  #takeDown = [];
  #isClosing = false;
  /** Of `#terminals`, those that are only there to end a session: no page looks at them. */
  #enders = new Set();
  #identity;

  /**
   * @param {string} [url] of the cluster: `https://…`, or relative to the page; its own by default
   * @param {object} [options]
   * @param {string | (() => string | Promise<string>)} [options.token] goes into HELLO; a function
   *   is asked before each connection, and when the server wants another one in an open connection. An
   *   error that it throws with `isFinal` stops the client, with the error's own words
   * @param {string} [options.client] a ClientID of the page's own; by default one per tab
   * @param {import('./fairlead/environment.js').Environment} [options.env] for tests
   */
  constructor(url = '', { token, client, env = environment() } = {}) {
    super();
    this.#url = endpoint(url, env.base);
    this.#token = token;
    this.#env = env;
    this.#backoff = new Backoff(env.random);
    this.memory = new Memory(env);
    this.#identity = new Identity(env, client);
    this.#listen();
    for (const left of this.memory.ending()) this.#end(left);
  }

  /** This tab's ClientID; undefined until it is known, which may take some milliseconds. */
  get client() {
    return this.#identity.client;
  }

  /**
   * Opens a terminal.
   *
   * With a `key`, the page remembers it: the first time a session is created, and after a reload the
   * same one is taken up again, never created anew behind the user's back. With a `session`, that
   * one is attached to, and created first if it does not exist, unless `create` is false.
   *
   * @param {import('./fairlead.d.ts').OpenOptions} [options]
   * @returns {FairleadTerminal}
   */
  open(options = {}) {
    const remembered = options.key === undefined ? undefined : this.memory.get(options.key);
    const session = options.session ?? remembered?.session ?? randomName();
    const life = remembered?.session === session ? remembered.life : undefined;
    const isNew = options.create !== false;
    const terminal = this.#make({ ...options, session, life, isNew });
    this.#remember(terminal);
    this.#identity.ready.then((client) => {
      if (!this.#terminals.has(terminal)) return;
      terminal._restore(this.memory.takeInput(session, client));
      this.#reopen(terminal);
    });
    return terminal;
  }

  /** @returns {FairleadTerminal[]} the terminals that are not over */
  get terminals() {
    return [...this.#terminals].filter((it) => !this.#enders.has(it));
  }

  /**
   * Takes up again a terminal that was `closed` as `superseded`, that is, in favour of a tab which has the same
   * ClientID. This tab takes another one, so that both can be there and neither pushes the other out.
   * @returns {boolean} false, and nothing happens: it was not closed so
   */
  takeBack(terminal) {
    const { name, reason } = terminal.state;
    if (name !== 'closed' || reason !== 'superseded' || this.#isClosing) return false;
    terminal._revive();
    this.#terminals.add(terminal);
    for (const it of this.#terminals) it._renamed();
    this.#identity.renew();
    this.#dropSuccessor();
    if (this.state.name === 'stopped') terminal._lost(this.state);
    else this.#connect();
    return true;
  }

  /** Connects now instead of at the time announced; after `stopped`, with another token. */
  reconnect({ token } = {}) {
    if (token !== undefined) this.#token = token;
    if (this.state.name === 'stopped') this.#refusals = 0;
    if (this.state.name === 'waiting' || this.state.name === 'stopped') this.#connect();
  }

  /** Leaves all terminals and closes; the sessions live on. */
  close() {
    this.#isClosing = true;
    for (const terminal of this.#terminals) terminal.close();
    this.#hangUp('closed');
    for (const takeDown of this.#takeDown) takeDown();
    this.#identity.release();
  }

  // MARK: Terminals

  #make(options) {
    const terminal = new FairleadTerminal(options, {
      env: this.#env,
      client: () => this.client,
      nextAttempt: () => this.#identity.nextAttempt(),
      reopen: (it) => this.#reopen(it),
      finished: (it) => this.#finished(it),
      left: (number) => this.#streams.delete(number),
      doubtLine: () => this.#connection?.probe(),
      remember: (it) => this.#remember(it),
      ending: (it) => this.memory.setEnding(it, it._isKilling),
      explain: (kind) => this.#explain(kind),
      trouble: () => this.#trouble,
    });
    this.#terminals.add(terminal);
    return terminal;
  }

  /** Ends a session of which no page has a terminal any more; of this life only, if it is known. */
  #end({ session, life }) {
    const ender = this.#make({ session, life, isNew: false, mode: 'watcher' });
    this.#enders.add(ender);
    ender.kill();
    // Not allowed, or another process runs there now: neither is to be tried again.
    ender.on('life', () => ender.close());
    ender.on('denied', ({ message }) => {
      ender.close();
      this.emit('denied', { session, message });
    });
    this.#identity.ready.then(() => this.#reopen(ender));
  }

  #reopen(terminal) {
    if (this.state.name === 'idle') return this.#connect();
    if (this.state.name === 'stopped') return terminal._lost(this.state);
    if (this.state.name === 'open') this.#begin(terminal);
  }

  #begin(terminal) {
    if (!this.client || terminal._isPostponed) return;
    const connection = this.#connection;
    const number = ++this.#lastNumber;
    this.#streams.set(number, terminal);
    terminal._begin(number, (bytes) => connection.send(bytes));
  }

  #finished(terminal) {
    this.#terminals.delete(terminal);
    const isEnder = this.#enders.delete(terminal);
    // It was left before the server could have heard that it is to be ended.
    if (terminal._isKilling && !isEnder && !this.#isClosing) this.#end(terminal);
    // An idle page holds no connection, and no server waits for it.
    if (this.#terminals.size === 0) this.#env.setTimeout(() => this.#leaveIfUnused(), 0);
  }

  #leaveIfUnused() {
    if (this.#terminals.size === 0 && this.state.name !== 'closed') this.#hangUp('idle');
  }

  #remember(terminal) {
    const { key, session, life } = terminal;
    if (key !== undefined) this.memory.set(key, { session, life });
  }

  // MARK: Connecting

  async #connect() {
    this.#env.clearTimeout(this.#timer);
    this.#connection?.close();
    this.#connection = undefined;
    this.#become({ name: 'connecting' });
    const attempt = ++this.#attempt;
    try {
      const connection = await this.#dial(attempt);
      if (connection) this.#connection = connection;
    } catch (error) {
      if (attempt !== this.#attempt) return;
      // The constructor of WebSocket.
      if (error.name === 'SecurityError') this.#stopFor('mixed');
      else if (error.isFinal) this.#stop(error.message);
      else this.#ended({ code: 1006, reason: error.message });
    }
  }

  /** @returns the connection, unless something else happened while the token was asked for */
  async #dial(attempt) {
    const client = await this.#identity.ready;
    const token = await this.#makeToken();
    if (attempt !== this.#attempt) return undefined;
    const connection = new Connection(this.#url, { versions: [1], client, token }, {
      onOpen: () => this.#opened(connection),
      onWelcome: () => this.#welcomed(connection),
      onFrame: (type, stream, fields) => this.#received(connection, type, stream, fields),
      onLatency: (milliseconds) => {
        this.latency = milliseconds;
        this.emit('latency', milliseconds);
      },
      onEnd: (ended) => this.#connectionEnded(connection, ended),
    }, this.#env);
    return connection;
  }

  async #makeToken() {
    try {
      return typeof this.#token === 'function' ? await this.#token() : this.#token;
    } catch (error) {
      if (error?.isFinal) throw Object.assign(new Error(String(error.message)), { isFinal: true });
      throw new Error(`no token: ${error?.message ?? error}`);
    }
  }

  /** The token runs out. One that was given has no other; its end is told by 4401. */
  async #renew(connection, { within }) {
    if (within === undefined || typeof this.#token !== 'function') return;
    try {
      const token = await this.#makeToken();
      if (token) connection.send(jsonFrame(Type.TOKEN, 0, { token }));
    } catch (error) {
      // The connection is good until the server ends it; the next one asks again.
      if (connection !== this.#connection || this.state.name !== 'open') return;
      if (error.isFinal) return this.#stop(error.message);
      this.#become({ name: 'open', reason: error.message });
    }
  }

  #opened(connection) {
    if (connection === this.#successor) return;
    // HELLO and the OPENs go out together: a reconnect costs one round trip.
    this.#connection = connection;
    for (const terminal of this.#terminals) terminal._detach();
    this.#lastNumber = 0;
    this.#streams.clear();
    this.#become({ name: 'open' });
    for (const terminal of this.#terminals) this.#begin(terminal);
  }

  #welcomed(connection) {
    this.#refusals = 0;
    this.#failures = 0;
    this.#wasWelcomed = true;
    this.#trouble = undefined;
    if (connection === this.#successor) {
      this.#connection?.close('moved');
      this.#successor = this.#successorTimer = undefined;
      this.#opened(connection);
    } else if (this.state.name !== 'open') {
      this.#opened(connection);
    }
  }

  #received(connection, type, number, fields) {
    if (type === Type.GOAWAY) return this.#leave(connection, fields);
    if (connection !== this.#connection) return;
    if (type === Type.TOKEN) return this.#renew(connection, fields);
    this.#streams.get(number)?._receive(type, fields);
  }

  /** A server that is about to go: another one is found first, at a moment of its own. */
  #leave(connection, { within = 0, spread = 0 }) {
    this.#goAway = { spread };
    if (connection !== this.#connection || this.#successorTimer !== undefined) return;
    this.#succeed(connection, this.#env.random() * Math.max(0, Math.min(within, spread)));
  }

  /** Makes the connection that takes over from this one, unless this one ends before. */
  #succeed(connection, delay) {
    this.#successorTimer = this.#env.setTimeout(async () => {
      try {
        const successor = await this.#dial(this.#attempt);
        if (successor && this.#connection === connection) this.#successor = successor;
        else successor?.close();
      } catch (error) {
        if (error.isFinal) this.#stop(error.message);
        else this.#successorFailed({});
      }
    }, delay);
  }

  #successorFailed(ended) {
    this.#successor = undefined;
    if (this.#connection) this.#succeed(this.#connection, this.#backoff.next(ended));
  }

  #connectionEnded(connection, ended) {
    if (connection === this.#successor) return this.#successorFailed(ended);
    if (connection !== this.#connection) return;
    if (this.#successor) {
      // It was to take over; now it is all there is, and its own end would be heard.
      const successor = this.#successor;
      this.#successor = undefined;
      this.#connection = successor;
      this.#dropSuccessor();
      this.#become({ name: 'connecting' });
      for (const terminal of this.#terminals) terminal._lost({ name: 'connecting' });
      return;
    }
    this.#ended(ended);
  }

  #ended({ code, reason, lasted }) {
    this.#connection = undefined;
    this.#dropSuccessor();
    // With a token made to order as well: it is known who comes, and the answer is no.
    if (code === FORBIDDEN) return this.#stopFor('token', reason);
    if (code === UNAUTHORIZED) {
      this.#refusals += 1;
      // A token made to order may just have been too old, once.
      if (typeof this.#token !== 'function' || this.#refusals > 1) return this.#stopFor('token', reason);
    }
    const spread = this.#goAway?.spread;
    this.#goAway = undefined;
    this.#wait(this.#backoff.next({ lasted, code, spread }), reason);
    if (lasted !== undefined) return;
    this.#failures += 1;
    // At the 1st, 2nd, 4th, 8th … failure: a server in trouble need not answer each one twice.
    if (Number.isInteger(Math.log2(this.#failures))) this.#lookForRefusal();
  }

  #wait(delay, reason) {
    this.#env.clearTimeout(this.#timer);
    this.#streams.clear();
    if (this.#terminals.size === 0) return this.#become({ name: 'idle' });
    this.#timer = this.#env.setTimeout(() => this.#connect(), delay);
    this.#become({ name: 'waiting', reason, retryAt: this.#env.now() + delay });
    const state = { name: 'reconnecting', reason, retryAt: this.state.retryAt };
    for (const terminal of this.#terminals) terminal._lost(state);
  }

  /** A refused upgrade looks like a dead server to a script; what a GET is answered does not. */
  async #lookForRefusal() {
    const attempt = this.#attempt;
    const answer = await this.#env
      .ask?.(this.#url.replace(/^ws/, 'http'))
      .catch(() => undefined);
    if (attempt !== this.#attempt || this.state.name !== 'waiting') return;
    if (REFUSED_STATUS.includes(answer?.status)) {
      const reason = answer.message ?? `the server answered ${answer.status}`;
      return this.#stopFor(answer.status === 403 ? 'origin' : 'token', reason);
    }
    // Once may be a server that is just being started; and one that was there before comes back.
    if (this.#wasWelcomed || this.#failures < 2) return;
    if (isMixed(this.#url, this.#env.base)) this.#explain('mixed');
    else this.#explain(answer ? 'proxy' : 'silent');
  }

  /** Stops, and says what to do so that it does not come to that. */
  #stopFor(kind, reason) {
    const message = this.#explain(kind, reason);
    this.#stop(reason ?? message);
  }

  /** Tells who embeds it, once, and each terminal, which may show it. */
  #explain(kind, reason) {
    const origin = this.#env.base && new URL(this.#env.base).origin;
    const message = explanation(kind, { url: this.#url, origin, reason });
    const trouble = { kind, message };
    // Styles keep nobody from connecting, and no connection would end that trouble.
    if (kind !== 'styles') this.#trouble = trouble;
    for (const terminal of this.#terminals) terminal.emit('trouble', trouble);
    if (this.#told.has(kind)) return message;
    this.#told.add(kind);
    if (this.hasListeners('trouble')) this.emit('trouble', trouble);
    else this.#env.complain?.(`Fairlead: ${message}`);
    return message;
  }

  #stop(reason) {
    this.#hangUp('stopped', reason || 'the token was refused');
    for (const terminal of this.#terminals) terminal._lost(this.state);
  }

  #hangUp(name, reason) {
    this.#env.clearTimeout(this.#timer);
    this.#attempt += 1;
    this.#dropSuccessor();
    this.#connection?.close();
    this.#connection = undefined;
    this.#streams.clear();
    this.#become({ name, reason });
  }

  #dropSuccessor() {
    this.#env.clearTimeout(this.#successorTimer);
    this.#successorTimer = undefined;
    this.#successor?.close();
    this.#successor = undefined;
  }

  #become(state) {
    this.state = Object.freeze(state);
    this.emit('state', this.state);
  }

  // MARK: What the browser tells

  #listen() {
    const { window, document } = this.#env;
    const listen = (target, name, listener) => {
      target?.addEventListener(name, listener);
      this.#takeDown.push(() => target?.removeEventListener(name, listener));
    };
    listen(window, 'online', () => {
      // An attempt made while there was no network may hang for long.
      if (this.state.name === 'connecting') this.#connect();
      this.#wake();
    });
    listen(window, 'pageshow', () => this.#wake());
    listen(window, 'pagehide', () => this.#save());
    listen(document, 'securitypolicyviolation', ({ effectiveDirective, disposition, blockedURI }) => {
      if (effectiveDirective !== 'connect-src' || disposition !== 'enforce') return;
      // The page's own requests to that host are not this client's, and what is open was allowed.
      if (this.state.name === 'open' || parsed(blockedURI)?.href !== this.#url) return;
      this.#stopFor('policy');
    });
    listen(document, 'visibilitychange', () => {
      if (document.visibilityState === 'hidden') this.#save();
      else this.#wake();
    });
  }

  /** The network or the page is back: what waits is tried at once, what is open is asked. */
  #wake() {
    switch (this.state.name) {
      case 'waiting': return void this.#connect();
      case 'open': return this.#connection?.probe(DOUBT_WITHIN);
    }
  }

  /** The page may go away now, and a phone's never says more than this. */
  #save() {
    if (!this.client) return;
    for (const terminal of this.#terminals) terminal._saveTo(this.memory, this.client);
    this.#connection?.flush();
  }
}

/** @returns {URL | undefined} undefined: it is none */
function parsed(url, base) {
  try {
    return new URL(url, base);
  } catch {
    return undefined;
  }
}

/** @returns {string} the WebSocket URL of a cluster */
function endpoint(url, base) {
  const whole = parsed(url || '/', base);
  if (!/^(http|ws)s?:$/.test(whole?.protocol)) {
    throw new TypeError(`not a cluster's URL, which is such as https://terminals.example.com: ${url}`);
  }
  whole.protocol = whole.protocol.replace('http', 'ws');
  whole.search = whole.hash = '';
  whole.pathname = whole.pathname.replace(/\/?$/, '').replace(/\/v1\/connect$/, '') + '/v1/connect';
  return whole.href;
}
