// The xterm.js addon, over an xterm that parses only when told.

import assert from 'node:assert/strict';
import test from 'node:test';
import { FairleadAddon, suppressReplies } from '../../Sources/Web/Library/fairlead-xterm.js';
import { Emitter } from '../../Sources/Web/Library/fairlead/emitter.js';
import { settle, utf8 } from './kit.js';

class FakeParser {
  handlers = new Map();
  #register(kind, id, handler) {
    const { prefix = '', intermediates = '', final } = typeof id === 'number' ? { final: id } : id;
    this.handlers.set(`${kind} ${prefix}${intermediates}${final}`, handler);
    return { dispose() {} };
  }
  registerCsiHandler = (id, handler) => this.#register('CSI', id, handler);
  registerEscHandler = (id, handler) => this.#register('ESC', id, handler);
  registerDcsHandler = (id, handler) => this.#register('DCS', id, handler);
  registerOscHandler = (id, handler) => this.#register('OSC', id, handler);
}

class FakeXterm {
  parser = new FakeParser();
  cols = 80;
  rows = 24;
  done = [];
  waiting = [];
  onData = (listener) => ((this.type = listener), { dispose() {} });
  onBinary = (listener) => ((this.typeBinary = listener), { dispose() {} });
  write = (bytes, done) => this.waiting.push([bytes, done]);
  resize(cols, rows) {
    assert.equal(this.waiting.length, 0, 'a resize with writes waiting');
    Object.assign(this, { cols, rows });
    this.done.push(`${cols}x${rows}`);
  }
  async parse() {
    const [bytes, done] = this.waiting.shift();
    this.done.push(new TextDecoder().decode(bytes));
    done();
    await settle();
  }
}

function attached() {
  const terminal = Object.assign(new Emitter(), {
    acks: [], typed: [], ack: (count) => terminal.acks.push(count),
    write: (data) => terminal.typed.push(data),
  });
  const xterm = new FakeXterm();
  const addon = new FairleadAddon(terminal);
  addon.activate(xterm);
  return { terminal, xterm, addon };
}

test('output is acknowledged when it was parsed, not before', async () => {
  const { terminal, xterm } = attached();
  terminal.emit('output', { bytes: utf8('abc') });
  assert.deepEqual(terminal.acks, []);
  await xterm.parse();
  assert.deepEqual(terminal.acks, [3]);
});

test('a size is taken exactly at its place: behind queued writes, before later ones', async () => {
  const { terminal, xterm } = attached();
  terminal.emit('output', { bytes: utf8('one') });
  terminal.emit('size', { cols: 100, rows: 30 });
  terminal.emit('output', { bytes: utf8('two') });
  terminal.emit('size', { cols: 90, rows: 20 });
  terminal.emit('snapshot', { bytes: utf8('three') });
  assert.equal(xterm.waiting.length, 1);
  await xterm.parse();
  await xterm.parse();
  await xterm.parse();
  assert.deepEqual(xterm.done, ['one', '100x30', 'two', '90x20', 'three']);
});

test('xterm.js gets whole characters only, however cut, and every byte is acknowledged once', async () => {
  const bytes = utf8('aé—🚀\u{10ffff}z');
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second++) {
      const { terminal, xterm } = attached();
      const pieces = [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)];
      for (const piece of pieces) terminal.emit('output', { bytes: piece });
      const written = xterm.waiting.map(([piece]) => piece);
      for (const piece of written) new TextDecoder('utf-8', { fatal: true }).decode(piece);
      assert.deepEqual(written.flatMap((piece) => [...piece]), [...bytes]);
      while (xterm.waiting.length > 0) await xterm.parse();
      assert.deepEqual(terminal.acks, pieces.map(({ length }) => length).filter((it) => it > 0));
    }
  }
});

test('half a character is acknowledged in its turn, and goes on behind a size', async () => {
  const { terminal, xterm } = attached();
  terminal.emit('output', { bytes: utf8('a') });
  terminal.emit('output', { bytes: Uint8Array.of(0xe2, 0x80) });
  terminal.emit('size', { cols: 100, rows: 30 });
  assert.deepEqual(terminal.acks, []);
  await xterm.parse();
  await xterm.parse();
  assert.deepEqual(terminal.acks, [1, 2]);
  terminal.emit('output', { bytes: Uint8Array.of(0x94, 0x21) });
  await xterm.parse();
  assert.deepEqual(xterm.done, ['a', '', '100x30', '—!']);
  assert.deepEqual(terminal.acks, [1, 2, 2]);
});

test('what is no UTF-8 is not kept back for long', async () => {
  for (const bytes of [[0x80], [0x94, 0x94, 0x94, 0x94], [0xff], [0xc3, 0x28], [0x61, 0xf8]]) {
    const { xterm, terminal } = attached();
    terminal.emit('output', { bytes: Uint8Array.from(bytes) });
    assert.deepEqual([...xterm.waiting[0][0]], bytes);
  }
  const { xterm, terminal } = attached();
  for (const byte of [0xf0, 0xe2, 0xe2, 0x1b]) {
    terminal.emit('output', { bytes: Uint8Array.of(byte) });
  }
  assert.deepEqual(xterm.waiting.flatMap(([it]) => [...it]), [0xf0, 0xe2, 0xe2, 0x1b]);
});

test('a snapshot may end within a character, and begins without the one before it', async () => {
  const { terminal, xterm } = attached();
  terminal.emit('output', { bytes: Uint8Array.of(0x61, 0xf0, 0x9f) });
  terminal.emit('snapshot', { first: true, last: false, bytes: Uint8Array.of(0x62, 0xe2) });
  terminal.emit('snapshot', { first: false, last: true, bytes: Uint8Array.of(0x80) });
  terminal.emit('output', { bytes: Uint8Array.of(0x94) });
  while (xterm.waiting.length > 0) await xterm.parse();
  assert.deepEqual(xterm.done, ['a', 'b', '', '—']);
  assert.deepEqual(terminal.acks, [3, 2, 1, 1]);
});

test('what xterm.js would answer is suppressed; setting things goes on to work', () => {
  const parser = new FakeParser();
  suppressReplies(parser);
  const isSwallowed = (name, parameter) => parser.handlers.get(name)?.(parameter) ?? false;
  for (const query of ['CSI c', 'CSI >c', 'CSI =c', 'CSI n', 'CSI ?n', 'CSI $p', 'CSI ?$p',
    'CSI >q', 'CSI ?u', 'DCS $q', 'DCS +q', 'ESC Z']) {
    assert.equal(isSwallowed(query, []), true, query);
  }
  for (const [name, query, setting] of [
    ['OSC 4', '1;?', '1;rgb:00/00/00'], ['OSC 10', '?', '#fff'], ['OSC 11', '?', '#000000'],
    ['OSC 52', 'c;?', 'c;aGk='], ['CSI t', [18], [8, 24, 80]], ['CSI t', [21], [22, 0]],
  ]) {
    assert.equal(isSwallowed(name, query), true, `${name} ${query}`);
    assert.equal(isSwallowed(name, setting), false, `${name} ${setting}`);
  }
  for (const other of ['CSI m', 'CSI h', 'CSI ?h', 'CSI q', 'OSC 0', 'OSC 8']) {
    assert.equal(isSwallowed(other, ''), false, other);
  }
});

test('keys go to the session as text, mouse reports of old as bytes', () => {
  const { terminal, xterm } = attached();
  xterm.type('ü');
  xterm.typeBinary('\x1b[M \xff\x80');
  assert.deepEqual(terminal.typed, ['ü', Uint8Array.of(0x1b, 0x5b, 0x4d, 0x20, 0xff, 0x80)]);
});

test('an addon that is disposed holds the process back no more', () => {
  const { terminal, addon } = attached();
  terminal.emit('output', { bytes: utf8('one') });
  terminal.emit('size', { cols: 10, rows: 10 });
  terminal.emit('output', { bytes: utf8('three') });
  addon.dispose();
  assert.deepEqual(terminal.acks, [5]);
});
