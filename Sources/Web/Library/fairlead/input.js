// What was typed into one session: kept from the first unacknowledged byte on, sent at most 64 KiB
// ahead of the acknowledgements, and sent again from where the server says (docs/protocol.md,
// section 6). Pure.

import { FRAME_END, FRAME_START } from './paste.js';
import { MAX_INPUT, joined } from './wire.js';

/** Bytes that may be sent and not yet acknowledged; a server ends a stream that exceeds it. */
export const IN_FLIGHT = 65_536;
/** Bytes kept in all, so that a paste of gigabytes does not fill the page's memory. */
export const MAX_KEPT = 16 * 1024 * 1024;
/** Of IN_FLIGHT, what a paste leaves to the interrupt that is to end it: some keys, and a frame's end. */
export const RESERVE = 256;
/** A key's sequence has no more bytes than this. */
const MAX_SEQUENCE = 32;

export class InputBuffer {
  /** Offset of the first byte kept. Undefined: the server has not said yet where to number from. */
  acknowledged;
  /** Offset of the next byte to send. */
  #sent = 0;
  /** @type {Uint8Array[]} what was typed from `acknowledged` on */
  #chunks = [];
  /** Bytes in `#chunks`. */
  length = 0;
  /** Everything before this offset may be sent although it takes of the reserve. */
  #urgent = 0;

  /**
   * A buffer as it was before a reload.
   * @param {{acknowledged?: number, bytes?: Uint8Array}} [saved]
   */
  constructor(saved = {}) {
    this.acknowledged = saved.acknowledged;
    this.#sent = saved.acknowledged ?? 0;
    if (saved.bytes?.length) this.append(saved.bytes);
  }

  /** Bytes sent that may or may not have been written to the pipe. */
  get inFlight() {
    return this.#sent - (this.acknowledged ?? 0);
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {boolean} false, and nothing is taken, if more than MAX_KEPT would be kept
   */
  append(bytes) {
    if (this.length + bytes.length > MAX_KEPT) return false;
    if (bytes.length > 0) this.#chunks.push(bytes);
    this.length += bytes.length;
    return true;
  }

  /** The next bytes that may be sent, and their offset; undefined if there are none. */
  next() {
    if (this.acknowledged === undefined) return undefined;
    const start = this.inFlight;
    const bulk = Math.min(this.length, IN_FLIGHT - RESERVE);
    const urgent = Math.min(this.#urgent - this.acknowledged, IN_FLIGHT);
    const count = Math.min(Math.max(bulk, urgent) - start, MAX_INPUT);
    if (count <= 0) return undefined;
    const offset = this.#sent;
    this.#sent += count;
    return { offset, bytes: this.#slice(start, count) };
  }

  /**
   * An interrupt is typed: what was not sent yet is taken back, as a terminal drops what it has not handed on
   * (termios, without NOFLSH). No key or character is cut in half, and a paste's frame is closed, so that what
   * follows is not read as a part of it. What is appended next may use the reserve.
   * @returns {Uint8Array | undefined} what was taken back, if anything
   */
  interrupt() {
    this.#urgent = (this.acknowledged ?? 0) + this.length + 1;
    if (this.length === this.inFlight) return undefined;
    const all = this.bytes();
    const at = endOfKey(all, this.inFlight);
    const rest = all.subarray(at);
    const kept = [all.slice(0, at)];
    if (endsFrame(rest)) kept.push(toUTF8.encode(FRAME_END));
    this.#chunks = kept.filter(({ length }) => length > 0);
    this.length = kept.reduce((sum, { length }) => sum + length, 0);
    this.#urgent = (this.acknowledged ?? 0) + this.length + 1;
    const lost = at + rest.length - this.length;
    return lost > 0 ? rest : undefined;
  }

  /** Everything before `offset` was written to the pipe. */
  acknowledge(offset) {
    if (this.acknowledged === undefined || offset <= this.acknowledged) return;
    this.#drop(Math.min(offset, this.#sent) - this.acknowledged);
  }

  /**
   * OPENED of the life that this was typed into: what is kept is sent again from `offset` on.
   * @returns {Uint8Array | undefined} bytes of which nobody knows whether they arrived. They are
   *   dropped, with what had yet to follow them: the rest of a line must not be typed without its
   *   beginning.
   */
  opened(offset, inDoubt) {
    if (this.acknowledged === undefined) {
      this.acknowledged = this.#sent = offset;
      return undefined;
    }
    const end = this.acknowledged + this.length;
    if (inDoubt || offset < this.acknowledged) return this.restart(offset);
    if (offset >= end) {
      // All of it arrived; more than that if this was saved before the last keys of a page that died.
      this.restart(offset);
      return undefined;
    }
    this.#drop(offset - this.acknowledged);
    this.#sent = offset;
    return undefined;
  }

  /** Another life: nothing is sent there. Returns what was kept, if anything; numbers from `offset`. */
  restart(offset) {
    const lost = this.length > 0 ? this.bytes() : undefined;
    this.#chunks = [];
    this.length = this.#urgent = 0;
    this.acknowledged = this.#sent = offset;
    return lost;
  }

  /**
   * The client takes another name: what was sent under the old one is in doubt, and what was not is numbered
   * anew from what OPENED says.
   * @returns {Uint8Array | undefined} as `opened`
   */
  renumber() {
    const lost = this.inFlight > 0 ? this.restart(undefined) : undefined;
    this.acknowledged = undefined;
    this.#sent = this.#urgent = 0;
    return lost;
  }

  /** Everything kept. */
  bytes() {
    return joined(this.#chunks);
  }

  #slice(start, count) {
    const parts = [];
    for (const chunk of this.#chunks) {
      if (count === 0) break;
      if (start >= chunk.length) {
        start -= chunk.length;
        continue;
      }
      const part = chunk.subarray(start, start + count);
      parts.push(part);
      count -= part.length;
      start = 0;
    }
    return parts.length === 1 ? parts[0] : joined(parts);
  }

  #drop(count) {
    this.acknowledged += count;
    this.length -= count;
    this.#sent = Math.max(this.#sent, this.acknowledged);
    while (count > 0) {
      const [first] = this.#chunks;
      if (first.length > count) {
        this.#chunks[0] = first.subarray(count);
        return;
      }
      count -= first.length;
      this.#chunks.shift();
    }
  }
}

const toUTF8 = new TextEncoder();
const fromLatin1 = new TextDecoder('latin1');

/** Where the character or the key's sequence ends that `at` is in the middle of; `at` if it is in none. */
function endOfKey(bytes, at) {
  if (at === 0 || at >= bytes.length) return Math.min(at, bytes.length);
  const from = Math.max(0, at - MAX_SEQUENCE);
  const around = fromLatin1.decode(bytes.subarray(from, at + MAX_SEQUENCE));
  for (const { index, 0: sequence } of around.matchAll(/\x1b(?:\[[0-?]*[ -/]*[@-~]|O?[^\x1b])/g)) {
    const end = from + index + sequence.length;
    if (from + index < at && end > at) return end;
  }
  while (at < bytes.length && (bytes[at] & 0xc0) === 0x80) at += 1;
  return at;
}

/** Whether `bytes` end a paste's frame that began before them. A neutralised paste has no marker in it. */
function endsFrame(bytes) {
  for (let at = bytes.indexOf(0x1b); at >= 0; at = bytes.indexOf(0x1b, at + 1)) {
    const marker = fromLatin1.decode(bytes.subarray(at, at + FRAME_END.length));
    if (marker === FRAME_END) return true;
    if (marker === FRAME_START) return false;
  }
  return false;
}
