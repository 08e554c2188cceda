// The frames of fairlead.v1, against the examples and rules of docs/protocol.md.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import {
  Decoder, ProtocolError, Type, frame, joined, jsonFrame, varint,
} from '../../Sources/Web/Library/fairlead/wire.js';
import { utf8 } from './kit.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex').toUpperCase();
const read = (decoder, bytes) => {
  const frames = [];
  decoder.push(bytes, (type, stream, fields) => frames.push({ type, stream, ...fields }));
  return frames;
};

test('numbers take their shortest form, as RFC 9000 shows', () => {
  assert.equal(hex(varint(37)), '25');
  assert.equal(hex(varint(15_293)), '7BBD');
  assert.equal(hex(varint(494_878_333)), '9D7F3E7D');
  assert.equal(hex(varint(2 ** 53 - 1)), 'C01FFFFFFFFFFFFF');
  assert.throws(() => varint(-1), RangeError);
});

test('the examples of the protocol page', () => {
  const opaque = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  assert.equal(hex(frame(Type.PING, 0, [], opaque)), '0A04000102030405060708');
  assert.equal(hex(frame(Type.INPUT, 1, [5], utf8('ls\n'))), '06230105' + '6C730A');
});

test('the types are those of the protocol page, and what a server may send can be read', () => {
  const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| 0x(..) \| ([A-Z_]+) \| (\S+) \| .* \| (.*) \|$/gm)]
    .filter(([, , , , body]) => !body.includes('links only'));
  assert.deepEqual(Object.fromEntries(rows.map(([, type, name]) => [name, parseInt(type, 16)])),
    { ...Type });
  for (const [, type, name, from, body] of rows) {
    const bytes = body === 'JSON' ? utf8('{}') : new Uint8Array(8);
    const decode = () => read(new Decoder(), frame(parseInt(type, 16), 0, [], bytes));
    if (from === '→') assert.throws(decode, { code: 'unexpected' }, name);
    else assert.equal(decode().length, 1, name);
  }
});

test('frames may be cut anywhere', () => {
  const whole = joined([
    jsonFrame(Type.WELCOME, 0, { version: 1 }),
    frame(Type.OUTPUT, 70, [300], utf8('grüße')),
    frame(Type.RESIZED, 1, [5, 100, 40]),
    frame(0x41, 3, [], new Uint8Array(9)),
    frame(Type.SNAPSHOT, 1, [9], Uint8Array.of(1, 7, 80, 24, 0x68, 0x69)),
  ]);
  const expected = read(new Decoder(), whole);
  assert.deepEqual(expected.map(({ type }) => type), [
    Type.WELCOME, Type.OUTPUT, Type.RESIZED, Type.SNAPSHOT,
  ]);
  for (let size = 1; size < whole.length; size++) {
    const decoder = new Decoder();
    const frames = [];
    for (let at = 0; at < whole.length; at += size) {
      frames.push(...read(decoder, whole.slice(at, at + size)));
    }
    assert.deepEqual(frames.map(({ bytes, ...rest }) => [rest, bytes && hex(bytes)]),
      expected.map(({ bytes, ...rest }) => [rest, bytes && hex(bytes)]), `pieces of ${size}`);
  }
});

test('what is not fairlead.v1 is an error with its code', () => {
  const code = (bytes) => {
    try {
      read(new Decoder(), bytes);
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
      return error.code;
    }
    return undefined;
  };
  assert.equal(code(Uint8Array.of(...varint(20_000))), 'frame_too_long');
  assert.equal(code(frame(Type.OUTPUT, 1, [0], new Uint8Array(16_384))), 'frame_too_long');
  assert.equal(code(frame(0x3f, 0)), 'unknown_type');
  assert.equal(code(frame(Type.INPUT, 1, [0])), 'unexpected');
  assert.equal(code(frame(Type.OPENED, 1, [], utf8('{'))), 'malformed');
  assert.equal(code(frame(Type.OPENED, 1, [], utf8('[]'))), 'malformed');
  assert.equal(code(frame(Type.INPUT_ACK, 1)), 'malformed');
  assert.equal(code(frame(Type.INPUT_ACK, 1, [], new Uint8Array(8).fill(0xff))), 'malformed');
});
