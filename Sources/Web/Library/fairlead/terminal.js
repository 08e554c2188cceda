// One terminal: a client's attachment to one session. It outlives connections: each one opens it on
// a stream of its own, at the byte where the last one left off (docs/protocol.md, sections 4 to 7).

import { Backoff } from './backoff.js';
import { Emitter } from './emitter.js';
import { InputBuffer } from './input.js';
import { framed, neutralised } from './paste.js';
import { Type, frame, jsonFrame } from './wire.js';

/** Output is acknowledged when so many bytes were consumed: half of the smallest window. */
export const ACK_BYTES = 32 * 1024;
/** Less goes with the next input, or after so many milliseconds. */
export const ACK_DELAY = 200;
/** Input without an acknowledgement for so long casts doubt on the line, in milliseconds. */
export const INPUT_DOUBT = 1_500;

/** The keys that the terminal turns into a signal: Ctrl-C, Ctrl-\, Ctrl-Z. */
const INTERRUPTS = [0x03, 0x1c, 0x1a];

const toUTF8 = new TextEncoder();

/**
 * Events (see fairlead.d.ts for what they carry): `output`, `snapshot`, `size`, `state`, `opened`,
 * `life`, `doubt`, `undelivered`, `full`, `discarded`, `neutralised`, `denied`, `title`, `viewers`, `trouble`, `ended`,
 * `refused`, `closed`.
 */
export class FairleadTerminal extends Emitter {
  /** The session's id. */
  session;
  /** The life that the offsets belong to; undefined before the first OPENED. */
  life;
  /** @type {'driver' | 'watcher'} */
  mode;
  /** The terminal's size, as of the last size event. */
  size;
  /** Where it stands: `{ name, reason?, retryAt? }`; see the `state` event. */
  state = Object.freeze({ name: 'connecting' });
  /** The ClientID whose size the terminal has, when known. */
  owner;
  /** @type {{client: string, mode: string, sub?: string}[]} who is attached */
  viewers = [];
  title = '';
  /** @type {string | undefined} why it stands still, though there is a connection */
  stalled;
  /** The key under which the page remembers it, if any. */
  key;
  /** Acknowledge when the listeners return (`auto`), or when `ack` is called (`manual`). */
  acknowledging = 'auto';

  #host;
  #options;
  #wanted;
  /** The size that the present stream's OPEN, or its last RESIZE, named. */
  #opening;
  /** The same of its colours. */
  #openingColors;
  #isNew;
  /** KILL is to be sent as soon as frames flow. */
  #isKilling = false;
  /** TAKE is to be sent, or may have been lost: nobody has said yet that this client has the size. */
  #isTaking = false;
  #colors;
  #input = new InputBuffer();
  #backoff;
  /** @type {{number: number, send: (bytes: Uint8Array) => void} | undefined} the present stream */
  #stream;
  /** Frames flow: OPENED was received on the present stream, and it is not paused. */
  #isLive = false;
  #openedAt;
  /** Offset after the last byte handed out; undefined: there is no whole screen. */
  #next;
  /** Handed out and not yet consumed, oldest first. */
  #handed = [];
  #consumed = 0;
  #acknowledged = 0;
  #parsed = 0;
  #ackTimer;
  #doubtTimer;
  #retryTimer;

  /**
   * @param {object} options those of `Fairlead.open`, with `session` and `isNew` decided
   * @param {object} host the Fairlead: `env`, `client()`, `nextAttempt()`, `reopen(terminal)`,
   *   `finished(terminal)`, `left(number)`, `doubtLine()`, `remember(terminal)`, `ending(terminal)`, `explain(kind)`,
   *   `trouble()`
   */
  constructor(options, host) {
    super();
    this.#options = options;
    this.#host = host;
    this.#backoff = new Backoff(host.env.random);
    this.#isNew = options.isNew;
    this.#colors = options.colors;
    this.session = options.session;
    this.life = options.life;
    this.key = options.key;
    this.mode = options.mode ?? 'driver';
    if (options.manualAck) this.acknowledging = 'manual';
    this.size = { cols: options.cols ?? 80, rows: options.rows ?? 24 };
    this.#wanted = this.size;
  }

  // MARK: For the page

  /**
   * Types. What cannot be sent now is kept and sent later. An interrupt (Ctrl-C, Ctrl-\, Ctrl-Z as the only
   * byte) takes the place of what was typed before it and not sent yet: `discarded` tells.
   * @param {string | Uint8Array} data
   * @returns {boolean} false, and nothing was typed: a watcher, an end, or over 16 MiB waiting (`full` tells)
   */
  write(data) {
    if (this.isOver || this.mode === 'watcher') return false;
    const bytes = typeof data === 'string' ? toUTF8.encode(data) : data.slice();
    const isInterrupt = bytes.length === 1 && INTERRUPTS.includes(bytes[0]);
    const discarded = isInterrupt ? this.#input.interrupt() : undefined;
    const isTaken = this.#input.append(bytes);
    this.#pump();
    if (discarded) this.emit('discarded', { bytes: discarded });
    if (!isTaken) this.emit('full', { bytes: bytes.length, waiting: this.#input.length });
    return isTaken;
  }

  /**
   * Types text from outside: control characters, which could end a paste's frame, become symbols, and
   * `neutralised` tells of them.
   * @param {string} text
   * @param {{ isBracketed?: boolean }} [options] whether the program asked for pastes in frames (mode 2004)
   * @returns {boolean} as `write`
   */
  paste(text, { isBracketed = false } = {}) {
    const { text: shown, changed } = neutralised(text);
    const isTaken = this.write(toUTF8.encode(framed(shown, isBracketed)));
    if (isTaken && changed > 0) this.emit('neutralised', { count: changed });
    return isTaken;
  }

  /** The user's terminal has this size now. A `size` event follows if it becomes the session's. */
  resize(cols, rows) {
    const bounded = (value) => Math.min(Math.max(Math.trunc(value) || 1, 1), 1_000);
    const wanted = { cols: bounded(cols), rows: bounded(rows) };
    if (wanted.cols === this.#wanted.cols && wanted.rows === this.#wanted.rows) return;
    this.#wanted = wanted;
    if (this.#isLive) this.#sendSize();
  }

  /** Makes this client's size the terminal's. */
  take() {
    this.#isTaking = this.mode === 'driver' && this.owner !== this.#host.client();
    if (this.#isLive) this.#send(frame(Type.TAKE, this.#stream.number));
  }

  /**
   * The user's terminal has these colours now (`#rrggbb` each), for programs that ask.
   * @param {{ foreground?: string, background?: string, cursor?: string }} colors
   */
  setColors(colors) {
    const { foreground, background, cursor } = colors;
    const before = this.#colors ?? {};
    if (foreground === before.foreground && background === before.background
      && cursor === before.cursor) return;
    this.#colors = { foreground, background, cursor };
    if (this.#isLive) this.#sendColors();
  }

  /** `bytes` of what `output` and `snapshot` events brought were shown. */
  ack(bytes) {
    while (bytes > 0 && this.#handed.length > 0) {
      const [first] = this.#handed;
      const count = Math.min(bytes, first.bytes);
      first.bytes -= count;
      bytes -= count;
      if (first.stream === this.#stream) this.#consumed += count;
      if (first.bytes > 0) break;
      if (first.stream === this.#stream && first.end !== undefined) this.#parsed = first.end;
      this.#handed.shift();
    }
    if (this.#consumed - this.#acknowledged >= ACK_BYTES) return this.#acknowledge();
    if (this.#consumed > this.#acknowledged && this.#ackTimer === undefined) {
      this.#ackTimer = this.#host.env.setTimeout(() => this.#acknowledge(), ACK_DELAY);
    }
  }

  /** Leaves; the session lives on. */
  close() {
    if (this.isOver) return;
    if (this.#stream) this.#send(jsonFrame(Type.CLOSE, this.#stream.number, { reason: 'done' }));
    this.#finish('closed', { reason: 'done' });
  }

  /**
   * Ends the session and its process; `ended` follows, or `denied`. Said again after a cut, which may have lost
   * it, and remembered beyond `close()` and the page until its end is known.
   */
  kill() {
    if (this.isOver) return;
    this.#isKilling = true;
    this.#host.ending(this);
    if (this.#isLive) this.#send(frame(Type.KILL, this.#stream.number));
  }

  /** Whether nothing will come any more. */
  get isOver() {
    return ['ended', 'refused', 'closed'].includes(this.state.name);
  }

  /** @internal It is to be ended, and its end is not known yet. */
  get _isKilling() {
    return this.#isKilling;
  }

  /** Bytes typed and not yet known to be in the pipe. */
  get unacknowledged() {
    return this.#input.length;
  }

  /** Why there is no connection, if that is known: as the `trouble` event. */
  get trouble() {
    return this.#host.trouble();
  }

  // MARK: For what shows it, and for the Fairlead that owns it

  /** @internal What keeps the page from showing it, for who wrote the page. */
  _explain(kind) {
    this.#host.explain(kind);
  }

  /** @internal Input kept from before a reload. */
  _restore(saved) {
    if (!saved) return;
    this.life = saved.life;
    this.#input = new InputBuffer(saved);
    if (!saved.isWhole) this.emit('doubt', { bytes: new Uint8Array(0), reason: 'too_long' });
  }

  /** @internal Opens it on a stream of a connection. */
  _begin(number, send) {
    this.#stream = { number, send };
    this.#consumed = this.#acknowledged = 0;
    const { target = 'pty', command, env, cwd, user, idle, keep, timeout, labels, exclusive } = this.#options;
    const open = {
      session: this.session, attempt: this.#host.nextAttempt(), mode: this.mode, colors: this.#colors,
    };
    this.#openingColors = this.#colors;
    open.size = { columns: this.#wanted.cols, rows: this.#wanted.rows };
    if (this.life) {
      open.resume = { life: this.life, next: this.#next, input: this.#input.acknowledged };
    } else if (this.#isNew) {
      open.create = { target, command, env, cwd, user, idle, keep, timeout, labels };
      open.exclusive = exclusive;
    }
    this.#opening = this.#wanted;
    this.#send(jsonFrame(Type.OPEN, number, open));
  }

  /** @internal The connection is gone; another one will come, or not. */
  _lost(state) {
    this._detach();
    if (this.#retryTimer === undefined) this.#become(state);
  }

  /** @internal The client has another name from now on. */
  _renamed() {
    this._detach();
    const lost = this.#input.renumber();
    if (lost) this.emit('doubt', { bytes: lost, reason: 'forgotten' });
  }

  /** @internal It was closed, and goes on. */
  _revive() {
    this.#become({ name: 'connecting' });
  }

  /** @internal Whether it waits for a time of its own before it is opened again. */
  get _isPostponed() {
    return this.#retryTimer !== undefined;
  }

  /** @internal */
  _saveTo(memory, client) {
    if (this.isOver) return;
    memory.saveInput(this.session, client, this.life, this.#input);
  }

  /** @internal */
  _receive(type, fields) {
    switch (type) {
      case Type.OPENED: return this.#opened(fields);
      case Type.OUTPUT: return this.#output(fields);
      case Type.SNAPSHOT: return this.#snapshot(fields);
      case Type.RESIZED: return this.#resized(fields);
      case Type.INPUT_ACK: return this.#inputAcknowledged(fields.offset);
      case Type.EVENT: return this.#event(fields);
      case Type.REFUSED: return this.#refused(fields);
      case Type.ENDED: return this.#finish('ended', fields);
      case Type.CLOSE: return this.#closed(fields);
    }
  }

  // MARK: Opening

  #opened(opened) {
    const before = this.life;
    const isOther = before !== undefined && before !== opened.life;
    const lost = isOther
      ? this.#input.restart(opened.input)
      : this.#input.opened(opened.input, opened.inDoubt === true);
    if (isOther) {
      this.#parsed = 0;
      // What was to be ended has ended; another process was not meant.
      this.#stopKilling();
    }
    this.life = opened.life;
    this.#isNew = false;
    this.mode = opened.mode;
    this.#isLive = true;
    // If it still stands still, that is told again.
    this.stalled = undefined;
    this.#openedAt = this.#host.env.now();
    // A size of the past is replayed in its place; one of the present comes with the snapshot.
    if (opened.resumed === 'new') this.#setSize(opened.size.columns, opened.size.rows, 0);
    this.#next = opened.resumed === 'snapshot' ? undefined : opened.output;
    this.#host.remember(this);
    this.#become({ name: 'live' });
    this.emit('opened', opened);
    if (isOther) this.emit('life', { before, after: opened.life });
    if (lost) this.emit('doubt', { bytes: lost, reason: isOther ? 'other_life' : 'forgotten' });
    const { cols, rows } = this.#wanted;
    if (cols !== this.#opening?.cols || rows !== this.#opening?.rows) this.#sendSize();
    if (this.#colors !== this.#openingColors) this.#sendColors();
    if (this.#isTaking) this.take();
    if (this.#isKilling) this.kill();
    this.#acknowledge();
    this.#pump();
  }

  #refused(refused) {
    this._detach();
    if (refused.retry === undefined) return this.#finish('refused', refused);
    const jittered = refused.retry * (1 + this.#host.env.random() / 2);
    this.#postpone(jittered, 'postponed', refused.message);
  }

  #closed({ reason }) {
    if (reason === 'superseded' || reason === 'done') return this.#finish('closed', { reason });
    this.#reopen(reason);
  }

  /** The stream is of no use, by either side's fault; another one goes on where it stood. */
  #reopen(reason) {
    const lasted = this.#openedAt ? this.#host.env.now() - this.#openedAt : 0;
    this._detach();
    this.#postpone(this.#backoff.next({ lasted }), 'reconnecting', reason);
  }

  #postpone(delay, name, reason) {
    const { env } = this.#host;
    this.#retryTimer = env.setTimeout(() => {
      this.#retryTimer = undefined;
      this.#host.reopen(this);
    }, delay);
    this.#become({ name, reason, retryAt: env.now() + delay });
  }

  #finish(name, detail) {
    if (this.isOver) return;
    this.#host.env.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    if (name !== 'closed') this.#stopKilling();
    this._detach();
    this.#become({ name, reason: detail.reason ?? detail.code });
    this.#host.finished(this);
    this.emit(name, detail);
    if (name !== 'closed') this.#tellUndelivered();
  }

  /** What was typed and not acknowledged has nobody to go to any more. */
  #tellUndelivered() {
    const sent = this.#input.inFlight;
    const bytes = this.#input.length > 0 ? this.#input.restart(undefined) : undefined;
    if (bytes) this.emit('undelivered', { bytes, sent });
  }

  /** @internal Leaves its stream, without a word to the server. */
  _detach() {
    const { env } = this.#host;
    env.clearTimeout(this.#ackTimer);
    env.clearTimeout(this.#doubtTimer);
    this.#ackTimer = this.#doubtTimer = undefined;
    if (this.#stream) this.#host.left(this.#stream.number);
    this.#stream = undefined;
    this.#isLive = false;
  }

  #become(state) {
    const { name, reason, retryAt } = this.state;
    if (name === state.name && reason === state.reason && retryAt === state.retryAt) return;
    this.state = Object.freeze(state);
    this.emit('state', this.state);
  }

  // MARK: Output

  #output({ offset, bytes }) {
    if (offset !== this.#next) return this.#askForSnapshot();
    this.#next = offset + bytes.length;
    this.#handOut('output', bytes, this.#next, { offset, bytes });
  }

  #snapshot(part) {
    if (part.first) this.#setSize(part.cols, part.rows, part.offset);
    this.#next = part.last ? part.offset : undefined;
    this.#handOut('snapshot', part.bytes, this.#next, part);
  }

  #handOut(name, bytes, end, detail) {
    if (bytes.length > 0) this.#handed.push({ bytes: bytes.length, end, stream: this.#stream });
    this.emit(name, detail);
    if (this.acknowledging === 'auto') this.ack(bytes.length);
  }

  #resized({ offset, cols, rows }) {
    this.#setSize(cols, rows, offset);
  }

  #setSize(cols, rows, offset) {
    this.size = { cols, rows };
    this.emit('size', { cols, rows, offset });
  }

  /** The output is not where it should be. Nothing is guessed: the screen is asked for anew. */
  #askForSnapshot() {
    const { number } = this.#stream;
    this.#send(jsonFrame(Type.CLOSE, number, { reason: 'done' }));
    this.#next = undefined;
    this.#reopen('the output had a gap');
  }

  #sendColors() {
    this.#openingColors = this.#colors;
    this.#send(jsonFrame(Type.COLORS, this.#stream.number, this.#colors));
  }

  #sendSize() {
    this.#opening = this.#wanted;
    this.#send(
      frame(Type.RESIZE, this.#stream.number, [this.#wanted.cols, this.#wanted.rows]));
  }

  #acknowledge() {
    this.#host.env.clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    if (!this.#isLive || this.#consumed === this.#acknowledged) return;
    this.#acknowledged = this.#consumed;
    this.#send(
      frame(Type.OUTPUT_ACK, this.#stream.number, [this.#parsed, this.#consumed]));
  }

  // MARK: Input

  #pump() {
    if (!this.#isLive || this.mode === 'watcher') return;
    for (let next = this.#input.next(); next; next = this.#input.next()) {
      this.#acknowledge();
      this.#send(frame(Type.INPUT, this.#stream.number, [next.offset], next.bytes));
    }
    this.#watchInput();
  }

  #inputAcknowledged(offset) {
    this.#input.acknowledge(offset);
    this.#host.env.clearTimeout(this.#doubtTimer);
    this.#doubtTimer = undefined;
    this.#pump();
  }

  #watchInput() {
    if (this.#input.inFlight === 0 || this.#doubtTimer !== undefined) return;
    this.#doubtTimer = this.#host.env.setTimeout(() => {
      this.#doubtTimer = undefined;
      this.#host.doubtLine();
    }, INPUT_DOUBT);
  }

  // MARK: Events

  #event({ event, viewers, owner, title, message }) {
    // This client has the size, or another one has taken it since: the wish is over.
    const isTaken = this.owner !== undefined && owner !== this.owner;
    if (owner !== undefined && (owner === this.#host.client() || isTaken)) this.#isTaking = false;
    switch (event) {
      case 'paused':
        this.#isLive = false;
        return this.#become({ name: 'paused' });
      case 'viewers':
        this.viewers = Array.isArray(viewers) ? viewers : [];
        if (owner !== undefined) this.owner = owner;
        return this.emit('viewers', { viewers: this.viewers, owner: this.owner });
      case 'size_owner':
        this.owner = owner;
        return this.emit('viewers', { viewers: this.viewers, owner });
      case 'title':
        this.title = String(title ?? '');
        return this.emit('title', this.title);
      case 'stalled':
        this.stalled = message === undefined ? undefined : String(message);
        return this.emit('stalled', { reason: this.stalled });
      case 'refused':
        // Not to be asked again behind the user's back, when the answer may be another one.
        this.#stopKilling();
        return this.emit('denied', { message: String(message ?? '') });
    }
  }

  #stopKilling() {
    if (!this.#isKilling) return;
    this.#isKilling = false;
    this.#host.ending(this);
  }

  #send(bytes) {
    this.#stream?.send(bytes);
  }
}
