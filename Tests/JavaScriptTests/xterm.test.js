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
