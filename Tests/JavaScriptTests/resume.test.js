// Promises P1 and P2, as far as the browser keeps them: output and input are exact across every cut.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Fairlead } from '../../Sources/Web/Library/fairlead.js';
import { MAX_SAVED } from '../../Sources/Web/Library/fairlead/memory.js';
import { Tab, Type, begin, cut, frame, jsonFrame, settle, text, typed } from './kit.js';

test('after a cut output goes on at the byte where it stood', async () => {
  const { tab, seen } = await begin();
  tab.line.output(1, 0, 'hello ');
  const open = await cut(tab);
  assert.deepEqual(open.json.resume, { life: 'a1', next: 6, input: 0 });
  assert.equal(open.json.create, undefined);
  tab.line.opened(open.stream, { resumed: 'exact', output: 6 });
  tab.line.output(open.stream, 6, 'world');
  assert.equal(seen.text, 'hello world');
});

test('each OPEN carries a higher attempt, so that one that comes late is known', async () => {
  const { tab, open } = await begin();
  const attempts = [open.attempt];
  for (let count = 0; count < 3; count++) attempts.push((await cut(tab)).json.attempt);
  assert.deepEqual(attempts, [...new Set(attempts)].sort((a, b) => a - b));
});

test('unacknowledged input is sent again from where the server says', async () => {
  const { tab, terminal } = await begin();
  terminal.write('one');
  terminal.write('two');
  await settle();
  assert.deepEqual(typed(tab.line), [[0, 'one'], [3, 'two']]);
  tab.line.deliver(frame(Type.INPUT_ACK, 1, [2]));
  const open = await cut(tab);
  assert.equal(open.json.resume.input, 2);
  terminal.write('!');
  assert.deepEqual(typed(tab.line), []);
  tab.line.opened(open.stream, { resumed: 'exact', input: 4 });
  await settle();
  assert.deepEqual(typed(tab.line), [[4, 'wo!']]);
});

test('after a second OPENED on the same stream input is sent again, and the credit goes on', async () => {
  const { tab, terminal, seen } = await begin();
  tab.line.output(1, 0, 'abc');
  terminal.write('xyz');
  await tab.clock.advance(100);
  typed(tab.line);
  assert.equal(tab.line.take(Type.OUTPUT_ACK).at(-1).consumed, 3);
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'paused' }));
  assert.equal(terminal.state.name, 'paused');
  terminal.write('!');
  await settle();
  assert.deepEqual(typed(tab.line), []);
  tab.line.opened(1, { resumed: 'exact', output: 3, input: 1 });
  await settle();
  assert.deepEqual(typed(tab.line), [[1, 'yz!']]);
  tab.line.output(1, 3, 'def');
  await tab.clock.advance(200);
  assert.deepEqual(tab.line.take(Type.OUTPUT_ACK).map(({ offset, consumed }) => [offset, consumed]),
    [[6, 6]]);
  assert.equal(seen.text, 'abcdef');
});

test('a long paste has at most 64 KiB on the way', async () => {
  const { tab, terminal } = await begin();
  const paste = 'p'.repeat(200_000);
  assert.equal(terminal.write(paste), true);
  let [inFlight, acknowledged, all] = [0, 0, ''];
  while (all.length < paste.length) {
    await settle();
    const frames = typed(tab.line);
    assert.ok(frames.length > 0);
    for (const [offset, string] of frames) {
      assert.equal(offset, all.length);
      all += string;
      inFlight += string.length;
    }
    assert.ok(inFlight <= 65_536, `${inFlight} bytes in flight`);
    acknowledged += Math.min(inFlight, 10_000);
    inFlight -= Math.min(inFlight, 10_000);
    tab.line.deliver(frame(Type.INPUT_ACK, 1, [acknowledged]));
  }
  assert.equal(all, paste);
});

test('consumed bytes are acknowledged at half a window, with input, and when idle; not those of a lost stream', async () => {
  const { tab, terminal } = await begin({ options: { manualAck: true } });
  tab.line.output(1, 0, 'x'.repeat(16_000));
  tab.line.output(1, 16_000, 'x'.repeat(16_000));
  tab.line.output(1, 32_000, 'x'.repeat(2_000));
  terminal.ack(16_000);
  await settle();
  assert.deepEqual(tab.line.take(Type.OUTPUT_ACK), []);
  terminal.ack(17_000);
  await settle();
  const [ack] = tab.line.take(Type.OUTPUT_ACK);
  assert.deepEqual([ack.offset, ack.consumed], [32_000, 33_000]);
  const open = await cut(tab);
  tab.line.opened(open.stream, { resumed: 'exact', output: 34_000 });
  tab.line.output(open.stream, 34_000, 'yy');
  terminal.ack(1_000);
  terminal.ack(1);
  await tab.clock.advance(100);
  assert.deepEqual(tab.line.take(Type.OUTPUT_ACK), []);
  await tab.clock.advance(100);
  const [next] = tab.line.take(Type.OUTPUT_ACK);
  assert.equal(next.consumed, 1);
  terminal.ack(1);
  terminal.write('k');
  await settle();
  const [typed] = tab.line.take(Type.OUTPUT_ACK);
  assert.equal(typed.consumed, 2);
});

test('a gap in the output is never shown: the screen is asked for anew', async () => {
  const { tab, seen } = await begin();
  tab.line.output(1, 0, 'abc');
  tab.line.output(1, 4, 'e');
  await settle();
  assert.equal(tab.line.take(Type.CLOSE).length, 1);
  await tab.clock.advance(1_000);
  const [open] = tab.line.take(Type.OPEN);
  assert.deepEqual(open.json.resume, { life: 'a1', input: 0 });
  tab.line.opened(open.stream, { resumed: 'snapshot', output: 5 });
  tab.line.snapshot(open.stream, { offset: 5, string: 'abcde' });
  assert.equal(seen.text, 'abcde');
});

test('an interrupted snapshot is not gone on from', async () => {
  const { tab, seen } = await begin();
  tab.line.snapshot(1, { marks: 1, offset: 9, string: 'half' });
  const open = await cut(tab);
  assert.equal('next' in open.json.resume, false);
  tab.line.opened(open.stream, { resumed: 'snapshot', output: 9 });
  tab.line.snapshot(open.stream, { id: 2, marks: 1, offset: 9, cols: 100, rows: 30, string: 'who' });
  tab.line.snapshot(open.stream, { id: 2, marks: 2, offset: 9, cols: 100, rows: 30, string: 'le' });
  tab.line.output(open.stream, 9, '!');
  assert.equal(seen.text, 'whole!');
  assert.equal(seen.events.at(-1).startsWith('100x30'), true);
});

test('another life: what was typed into the first is told, and never sent', async () => {
  const { tab, terminal, seen } = await begin();
  terminal.write('rm important\n');
  const open = await cut(tab);
  tab.line.opened(open.stream, { life: 'b2', resumed: 'snapshot', output: 50, input: 7 });
  await settle();
  assert.deepEqual(typed(tab.line), []);
  assert.deepEqual(seen.doubt, [['other_life', 'rm important\n']]);
  terminal.write('ls\n');
  await settle();
  assert.deepEqual(typed(tab.line), [[7, 'ls\n']]);
});

test('a session that forgot this client: what was typed is in doubt', async () => {
  const { tab, terminal, seen } = await begin();
  terminal.write('a');
  const open = await cut(tab);
  tab.line.opened(open.stream, { resumed: 'exact', input: 0, inDoubt: true });
  await settle();
  assert.deepEqual(typed(tab.line), []);
  assert.deepEqual(seen.doubt, [['forgotten', 'a']]);
});

test('a reload takes the session up by a snapshot, and input that was under way arrives once', async () => {
  const first = await begin();
  assert.deepEqual(first.open.create, { target: 'pty' });
  first.terminal.write('echo hi\n');
  await settle();
  first.tab.line.deliver(frame(Type.INPUT_ACK, 1, [2]));
  const second = await begin({
    tab: first.tab.reloaded(), opened: { resumed: 'snapshot', output: 99, input: 5 },
  });
  assert.equal(second.cluster.client, first.cluster.client);
  assert.equal(second.terminal.session, first.terminal.session);
  assert.deepEqual(second.open.resume, { life: 'a1', input: 2 });
  assert.equal(second.open.create, undefined);
  assert.deepEqual(typed(second.tab.line), [[5, 'hi\n']]);
});

test('a paste too long to keep across a reload is told, not typed in half', async () => {
  const first = await begin();
  first.terminal.write('z'.repeat(MAX_SAVED + 1));
  const second = await begin({ tab: first.tab.reloaded(), opened: { resumed: 'snapshot' } });
  await settle();
  assert.deepEqual(second.seen.doubt, [['too_long', '']]);
  assert.deepEqual(typed(second.tab.line), []);
});

test('a duplicated tab is another client, and types nothing of the first', async () => {
  const first = await begin();
  first.terminal.write('once\n');
  first.tab.window.dispatchEvent(new Event('pagehide'));
  const second = await begin({ tab: first.tab.duplicated() });
  assert.equal(second.terminal.session, first.terminal.session);
  assert.notEqual(second.cluster.client, first.cluster.client);
  assert.deepEqual(typed(second.tab.line), []);
});

test('pages without Web Locks keep their name when reloaded, and only then', async () => {
  const tab = new Tab({ locks: undefined });
  tab.env.locks = undefined;
  const first = await begin({ tab });
  const again = tab.reloaded();
  again.env.locks = undefined;
  assert.equal((await begin({ tab: again })).cluster.client, first.cluster.client);
  const copy = tab.duplicated();
  copy.env.locks = undefined;
  assert.notEqual((await begin({ tab: copy })).cluster.client, first.cluster.client);
});

test('REFUSED with retry is asked again after that time; without, it is final', async () => {
  const { tab, terminal } = await begin();
  const refused = [];
  terminal.on('refused', ({ code }) => refused.push(code));
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'paused' }));
  tab.line.deliver(
    jsonFrame(Type.REFUSED, 1, { code: 'unavailable', message: 'wait', retry: 1_000 }));
  assert.equal(terminal.state.name, 'postponed');
  await tab.clock.advance(999);
  assert.deepEqual(tab.line.take(Type.OPEN), []);
  await tab.clock.advance(501);
  const [open] = tab.line.take(Type.OPEN);
  assert.equal(open.stream, 2);
  tab.line.deliver(jsonFrame(Type.REFUSED, 2, { code: 'gone', message: 'over' }));
  assert.deepEqual(refused, ['gone']);
  assert.equal(terminal.isOver, true);
  assert.equal(terminal.write('x'), false);
});

const refusal = (stream) =>
  jsonFrame(Type.EVENT, stream, { event: 'refused', message: 'not yours to end' });

test('KILL that is refused is not sent again by the next connection', async () => {
  const { tab, terminal } = await begin();
  terminal.kill();
  await settle();
  assert.equal(tab.line.take(Type.KILL).length, 1);
  tab.line.deliver(refusal(1));
  const open = await cut(tab);
  tab.line.opened(open.stream, { resumed: 'exact' });
  await settle();
  assert.deepEqual(tab.line.take(Type.KILL), []);
  assert.equal(terminal.state.name, 'live');
});

test('KILL that a cut may have lost, or that had no connection, is sent by the next one', async () => {
  const { tab, terminal } = await begin();
  terminal.kill();
  for (let round = 0; round < 2; round++) {
    const open = await cut(tab);
    assert.deepEqual(tab.line.take(Type.KILL), []);
    tab.line.opened(open.stream, { resumed: 'exact' });
    await settle();
    assert.equal(tab.line.take(Type.KILL).length, 1);
  }
});

test('a refusal also takes back a KILL that waits for the link behind the server', async () => {
  const { tab, terminal } = await begin();
  terminal.kill();
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'paused' }));
  terminal.kill();
  tab.line.deliver(refusal(1));
  tab.line.opened(1, { resumed: 'exact' });
  await settle();
  assert.equal(tab.line.take(Type.KILL).length, 1);
});

test('many terminals share one connection, each on a stream of its own', async () => {
  const tab = new Tab();
  const cluster = new Fairlead('', { env: tab.env });
  const terminals = Array.from({ length: 12 }, (_, at) => cluster.open({ session: `s${at}` }));
  const seen = terminals.map(() => '');
  terminals.forEach((it, at) => it.on('output', ({ bytes }) => (seen[at] += text(bytes))));
  for (let round = 0; round < 3; round++) {
    if (round > 0) await tab.line.end();
    await tab.clock.advance(1_000);
    await tab.line.accept();
    const opens = tab.line.take(Type.OPEN);
    assert.equal(new Set(opens.map(({ stream }) => stream)).size, 12);
    for (const { stream, json } of opens) {
      tab.line.opened(stream, { session: json.session, resumed: 'exact', output: round });
      tab.line.output(stream, round, json.session.slice(1)[0]);
    }
  }
  assert.equal(tab.lines.length, 3);
  assert.deepEqual(seen, terminals.map((_, at) => String(at)[0].repeat(3)));
});

test('sizes: the last one wished for is sent once the stream is open', async () => {
  const { tab, terminal, seen } = await begin();
  terminal.resize(100, 30);
  await settle();
  assert.deepEqual(tab.line.take(Type.RESIZE).map(({ cols, rows }) => [cols, rows]), [[100, 30]]);
  tab.line.output(1, 0, 'ab');
  tab.line.deliver(frame(Type.RESIZED, 1, [2, 100, 30]));
  assert.deepEqual(seen.events, ['80x24@0', '100x30@2']);
  const open = await cut(tab);
  assert.deepEqual(open.json.size, { columns: 100, rows: 30 });
  terminal.resize(0, 5_000);
  tab.line.opened(open.stream, { resumed: 'exact', output: 2 });
  await settle();
  assert.deepEqual(tab.line.take(Type.RESIZE).map(({ cols, rows }) => [cols, rows]), [[1, 1_000]]);
});

test('a listener that throws harms nothing else', async () => {
  const { tab, terminal, seen } = await begin();
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  terminal.on('title', () => {
    throw new Error('of the page');
  });
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'title', title: 'vim' }));
  tab.line.output(1, 0, 'on');
  await settle();
  assert.deepEqual([seen.text, terminal.title, reported], ['on', 'vim', ['of the page']]);
});

test('what was typed and has nobody to go to any more is told', async () => {
  const { tab, terminal } = await begin();
  const told = [];
  terminal.on('undelivered', ({ bytes, sent }) => told.push([text(bytes), sent]));
  terminal.write('sent');
  await settle();
  const open = await cut(tab);
  terminal.write(', kept');
  tab.line.deliver(jsonFrame(Type.REFUSED, open.stream, { code: 'lost', message: 'it was lost' }));
  assert.deepEqual(told, [['sent, kept', 4]]);
  assert.equal(terminal.unacknowledged, 0);
});
