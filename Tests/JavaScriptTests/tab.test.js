// What a tab is and remembers, where the browser forbids it, where the clock lies, and where two tabs believe
// that they are one.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { Fairlead } from '../../Sources/Web/Library/fairlead.js';
import { clipboard, environment, safeStorage } from '../../Sources/Web/Library/fairlead/environment.js';
import { Memory, MAX_ENDING } from '../../Sources/Web/Library/fairlead/memory.js';
import { Tab, Type, begin, cut, jsonFrame, settle, typed } from './kit.js';

const forbidden = () => {
  throw new DOMException('denied', 'SecurityError');
};
const full = {
  getItem: () => null, removeItem: () => {},
  setItem: () => {
    throw new DOMException('full', 'QuotaExceededError');
  },
};

test('storage that may not be named, or is full, throws at nobody', () => {
  for (const storage of [safeStorage(forbidden), safeStorage(() => full), safeStorage(() => undefined)]) {
    assert.equal(storage.getItem('a'), null);
    assert.equal(storage.setItem('a', 'b'), false);
    storage.removeItem('a');
  }
  for (const name of ['localStorage', 'sessionStorage']) {
    Object.defineProperty(globalThis, name, { get: forbidden, configurable: true });
    assert.equal(environment()[name].getItem('x'), null);
    delete globalThis[name];
  }
});

test('a clipboard that is not there, or refuses, is answered for', async () => {
  assert.equal(await clipboard.read(), null);
  assert.equal(await clipboard.write('x'), false);
});

for (const [name, storage] of [['forbidden', safeStorage(forbidden)], ['full', safeStorage(() => full)]]) {
  test(`a page whose storage is ${name} works, types and reconnects`, async () => {
    const tab = new Tab();
    tab.env.localStorage = tab.env.sessionStorage = storage;
    tab.env.locks.request = async () => forbidden();
    const { terminal } = await begin({ tab });
    terminal.write('a');
    await settle();
    tab.window.dispatchEvent(new Event('pagehide'));
    const open = await cut(tab);
    tab.line.opened(open.stream, { resumed: 'exact' });
    await settle();
    assert.deepEqual(typed(tab.line), [[0, 'a']]);
    terminal.kill();
  });
}

test('a clock that is set back makes no OPEN look late', async () => {
  const { now } = Date;
  try {
    Date.now = () => now() + 3_600_000;
    const first = await begin();
    const before = [first.open.attempt, (await cut(first.tab)).json.attempt];
    Date.now = () => now() - 3_600_000;
    const again = await begin({ tab: first.tab.reloaded(), opened: { resumed: 'snapshot' } });
    assert.equal(again.cluster.client, first.cluster.client);
    const after = [again.open.attempt, (await cut(again.tab)).json.attempt];
    const all = [...before, ...after];
    assert.deepEqual(all, [...new Set(all)].sort((a, b) => a - b));
  } finally {
    Date.now = now;
  }
});

test('a name from before its OPENs were counted goes on above the time of day', async () => {
  const tab = new Tab();
  tab.sessionStorage.setItem('fairlead.client', 'old');
  const { open, cluster } = await begin({ tab });
  assert.equal(cluster.client, 'old');
  assert.ok(open.attempt > Date.now());
  assert.ok(Number.isSafeInteger(open.attempt));
});

test('two pages that count alike do not send the same attempt', async () => {
  const first = new Tab();
  const { open } = await begin({ tab: first });
  const other = new Tab();
  other.luck = 0.25;
  assert.notEqual((await begin({ tab: other })).open.attempt, open.attempt);
});

test('without Web Locks a duplicated tab is another client, whatever the browser calls its navigation', async () => {
  const tab = new Tab();
  tab.env.locks = undefined;
  const first = await begin({ tab });
  const copy = new Tab({ ...tab, sessionStorage: tab.sessionStorage.copy(), wasReloaded: true });
  copy.env.locks = undefined;
  assert.notEqual((await begin({ tab: copy })).cluster.client, first.cluster.client);
  // A page that came back out of the browser's cache lives again.
  tab.window.dispatchEvent(new Event('pagehide'));
  tab.window.dispatchEvent(new Event('pageshow'));
  const later = new Tab({ ...tab, sessionStorage: tab.sessionStorage.copy(), wasReloaded: true });
  later.env.locks = undefined;
  assert.notEqual((await begin({ tab: later })).cluster.client, first.cluster.client);
});

test('a client that closes lets go of its name at once', async () => {
  const tab = new Tab();
  const first = await begin({ tab });
  const { client } = first.cluster;
  first.cluster.close();
  const second = await begin({ tab });
  assert.equal(second.cluster.client, client);
});

test('a terminal that went on elsewhere can be taken back, under a name that nobody else has', async () => {
  const { tab, cluster, terminal, seen } = await begin();
  const states = [];
  terminal.on('state', ({ name }) => states.push(name));
  tab.line.output(1, 0, 'one ');
  const { client } = cluster;
  tab.line.deliver(jsonFrame(Type.CLOSE, 1, { reason: 'superseded' }));
  assert.equal(terminal.isOver, true);
  await tab.clock.advance(10);
  assert.equal(cluster.state.name, 'idle');
  assert.equal(cluster.takeBack(terminal), true);
  assert.equal(terminal.isOver, false);
  await settle();
  await tab.line.accept();
  const [hello] = tab.line.take(Type.HELLO);
  assert.notEqual(hello.json.client, client);
  assert.equal(cluster.client, hello.json.client);
  const [open] = tab.line.take(Type.OPEN);
  assert.deepEqual(open.json.resume, { life: 'a1', next: 4 });
  tab.line.opened(open.stream, { resumed: 'exact', output: 4 });
  tab.line.output(open.stream, 4, 'two');
  terminal.write('x');
  await settle();
  assert.deepEqual([seen.text, typed(tab.line)], ['one two', [[0, 'x']]]);
  assert.deepEqual(states, ['closed', 'connecting', 'live']);
  assert.equal(cluster.takeBack(terminal), false);
  // The name is the tab's from now on.
  const again = await begin({ tab: tab.reloaded() });
  assert.equal(again.cluster.client, hello.json.client);
});

test('what was under way when a terminal went on elsewhere is told when it is taken back', async () => {
  const { tab, cluster, terminal, seen } = await begin();
  terminal.write('half a line');
  await settle();
  tab.line.deliver(jsonFrame(Type.CLOSE, 1, { reason: 'superseded' }));
  cluster.takeBack(terminal);
  assert.deepEqual(seen.doubt, [['forgotten', 'half a line']]);
});

// MARK: Ending

const kills = (line) => line.take(Type.KILL).map(({ stream }) => stream);

test('a terminal that is ended and left during a cut is ended when the connection is back', async () => {
  const { tab, cluster, terminal } = await begin();
  await tab.line.end();
  terminal.kill();
  terminal.close();
  assert.deepEqual(cluster.terminals, []);
  await tab.clock.advance(1_000);
  await tab.line.accept();
  const [open] = tab.line.take(Type.OPEN);
  assert.deepEqual([open.json.session, open.json.resume, open.json.create, open.json.mode],
    [terminal.session, { life: 'a1' }, undefined, 'watcher']);
  tab.line.opened(open.stream, { resumed: 'snapshot', mode: 'watcher' });
  await settle();
  assert.deepEqual(kills(tab.line), [open.stream]);
  tab.line.deliver(jsonFrame(Type.ENDED, open.stream, { reason: 'killed' }));
  assert.deepEqual(cluster.memory.ending(), []);
  await tab.clock.advance(1);
  assert.equal(cluster.state.name, 'idle');
});

test('… or by the next page, which has no terminal of it', async () => {
  const { tab, terminal, cluster } = await begin();
  await tab.line.end();
  terminal.kill();
  cluster.memory.forget('k');
  const next = tab.reloaded();
  const other = new Fairlead('', { env: next.env });
  assert.deepEqual(other.terminals, []);
  await next.clock.advance(400);
  await next.line.accept();
  const [open] = next.line.take(Type.OPEN);
  assert.equal(open.json.session, terminal.session);
  next.line.opened(open.stream, { resumed: 'snapshot' });
  await settle();
  assert.deepEqual(kills(next.line), [open.stream]);
  next.line.deliver(jsonFrame(Type.ENDED, open.stream, { reason: 'killed' }));
  assert.deepEqual(other.memory.ending(), []);
});

test('what is to be ended is one life: another process under the same name is left alone', async () => {
  const { tab, terminal, cluster } = await begin();
  await tab.line.end();
  terminal.kill();
  terminal.close();
  await tab.clock.advance(1_000);
  await tab.line.accept();
  tab.line.opened(tab.line.take(Type.OPEN)[0].stream, { life: 'b2', resumed: 'snapshot' });
  await settle();
  assert.deepEqual(kills(tab.line), []);
  assert.deepEqual(cluster.memory.ending(), []);
  assert.equal(tab.line.take(Type.CLOSE).length, 1);
});

test('an end that is refused, or has come already, is not asked for again', async () => {
  for (const answer of [
    (line, stream) => line.deliver(jsonFrame(Type.REFUSED, stream, { code: 'gone', message: '' })),
    (line, stream) => {
      line.opened(stream, { resumed: 'snapshot' });
      line.deliver(jsonFrame(Type.EVENT, stream, { event: 'refused', message: 'not yours' }));
    },
  ]) {
    const { tab, terminal, cluster } = await begin();
    await tab.line.end();
    terminal.kill();
    terminal.close();
    await tab.clock.advance(1_000);
    await tab.line.accept();
    answer(tab.line, tab.line.take(Type.OPEN)[0].stream);
    await settle();
    assert.deepEqual(cluster.memory.ending(), []);
    assert.equal(new Fairlead('', { env: tab.env }).state.name, 'idle');
  }
});

test('a KILL that is not allowed is told', async () => {
  const { tab, terminal, cluster } = await begin();
  const told = [];
  terminal.on('denied', ({ message }) => told.push(message));
  terminal.kill();
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'refused', message: 'not yours to end' }));
  assert.deepEqual(told, ['not yours to end']);
  assert.deepEqual(cluster.memory.ending(), []);
});

test('the memory of what is to be ended is bounded, and takes nothing on trust', () => {
  const tab = new Tab();
  const memory = new Memory(tab.env);
  for (let at = 0; at < 2 * MAX_ENDING; at++) memory.setEnding({ session: `s${at}` }, true);
  assert.equal(memory.ending().length, MAX_ENDING);
  assert.equal(memory.ending().at(-1).session, `s${2 * MAX_ENDING - 1}`);
  for (const junk of ['{}', '[1,null,{"session":5}]', '"x"', '{']) {
    tab.localStorage.setItem('fairlead.ending:/page', junk);
    assert.deepEqual(memory.ending(), []);
  }
});

// MARK: Size and colours

test('a TAKE that may be lost is not said again once somebody else has taken the size', async () => {
  const { tab, terminal } = await begin();
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'size_owner', owner: 'first' }));
  terminal.take();
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'size_owner', owner: 'first' }));
  let open = await cut(tab);
  tab.line.take(Type.TAKE);
  tab.line.opened(open.stream, { resumed: 'exact' });
  await settle();
  assert.equal(tab.line.take(Type.TAKE).length, 1);
  tab.line.deliver(jsonFrame(Type.EVENT, open.stream, { event: 'size_owner', owner: 'second' }));
  open = await cut(tab);
  tab.line.opened(open.stream, { resumed: 'exact' });
  await settle();
  assert.equal(tab.line.take(Type.TAKE).length, 0);
});

test('TAKE while the stream is paused, or away, is said once it is open', async () => {
  const { tab, cluster, terminal } = await begin();
  const takes = () => tab.line.take(Type.TAKE).length;
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'paused' }));
  terminal.take();
  await settle();
  assert.equal(takes(), 0);
  tab.line.opened(1, { resumed: 'exact' });
  await settle();
  assert.equal(takes(), 1);
  // A cut may have lost it.
  let open = await cut(tab);
  tab.line.opened(open.stream, { resumed: 'exact' });
  await settle();
  assert.equal(takes(), 1);
  tab.line.deliver(
    jsonFrame(Type.EVENT, open.stream, { event: 'size_owner', owner: cluster.client }));
  tab.line.deliver(jsonFrame(Type.EVENT, open.stream, { event: 'size_owner', owner: 'other' }));
  open = await cut(tab);
  tab.line.opened(open.stream, { resumed: 'exact' });
  await settle();
  assert.equal(takes(), 0);
});

test('colours that change are told, at once or with the next OPEN, and once', async () => {
  const light = { foreground: '#262c33', background: '#fdfcf9', cursor: '#1f7a6d' };
  const dark = { foreground: '#d5dbe1', background: '#11161b', cursor: '#5cb8a7' };
  const { tab, terminal, open } = await begin({ options: { colors: light } });
  const colors = () => tab.line.take(Type.COLORS).map(({ json }) => json);
  assert.deepEqual(open.colors, light);
  terminal.setColors({ ...light, selectionBackground: '#ffffff' });
  await settle();
  assert.deepEqual(colors(), []);
  terminal.setColors(dark);
  await settle();
  assert.deepEqual(colors(), [dark]);
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'paused' }));
  terminal.setColors(light);
  tab.line.opened(1, { resumed: 'exact' });
  await settle();
  assert.deepEqual(colors(), [light]);
  await tab.line.end();
  terminal.setColors(dark);
  await tab.clock.advance(1_000);
  await tab.line.accept();
  const [again] = tab.line.take(Type.OPEN);
  assert.deepEqual(again.json.colors, dark);
  tab.line.opened(again.stream, { resumed: 'exact' });
  await settle();
  assert.deepEqual(colors(), []);
});

test('whom a session runs as and how long it may live goes with its creation, and who looks is told by name', async () => {
  const { tab, terminal, open } = await begin({
    options: { user: 'app', idle: '2h', keep: '1h', timeout: 'never', exclusive: true },
  });
  assert.deepEqual([open.create, open.exclusive],
    [{ target: 'pty', user: 'app', idle: '2h', keep: '1h', timeout: 'never' }, true]);
  const viewers = [{ client: 'c', mode: 'watcher', sub: 'ada' }];
  tab.line.deliver(jsonFrame(Type.EVENT, 1, { event: 'viewers', viewers, owner: 'd' }));
  assert.deepEqual(terminal.viewers, viewers);
  assert.equal((await cut(tab)).json.exclusive, undefined);
});

// MARK: Tokens

test('a token function that says that it is final stops at once, in its own words', async () => {
  const account = () => Object.assign(new Error('Your account is closed.'), { isFinal: true });
  const tab = new Tab();
  let asked = 0;
  const cluster = new Fairlead('', {
    env: tab.env,
    token: async () => {
      asked += 1;
      throw account();
    },
  });
  const terminal = cluster.open({ session: 's' });
  await tab.clock.advance(60_000);
  assert.deepEqual({ ...cluster.state }, { name: 'stopped', reason: 'Your account is closed.' });
  assert.deepEqual({ ...terminal.state }, { ...cluster.state });
  assert.equal(asked, 1);
  assert.equal(tab.lines.length, 0);
  cluster.reconnect({ token: 'good' });
  await settle();
  await tab.line.accept();
  assert.equal(tab.line.take(Type.HELLO)[0].json.token, 'good');
});

test('… also when the server asks for another one in an open connection', async () => {
  const tab = new Tab();
  let made = 0;
  const cluster = new Fairlead('', {
    env: tab.env,
    token: () => {
      if (++made > 1) throw Object.assign(new Error('Not any more.'), { isFinal: true });
      return 'good';
    },
  });
  const terminal = cluster.open({ session: 's' });
  await settle();
  await tab.line.accept();
  tab.line.opened(1);
  tab.line.deliver(jsonFrame(Type.TOKEN, 0, { within: 60_000 }));
  await settle();
  assert.deepEqual({ ...cluster.state }, { name: 'stopped', reason: 'Not any more.' });
  assert.equal(terminal.state.name, 'stopped');
});

test('the documentation names all that is kept in a browser', () => {
  const [page, library] = ['Page/', 'Library/fairlead/'].map((it) => new URL(`../../Sources/Web/${it}`, import.meta.url));
  const names = [page, library].flatMap((folder) => readdirSync(folder).map((file) => new URL(file, folder)))
    .filter(({ pathname }) => pathname.endsWith('.js'))
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/['`](fairlead\.[a-z]{2,})(?=['`:])/g)])
    .map(([, name]) => name);
  const docs = readFileSync(new URL('../../docs/browser.md', import.meta.url), 'utf8');
  const rows = [...docs.matchAll(/^\| (?:local|session) \| `(fairlead\.[a-z]+)/gm)].map(([, name]) => name);
  assert.deepEqual([...new Set(names)].sort(), rows.sort());
});
