// The xterm.js addon, over an xterm that parses only when told.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
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

/** Events as the addon hears them: in front of xterm.js's own listeners. */
class FakeElement {
  listeners = new Map();
  addEventListener = (name, listener, isCapturing) => {
    assert.equal(isCapturing, true);
    this.listeners.set(name, listener);
  };
  removeEventListener = (name) => this.listeners.delete(name);
  /** @returns whether xterm.js would see it */
  fire(name, detail = {}) {
    let isSeen = true;
    this.listeners.get(name)?.({
      preventDefault() {}, stopImmediatePropagation: () => (isSeen = false), ...detail,
    });
    return isSeen;
  }
}

class FakeXterm {
  parser = new FakeParser();
  element = new FakeElement();
  options = {};
  modes = { bracketedPasteMode: false };
  /** A proposed API, as xterm.js has it. */
  get unicode() {
    assert.equal(this.options.allowProposedApi, true);
    return this.versions;
  }
  versions = { activeVersion: '6', register: (provider) => (this.provider = provider) };
  buffer = { onBufferChange: (listener) => ((this.showBuffer = (type) => listener({ type })), { dispose() {} }) };
  onKey = (listener) => ((this.tellKey = listener), { dispose() {} });
  input(text) {
    this.type(text);
  }
  paste() {
    assert.fail('xterm.js pastes by itself');
  }
  clearSelection() {}
  scrollToBottom() {}
  focus() {}
  /** As xterm.js types a key: its event, then its text. */
  press(text, event = {}) {
    this.element.fire('keydown', event);
    this.tellKey({ key: text, domEvent: event });
    this.type(text);
  }
  cols = 80;
  rows = 24;
  done = [];
  waiting = [];
  onData = (listener) => ((this.type = listener), { dispose() {} });
  onBinary = (listener) => ((this.typeBinary = listener), { dispose() {} });
  write = (bytes, done) => this.waiting.push([bytes, done]);
  resets = 0;
  reset = () => (this.resets += 1);
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

function attached({ state = { name: 'connecting' }, ...options } = {}) {
  const terminal = Object.assign(new Emitter(), {
    state, acks: [], typed: [], ack: (count) => terminal.acks.push(count),
    write: (data) => terminal.typed.push(data),
    paste: (text, { isBracketed }) => terminal.typed.push([text, isBracketed]),
  });
  const xterm = new FakeXterm();
  const addon = new FairleadAddon(terminal, options);
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

test('trouble is drawn into a terminal that was not opened yet, and never into one that was', () => {
  const early = attached();
  early.terminal.emit('trouble', { message: 'no server' });
  assert.match(early.xterm.waiting[0][0], /no server/);
  early.terminal.emit('opened', {});
  assert.equal(early.xterm.resets, 2);
  early.terminal.emit('trouble', { message: 'no styles' });
  const late = attached({ state: { name: 'live' } });
  late.terminal.emit('trouble', { message: 'no styles' });
  assert.deepEqual([early.xterm.waiting.length, late.xterm.waiting.length], [1, 0]);
});

test("only what is forbidden to xterm.js itself is told as its styles' trouble", () => {
  const { document } = globalThis;
  globalThis.document = new EventTarget();
  try {
    const { terminal, xterm, addon } = attached();
    const told = [];
    terminal._explain = (kind) => told.push(kind);
    const own = {};
    xterm.element.contains = (it) => it === own;
    const forbid = (source, detail) => globalThis.document.dispatchEvent(Object.assign(
      new Event('securitypolicyviolation'),
      { effectiveDirective: 'style-src-elem', disposition: 'enforce', composedPath: () => [source], ...detail }));
    forbid({});
    forbid(globalThis.document);
    forbid(own, { disposition: 'report' });
    forbid(own, { effectiveDirective: 'img-src' });
    assert.deepEqual(told, []);
    forbid(own);
    assert.deepEqual(told, ['styles']);
    addon.dispose();
    forbid(own);
    assert.deepEqual(told, ['styles']);
  } finally {
    globalThis.document = document;
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

// MARK: Typing

test('held keys change keys and text, and neither pastes nor reports', () => {
  const { terminal, xterm } = attached({ typed: (text) => `<${text}>` });
  xterm.press('d', { key: 'd', keyCode: 68 });
  xterm.type('d');
  xterm.input('\x1b[A');
  for (const report of ['\x1b[<0;12;3M', '\x1b[<35;12;3m', '\x1b[I', '\x1b[O', '\x1bOA', '\x1b[D\x1b[D']) {
    xterm.type(report);
  }
  xterm.paste('d');
  xterm.modes.bracketedPasteMode = true;
  xterm.element.fire('paste', { clipboardData: { getData: () => 'd' } });
  xterm.element.fire('drop', { dataTransfer: { types: ['text/plain'], getData: () => 'd' } });
  assert.deepEqual(terminal.typed, [
    '<d>', '<d>', '<\x1b[A>', '\x1b[<0;12;3M', '\x1b[<35;12;3m', '\x1b[I', '\x1b[O', '\x1bOA', '\x1b[D\x1b[D',
    ['d', false], ['d', true], ['d', true],
  ]);
});

test('a paste never reaches xterm.js, and a file that is dropped is none', () => {
  const { terminal, xterm } = attached();
  assert.equal(xterm.element.fire('paste', { clipboardData: { getData: () => 'x' } }), false);
  assert.equal(xterm.element.fire('drop', { dataTransfer: { types: ['Files'] } }), true);
  xterm.options.disableStdin = true;
  xterm.paste('x');
  assert.deepEqual(terminal.typed, [['x', false]]);
});

test('text of an input method holds no control character; keys may be any', () => {
  const { terminal, xterm } = attached();
  const told = [];
  terminal.on('neutralised', ({ count }) => told.push(count));
  xterm.type('a\x1b[201~b');
  xterm.type('\x7f');
  xterm.press('\x1b[15~', { key: 'F5' });
  assert.deepEqual(terminal.typed, ['a␛[201~b', '\x7f', '\x1b[15~']);
  assert.deepEqual(told, [1]);
});

test('Shift with Enter is not Enter', () => {
  const { terminal, xterm } = attached();
  xterm.press('\r', { key: 'Enter' });
  xterm.press('\r', { key: 'Enter', shiftKey: true });
  xterm.press('\r', { key: 'Enter', shiftKey: true, ctrlKey: true });
  xterm.press('\r', { key: 'm', ctrlKey: true, shiftKey: true });
  assert.deepEqual(terminal.typed, ['\r', '\x1b\r', '\r', '\r']);
});

test('a composition that a key ends is typed once', () => {
  const { terminal, xterm } = attached();
  for (const [commit, expected] of [['ls', ['ls', ' ']], ['lsof', ['ls', ' ', 'of']], ['里', ['ls', ' ', '里']]]) {
    terminal.typed = [];
    xterm.element.fire('compositionstart');
    xterm.element.fire('keydown', { keyCode: 229 });
    xterm.element.fire('keydown', { keyCode: 32 });
    xterm.type('ls');
    xterm.tellKey({ key: ' ', domEvent: { key: ' ' } });
    xterm.type(' ');
    xterm.element.fire('compositionend');
    xterm.type(commit);
    assert.deepEqual(terminal.typed, expected);
  }
  terminal.typed = [];
  for (let round = 0; round < 2; round++) {
    xterm.element.fire('compositionstart');
    xterm.element.fire('compositionend');
    xterm.type('ls');
  }
  assert.deepEqual(terminal.typed, ['ls', 'ls']);
});

test('an addon that is disposed gives xterm.js its own ways back', () => {
  const { xterm, addon } = attached();
  assert.ok(Object.hasOwn(xterm, 'paste'));
  addon.dispose();
  assert.ok(!Object.hasOwn(xterm, 'paste') && !Object.hasOwn(xterm, 'input'));
  assert.equal(xterm.element.listeners.size, 0);
});

test('an addon that is loaded before xterm.js is opened hears the same', () => {
  const element = new FakeElement();
  class Closed extends FakeXterm {
    element = undefined;
    open() {
      this.element = element;
    }
  }
  const terminal = Object.assign(new Emitter(), { typed: [], paste: (text) => terminal.typed.push(text) });
  const xterm = new Closed();
  new FairleadAddon(terminal).activate(xterm);
  xterm.open({});
  element.fire('paste', { clipboardData: { getData: () => 'x' } });
  assert.deepEqual(terminal.typed, ['x']);
});

// MARK: Widths

test('xterm.js counts as the screen of the session does, and as before once the addon is gone', () => {
  const { xterm, addon } = attached();
  assert.equal(xterm.options.allowProposedApi, undefined);
  assert.equal(xterm.versions.activeVersion, xterm.provider.version);
  addon.dispose();
  assert.equal(xterm.versions.activeVersion, '6');
});

test('the table of widths is that of the screen', () => {
  const source = readFileSync(new URL('../../Sources/Screen/WidthTable.swift', import.meta.url), 'utf8');
  const numbers = (name) => source.match(new RegExp(`let ${name}: \\[UInt32\\] = \\[([^\\]]*)\\]`))[1]
    .match(/0x[0-9A-F]+/g).map(Number);
  const expected = new Uint8Array(0x110000).fill(1);
  expected.fill(0, 0, 0x20).fill(0, 0x7f, 0xa0);
  for (const [name, width] of [['zero', 0], ['wide', 2]]) {
    const bounds = numbers(name);
    for (let at = 0; at < bounds.length; at += 2) expected.fill(width, bounds[at], bounds[at + 1] + 1);
  }
  const { provider } = attached().xterm;
  // Twice, since the first plane remembers what was searched.
  for (let code = 0; code < 0x120000; code++) {
    if (provider.wcwidth(code % 0x110000) !== expected[code % 0x110000]) assert.fail(`U+${code.toString(16)}`);
  }
});

test('a mark joins what takes columns, and leaves it as wide as it is', () => {
  const { provider } = attached().xterm;
  /** Of each character its width, and `+` where it joins the one before. */
  const widths = (text) => {
    let before = 0;
    return [...text].map((character) => {
      before = provider.charProperties(character.codePointAt(0), before);
      return `${before & 1 ? '+' : ''}${before >> 1}`;
    }).join(' ');
  };
  assert.equal(widths('e\u0301\u0302x'), '1 +1 +1 1');
  assert.equal(widths('端\u0301'), '2 +2');
  assert.equal(widths('\u0301\u0301x'), '0 0 1');
  assert.equal(widths('❤\ufe0f'), '1 +1');
  assert.equal(widths('👩\u200d💻'), '2 +2 2');
  assert.equal(widths('\u1100\u1161\ud7cb'), '2 +2 +2');
  assert.equal(widths('\u{1f972}\u{1fae0}\u{1fae8}\u{1f6dc}\u2630\u0600\u00ad'), '2 2 2 2 2 1 1');
});

// MARK: Keys as programs ask for them

/** Keys on a US keyboard: `c+s+a` is Ctrl, Shift and A. */
function key(name, { up = false, ...more } = {}) {
  const parts = name.split('+');
  const last = parts.pop();
  const has = (letter) => parts.includes(letter);
  const code = /^[a-z]$/i.test(last) ? `Key${last.toUpperCase()}` : /^\d$/.test(last) ? `Digit${last}` : last;
  return {
    type: up ? 'keyup' : 'keydown', key: last, code, keyCode: 0, ctrlKey: has('c'), shiftKey: has('s'), altKey: has('a'),
    metaKey: has('m'), ...more,
  };
}

function keyboardOf(...sequences) {
  const { terminal, xterm } = attached();
  const ask = (name, numbers) => xterm.parser.handlers.get(`CSI ${name}`)(numbers);
  for (const [name, numbers] of sequences) ask(name, numbers);
  const press = (name, more) => {
    const before = terminal.typed.length;
    const event = key(name, more);
    const isSeen = xterm.element.fire(event.type, event);
    assert.equal(isSeen, terminal.typed.length === before, name);
    return terminal.typed.at(before)?.replace('\x1b', 'E');
  };
  return { press, ask, xterm };
}

test('a keyboard of which nothing was asked is xterm.js\'s own', () => {
  const { press } = keyboardOf();
  for (const name of ['a', 'c+c', 's+Enter', 'Escape', 'F5']) assert.equal(press(name), undefined);
});

test('kitty\'s flags: what was ambiguous has a code, and text stays text', () => {
  const { press, ask } = keyboardOf(['>u', [1]]);
  for (const [name, expected] of [
    ['a', undefined], ['s+A', undefined], ['Enter', undefined], ['Tab', undefined], ['Backspace', undefined],
    ['Escape', 'E[27u'], ['c+c', 'E[99;5u'], ['a+x', 'E[120;3u'], ['c+s+A', 'E[97;6u'], ['s+Enter', 'E[13;2u'],
    ['c+Enter', 'E[13;5u'], ['s+Tab', 'E[9;2u'], ['ArrowUp', 'E[A'], ['c+ArrowUp', 'E[1;5A'], ['F1', 'E[P'],
    ['F3', 'E[13~'], ['s+F5', 'E[15;2~'], ['PageUp', 'E[5~'], ['c+ ', 'E[32;5u'], ['m+v', undefined],
    ['Shift', undefined], ['Dead', undefined],
  ]) assert.equal(press(name), expected, name);
  assert.equal(press('c+c', { isComposing: true }), undefined);
  assert.equal(press('c+c', { up: true }), undefined);
  assert.equal(press('c+a+q', { getModifierState: (name) => name === 'AltGraph', key: '@' }), undefined);
  ask('<u', []);
  assert.equal(press('c+c'), undefined);
});

test('kitty\'s flags: repeats and releases, all keys, their text and their alternates', () => {
  const events = keyboardOf(['>u', [3]]);
  assert.equal(events.press('c+c', { repeat: true }), 'E[99;5:2u');
  assert.equal(events.press('c+c', { up: true }), 'E[99;5:3u');
  assert.equal(events.press('ArrowUp', { up: true }), 'E[1;1:3A');
  assert.equal(events.press('a', { up: true }), undefined);
  assert.equal(events.press('Enter', { up: true }), undefined);
  const all = keyboardOf(['>u', [8]], ['=u', [16, 2]]);
  assert.equal(all.press('a'), 'E[97;;97u');
  assert.equal(all.press('s+A'), 'E[97;2;65u');
  assert.equal(all.press('Enter'), 'E[13u');
  assert.equal(all.press('s+Shift', { code: 'ShiftLeft' }), 'E[57441;2u');
  assert.equal(all.press('s+!', { code: 'Digit1' }), 'E[49;2;33u');
  const alternates = keyboardOf(['=u', [5, 1]]);
  assert.equal(alternates.press('c+s+A'), 'E[97:65;6u');
  assert.equal(alternates.press('c+с', { code: 'KeyC' }), 'E[1089::99;5u');
});

test('each buffer has its flags, a reset takes all, and the stack is bounded', () => {
  const { press, ask, xterm } = keyboardOf(['>u', [1]]);
  xterm.showBuffer('alternate');
  assert.equal(press('c+c'), undefined);
  ask('>u', [1]);
  xterm.showBuffer('normal');
  ask('=u', [1, 3]);
  assert.equal(press('c+c'), undefined);
  ask('=u', [1]);
  assert.equal(press('c+c'), 'E[99;5u');
  for (let at = 0; at < 100_000; at++) ask('>u', [31]);
  ask('<u', [1e9]);
  assert.equal(press('c+c'), undefined);
  ask('>u', [1]);
  xterm.parser.handlers.get('ESC c')();
  assert.equal(press('c+c'), undefined);
});

test('modifyOtherKeys', () => {
  const one = keyboardOf(['>m', [4, 1]]);
  for (const [name, expected] of [
    ['c+Enter', 'E[27;5;13~'], ['s+Enter', 'E[27;2;13~'], ['c+c', undefined], ['c+1', 'E[27;5;49~'], ['a+x', undefined],
    ['a', undefined], ['s+A', undefined],
  ]) assert.equal(one.press(name), expected, name);
  const two = keyboardOf(['>m', [4, 2]]);
  assert.equal(two.press('c+c'), 'E[27;5;99~');
  assert.equal(two.press('a+x'), 'E[27;3;120~');
  two.ask('>m', [4]);
  assert.equal(two.press('c+c'), undefined);
});

// MARK: What programs ask for

function asked() {
  const { terminal, xterm, addon } = attached();
  const heard = [];
  for (const name of ['copy', 'notice', 'progress']) addon.on(name, (detail) => heard.push([name, detail]));
  const osc = (number, data) => xterm.parser.handlers.get(`OSC ${number}`)(data);
  return { terminal, addon, osc, heard };
}

test('OSC 52 asks to copy text of a bounded length, and is told of what is longer', () => {
  const { osc, heard, terminal, addon } = asked();
  osc(52, `c;${btoa('hello')}`);
  osc(52, `;${Buffer.from('grüße').toString('base64')}`);
  osc(52, `c;${btoa('x'.repeat(100_001))}`);
  for (const nothing of ['c;', 'c', 'c;***', 'c;?', '', `${'c'.repeat(99)};${btoa('a')}`]) osc(52, nothing);
  assert.deepEqual(heard, [['copy', { text: 'hello' }], ['copy', { text: 'grüße' }], ['copy', { tooLong: 100_001 }]]);
  assert.deepEqual(terminal.typed, [], 'the clipboard is told to nobody');
  addon.on('read', ({ answer }) => answer('ü'));
  osc(52, 'c;?');
  assert.deepEqual(terminal.typed, ['\x1b]52;c;w7w=\x1b\\']);
});

test('notices of OSC 9, 777 and 99 are bounded and hold no control character', () => {
  const { osc, heard } = asked();
  osc(9, 'build\x1b[31m done\u202e');
  osc(777, 'notify;Title;text; more');
  osc(777, 'precmd');
  osc(99, ';kitty');
  osc(99, 'i=1:d=0;Tit');
  osc(99, 'i=1:d=0;le');
  osc(99, `i=1:p=body:e=1;${btoa('body')}`);
  osc(99, 'i=2:p=icon;x');
  osc(9, 'y'.repeat(10_000));
  for (let at = 0; at < 1_000; at++) osc(99, `i=${at}:d=0;${'z'.repeat(10_000)}`);
  assert.deepEqual(heard.slice(0, 4).map(([, detail]) => detail), [
    { title: '', text: 'build [31m done' }, { title: 'Title', text: 'text; more' }, { title: 'kitty', text: '' },
    { title: 'Title', text: 'body' },
  ]);
  assert.equal(heard.length, 5);
  assert.equal([...heard[4][1].text].length, 241);
});

test('progress is OSC 9;4, and ConEmu\'s other commands are no notices', () => {
  const { osc, heard } = asked();
  for (const data of ['4;1;50', '4;2', '4;3', '4;4;400', '4;0', '4;9;1', '1;200', '2;text', '12']) osc(9, data);
  assert.deepEqual(heard, [
    { state: 'running', percent: 50 }, { state: 'failed' }, { state: 'unknown' }, { state: 'paused', percent: 100 },
    { state: 'none' },
  ].map((detail) => ['progress', detail]));
});
