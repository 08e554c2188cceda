// One WebSocket to a router: HELLO, frames in and out, and the PINGs that find a line that is open
// only by name. Knows nothing of streams, and never comes back: fairlead.js makes the next one.

import { Decoder, ProtocolError, Type, frame, joined, jsonFrame } from './wire.js';

/** Milliseconds from the attempt to WELCOME; a dead server costs no more of a reconnect than this. */
export const WELCOME_WITHIN = 6_000;
/** A PING goes out this often: it measures the latency, and finds a dead line. */
export const PING_EVERY = 5_000;
/** Nothing at all was heard for so long after a PING: the line is dead. */
export const ANSWER_WITHIN = 4_000;
/** The same when there is a reason for doubt: a key without an echo, a tab that was asleep. */
export const DOUBT_WITHIN = 2_000;

/**
 * @typedef {object} ConnectionOwner
 * @property {() => void} onOpen HELLO is on its way, and OPENs may follow at once
 * @property {(welcome: object) => void} onWelcome
 * @property {(type: number, stream: number, fields: any) => void} onFrame of every other frame
 * @property {(ended: {code: number, reason: string, lasted?: number}) => void} onEnd once, last; `lasted`: milliseconds since
 *   WELCOME, if there was one
 * @property {(milliseconds: number) => void} onLatency
 */

export class Connection {
  #env;
  #owner;
  #socket;
  #decoder = new Decoder();
  /** @type {Uint8Array[]} */
  #unsent = [];
  #isFlushDue = false;
  /** When something was last heard, when a sign of life was first asked for, and until when. */
  #heard = 0;
  #asked = -1;
  #deadline = 0;
  #welcomed;
  #pingTimer;
  #answerTimer;
  #pings = new Map();
  #pingCount = 0;

  /**
   * @param {string} url of the WebSocket
   * @param {object} hello the body of HELLO
   * @param {ConnectionOwner} owner
   * @param {import('./environment.js').Environment} env
   */
  constructor(url, hello, owner, env) {
    this.#env = env;
    this.#owner = owner;
    const socket = new env.WebSocket(url, ['fairlead.v1']);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.send(jsonFrame(Type.HELLO, 0, hello));
      owner.onOpen();
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#end(code, reason);
    this.#answerTimer = env.setTimeout(
      () => this.#giveUp('the server does not answer'), WELCOME_WITHIN);
  }

  /** Whether the socket ever opened is told by WELCOME alone: a proxy may accept and then refuse. */
  get isWelcomed() {
    return this.#welcomed !== undefined;
  }

  /** Frames of one turn of the event loop travel in one message. */
  send(bytes) {
    this.#unsent.push(bytes);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => this.flush());
  }

  /** Sends what waits, now: for a page that is about to go away. */
  flush() {
    this.#isFlushDue = false;
    if (this.#socket?.readyState !== 1 || this.#unsent.length === 0) return;
    this.#socket.send(joined(this.#unsent));
    this.#unsent = [];
  }

  /** Asks for a sign of life; without one the connection ends after `within` milliseconds. */
  probe(within = DOUBT_WITHIN) {
    if (!this.isWelcomed || !this.#socket) return;
    this.#ping();
    const now = this.#env.now();
    const isWaiting = this.#heard < this.#asked;
    // Asking again does not prolong the wait for the first answer.
    const deadline = isWaiting ? Math.min(this.#deadline, now + within) : now + within;
    if (!isWaiting) this.#asked = now;
    this.#deadline = deadline;
    this.#env.clearTimeout(this.#answerTimer);
    this.#answerTimer = this.#env.setTimeout(() => {
      if (this.#heard < this.#asked) this.#giveUp('the line went dead');
    }, deadline - now);
  }

  /** Ends it in silence: the owner hears nothing any more. */
  close(reason = 'done') {
    this.flush();
    const socket = this.#forget();
    socket?.close(1000, reason);
  }

  #ping() {
    const number = ++this.#pingCount;
    if (this.#pings.size > 16) this.#pings.clear();
    this.#pings.set(number, this.#env.now());
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(4, number);
    this.send(frame(Type.PING, 0, [], bytes));
  }

  #keepAlive() {
    this.#pingTimer = this.#env.setTimeout(() => {
      this.probe(ANSWER_WITHIN);
      this.#keepAlive();
    }, PING_EVERY);
  }

  #receive(data) {
    this.#heard = this.#env.now();
    try {
      if (typeof data === 'string') throw new ProtocolError('malformed', 'a text message');
      this.#decoder.push(new Uint8Array(data), (type, stream, fields) => {
        // A listener may have closed it in the middle of a message.
        if (this.#socket) this.#take(type, stream, fields);
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#giveUp(error.message);
    }
  }

  #take(type, stream, fields) {
    if (!this.isWelcomed && type !== Type.WELCOME && type !== Type.GOAWAY) {
      throw new ProtocolError('unexpected', 'a frame before WELCOME');
    }
    switch (type) {
      case Type.WELCOME:
        if (this.isWelcomed) throw new ProtocolError('unexpected', 'a second WELCOME');
        this.#welcomed = this.#env.now();
        this.#env.clearTimeout(this.#answerTimer);
        this.#owner.onWelcome(fields);
        this.#ping();
        this.#keepAlive();
        return;
      case Type.PING: return this.send(frame(Type.PONG, 0, [], fields.bytes.slice(0, 8)));
      case Type.PONG: return this.#pong(fields.bytes);
      default: return this.#owner.onFrame(type, stream, fields);
    }
  }

  #pong(bytes) {
    if (bytes.length < 8) throw new ProtocolError('malformed', 'a PONG without 8 bytes');
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
    const sent = this.#pings.get(number);
    if (sent === undefined) return;
    this.#pings.delete(number);
    this.#owner.onLatency(this.#env.now() - sent);
  }

  /** It is of no use any more. A dead line may take minutes to say so itself, so it is not asked. */
  #giveUp(reason) {
    const socket = this.#socket;
    this.#end(1006, reason);
    socket?.close();
  }

  #end(code, reason) {
    if (!this.#socket) return;
    const lasted = this.isWelcomed ? this.#env.now() - this.#welcomed : undefined;
    this.#forget();
    this.#owner.onEnd({ code, reason: reason || 'the connection was lost', lasted });
  }

  #forget() {
    const socket = this.#socket;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    this.#env.clearTimeout(this.#answerTimer);
    this.#env.clearTimeout(this.#pingTimer);
    this.#socket = undefined;
    return socket;
  }
}
