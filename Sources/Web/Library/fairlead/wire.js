// The frames of fairlead.v1: `length:varint type:u8 stream:varint body`, numbers as in QUIC
// (RFC 9000 §16). docs/protocol.md is the source; nothing here knows what a frame is for.

export const Type = Object.freeze({
  HELLO: 0x01, WELCOME: 0x02, GOAWAY: 0x03, PING: 0x04, PONG: 0x05, TOKEN: 0x06,
  OPEN: 0x10, OPENED: 0x11, REFUSED: 0x12, CLOSE: 0x13, KILL: 0x14, ENDED: 0x15, EVENT: 0x16,
  RESIZE: 0x17, RESIZED: 0x18, TAKE: 0x19, COLORS: 0x1a,
  OUTPUT: 0x20, SNAPSHOT: 0x21, OUTPUT_ACK: 0x22, INPUT: 0x23, INPUT_ACK: 0x24,
});

/** The longest body of a frame, in bytes. */
export const MAX_BODY = 16_384;
/** Bytes of INPUT in one frame: a body less its longest offset. */
export const MAX_INPUT = MAX_BODY - 8;
/** The longest head that a frame can have after its length: type and stream. */
const MAX_HEAD = 1 + 8;

const toUTF8 = new TextEncoder();
const fromUTF8 = new TextDecoder('utf-8', { fatal: true });

/** What the other side sent is not fairlead.v1. `code` is one of docs/protocol.md, section 9. */
export class ProtocolError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(`${code}: ${message}`);
    this.name = 'ProtocolError';
    this.code = code;
  }
}

/** @param {number} value 0 to 2^53 − 1 @returns {number[]} its shortest form */
export function varint(value) {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a varint: ${value}`);
  if (value < 0x40) return [value];
  if (value < 0x4000) return [0x40 | (value >> 8), value & 0xff];
  const low = [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
  if (value < 0x4000_0000) return [0x80 | low[0], low[1], low[2], low[3]];
  const high = Math.floor(value / 0x1_0000_0000);
  return [0xc0, (high >>> 16) & 0xff, (high >>> 8) & 0xff, high & 0xff, ...low];
}

/**
 * A whole frame.
 * @param {number} type
 * @param {number} stream
 * @param {number[]} [numbers] varints that begin the body
 * @param {Uint8Array} [bytes] the rest of the body
 * @returns {Uint8Array}
 */
export function frame(type, stream, numbers = [], bytes = new Uint8Array(0)) {
  const head = [type, ...varint(stream), ...numbers.flatMap(varint)];
  const length = varint(head.length + bytes.length);
  const whole = new Uint8Array(length.length + head.length + bytes.length);
  whole.set(length);
  whole.set(head, length.length);
  whole.set(bytes, length.length + head.length);
  return whole;
}

/** A frame with a JSON body; keys that are undefined are left out. */
export function jsonFrame(type, stream, object) {
  return frame(type, stream, [], toUTF8.encode(JSON.stringify(object)));
}

/** Reads numbers and the rest from a frame's body. */
class Body {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  byte() {
    if (this.at >= this.bytes.length) throw new ProtocolError('malformed', 'a body ends too early');
    return this.bytes[this.at++];
  }

  varint() {
    const first = this.byte();
    let value = first & 0x3f;
    for (let left = (1 << (first >> 6)) - 1; left > 0; left--) value = value * 256 + this.byte();
    if (!Number.isSafeInteger(value)) throw new ProtocolError('malformed', 'a number over 2^53');
    return value;
  }

  rest() {
    return this.bytes.subarray(this.at);
  }
}

/** What each type's body holds, read into a plain object. */
const bodies = {
  [Type.PING]: (body) => ({ bytes: body.rest() }),
  [Type.PONG]: (body) => ({ bytes: body.rest() }),
  [Type.RESIZED]: (body) => ({
    offset: body.varint(), cols: body.varint(), rows: body.varint(),
  }),
  [Type.OUTPUT]: (body) => ({ offset: body.varint(), bytes: body.rest() }),
  [Type.SNAPSHOT]: (body) => {
    const id = body.varint();
    const marks = body.byte();
    return {
      id, first: (marks & 1) !== 0, last: (marks & 2) !== 0,
      offset: body.varint(), cols: body.varint(), rows: body.varint(), bytes: body.rest(),
    };
  },
  [Type.INPUT_ACK]: (body) => ({ offset: body.varint() }),
};
for (const type of [
  Type.WELCOME, Type.GOAWAY, Type.TOKEN, Type.OPENED, Type.REFUSED, Type.CLOSE, Type.ENDED,
  Type.EVENT,
]) {
  bodies[type] = (body) => parseObject(body.rest());
}

function parseObject(bytes) {
  let value;
  try {
    value = JSON.parse(fromUTF8.decode(bytes));
  } catch (error) {
    throw new ProtocolError('malformed', `a JSON body cannot be read: ${error.message}`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new ProtocolError('malformed', 'a JSON body is not an object');
  }
  return value;
}

/** Turns messages, cut anywhere, into frames. */
export class Decoder {
  #kept = new Uint8Array(0);

  /**
   * @param {Uint8Array} chunk may be kept: its owner must not write to it again
   * @param {(type: number, stream: number, fields: any) => void} take called for each whole frame
   * @throws {ProtocolError} and is of no use afterwards
   */
  push(chunk, take) {
    const bytes = this.#kept.length === 0 ? chunk : joined([this.#kept, chunk]);
    let at = 0;
    while (at < bytes.length) {
      const size = 1 << (bytes[at] >> 6);
      if (bytes.length - at < size) break;
      const length = new Body(bytes.subarray(at, at + size)).varint();
      if (length > MAX_HEAD + MAX_BODY) {
        throw new ProtocolError('frame_too_long', `a frame of ${length} bytes`);
      }
      const end = at + size + length;
      if (bytes.length < end) break;
      decode(bytes.subarray(at + size, end), take);
      at = end;
    }
    this.#kept = bytes.subarray(at);
  }
}

function decode(bytes, take) {
  const body = new Body(bytes);
  const type = body.byte();
  const stream = body.varint();
  if (body.rest().length > MAX_BODY) throw new ProtocolError('frame_too_long', `type ${type}`);
  const read = bodies[type];
  if (read) return take(type, stream, read(body));
  if (type >= 0x40) return;
  const known = Object.values(Type).includes(type);
  throw new ProtocolError(known ? 'unexpected' : 'unknown_type', `a frame of type ${type}`);
}

/** @param {Uint8Array[]} parts @returns {Uint8Array} */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
