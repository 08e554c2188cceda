// What is typed and pasted: text from outside stays in its frame, a paste too long is told, and an interrupt
// comes before what waits.

import assert from 'node:assert/strict';
import test from 'node:test';
import { InputBuffer, IN_FLIGHT, MAX_KEPT, RESERVE } from '../../Sources/Web/Library/fairlead/input.js';
import { neutralised } from '../../Sources/Web/Library/fairlead/paste.js';
import { Tab, Type, begin, cut, frame, settle, text, typed, utf8 } from './kit.js';

const ESC = '\x1b';
const [START, END] = [`${ESC}[200~`, `${ESC}[201~`];

test('a paste cannot end its frame: neither by ESC, nor by C1, nor by a key that makes a signal', async () => {
  const { tab, terminal } = await begin();
  const told = [];
  terminal.on('neutralised', ({ count }) => told.push(count));
  for (const end of [END, '\x9b201~', '\x03', '\x1c', '\x1a', '\x04', '\x00', '\x7f', '\x85']) {
    terminal.paste(`echo safe${end}\necho pwned\r\n`, { isBracketed: true });
    await settle();
    const sent = typed(tab.line).map(([, string]) => string).join('');
    assert.ok(sent.startsWith(START) && sent.endsWith(END), sent);
    const within = sent.slice(START.length, -END.length);
    assert.doesNotMatch(within, /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/, JSON.stringify(end));
    assert.match(within, /^echo safe.+\recho pwned\r$/s);
  }
  assert.deepEqual(told, Array(9).fill(1));
});

test('text without control characters is pasted as it is, and nothing is said', () => {
  const plain = 'grüße\t日本語 🚀 "quoted" \u2028';
  assert.deepEqual(neutralised(plain), { text: plain, changed: 0 });
  assert.deepEqual(neutralised('a\nb\r\nc\rd'), { text: 'a\rb\rc\rd', changed: 0 });
  assert.deepEqual(neutralised('\x1b[31mred\x7f\x9b'), { text: '␛[31mred␡\ufffd', changed: 3 });
});

test('a paste that is too long is told, and what follows it is typed', async () => {
  const { tab, terminal } = await begin();
  const told = [];
  terminal.on('full', (detail) => told.push(detail));
  assert.equal(terminal.write('x'.repeat(MAX_KEPT + 1)), false);
  assert.deepEqual(told, [{ bytes: MAX_KEPT + 1, waiting: 0 }]);
  assert.equal(terminal.write('y'), true);
  await settle();
  assert.deepEqual(typed(tab.line), [[0, 'y']]);
});

for (const key of ['\x03', '\x1c', '\x1a']) {
  test(`the interrupt ${JSON.stringify(key)} comes before a paste that waits, however much`, async () => {
    const { tab, terminal } = await begin();
    const lost = [];
    terminal.on('discarded', ({ bytes }) => lost.push(bytes.length));
    terminal.write('p'.repeat(MAX_KEPT));
    await settle();
    const sent = typed(tab.line).reduce((sum, [, string]) => sum + string.length, 0);
    assert.equal(sent, IN_FLIGHT - RESERVE);
    // Nothing is acknowledged: the program does not read.
    assert.equal(terminal.write(key), true);
    await settle();
    assert.deepEqual(typed(tab.line), [[sent, key]]);
    assert.deepEqual(lost, [MAX_KEPT - sent]);
    terminal.write('ls\r');
    tab.line.deliver(frame(Type.INPUT_ACK, 1, [sent + 1]));
    await settle();
    assert.deepEqual(typed(tab.line), [[sent + 1, 'ls\r']]);
  });
}

test('an interrupt with nothing waiting takes nothing back, and what was sent stays', async () => {
  const { tab, terminal } = await begin();
  const lost = [];
  terminal.on('discarded', ({ bytes }) => lost.push(bytes));
  terminal.write('sleep 9\r');
  terminal.write('\x03');
  await settle();
  assert.deepEqual(typed(tab.line), [[0, 'sleep 9\r'], [8, '\x03']]);
  const open = await cut(tab);
  tab.line.opened(open.stream, { resumed: 'exact', input: 0 });
  await settle();
  assert.deepEqual(typed(tab.line), [[0, 'sleep 9\r\x03']]);
  assert.deepEqual(lost, []);
});

test('Ctrl-C within a text, or in a paste, is no interrupt', async () => {
  const { tab, terminal } = await begin();
  tab.line.deliver(frame(Type.INPUT_ACK, 1, [0]));
  terminal.write('x'.repeat(IN_FLIGHT));
  terminal.write('a\x03b');
  assert.equal(terminal.unacknowledged, IN_FLIGHT + 3);
  terminal.paste('\x03');
  assert.equal(terminal.unacknowledged, IN_FLIGHT + 6);
});

test('a paste that an interrupt cuts off is closed, wherever it is cut, and no character is halved', () => {
  const paste = `${START}${'äöü🚀'.repeat(8_000)}${END}`;
  const bytes = utf8(paste);
  for (let lead = 0; lead < 40; lead++) {
    for (const size of [0, IN_FLIGHT - RESERVE - bytes.length - 20]) {
      const buffer = new InputBuffer({ acknowledged: 0 });
      buffer.append(utf8('x'.repeat(Math.max(0, size) + lead)));
      buffer.append(bytes);
      buffer.append(utf8('tail'));
      let sent = '';
      for (let next = buffer.next(); next; next = buffer.next()) sent += text(next.bytes);
      buffer.interrupt();
      buffer.append(utf8('\x03'));
      const whole = text(buffer.bytes());
      assert.ok(!whole.includes('\ufffd'), 'half a character');
      assert.equal(whole.split(START).length, whole.split(END).length, `${lead} ${size}`);
      assert.ok(whole.endsWith('\x03'));
      assert.equal(new TextEncoder().encode(whole).length, buffer.length);
      let rest = 0;
      for (let next = buffer.next(); next; next = buffer.next()) rest += next.bytes.length;
      assert.equal(buffer.inFlight, buffer.length, 'all of it may be sent');
      assert.ok(rest <= RESERVE && buffer.inFlight <= IN_FLIGHT);
    }
  }
});

test('the cut is at every byte of a frame once: its ends are whole, or not there', () => {
  const bytes = utf8(`ab${START}pasted${END}${ESC}[1;5Ayz`);
  for (let acknowledged = 0; acknowledged <= bytes.length; acknowledged++) {
    const buffer = new InputBuffer({ acknowledged: 0 });
    buffer.append(utf8('-'.repeat(IN_FLIGHT - RESERVE - acknowledged)));
    buffer.append(bytes);
    while (buffer.next());
    buffer.interrupt();
    const kept = text(buffer.bytes()).replace(/^-+/, '');
    assert.match(kept, /^(a?|ab)$|^ab\x1b\[200~p?a?s?t?e?d?\x1b\[201~(\x1b\[1;5A(yz?)?)?$/, `${acknowledged}`);
  }
});

test('a tab that has to be renamed types what was not sent, and tells what was', () => {
  const waiting = new InputBuffer({ acknowledged: 7 });
  waiting.append(utf8('ls'));
  assert.equal(waiting.renumber(), undefined);
  waiting.opened(0, false);
  assert.deepEqual(waiting.next(), { offset: 0, bytes: utf8('ls') });
  assert.equal(text(waiting.renumber()), 'ls');
  assert.equal(waiting.length, 0);
});
