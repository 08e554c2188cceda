// When the library connects again, and when it does not.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Fairlead } from '../../Sources/Web/Library/fairlead.js';
import { Backoff, FIRST, LAST } from '../../Sources/Web/Library/fairlead/backoff.js';
import { keepToken, keptToken, mayEnter, subjectOf, takeToken } from '../../Sources/Web/Library/fairlead/identity.js';
import { Tab, Type, jsonFrame, settle } from './kit.js';

async function connected(options = {}) {
  const tab = new Tab();
  const cluster = new Fairlead('', { env: tab.env, ...options });
  const terminal = cluster.open({ session: 's' });
  await settle();
  await tab.line.accept();
  tab.line.opened(1);
  return { tab, cluster, terminal };
}

test('tries are spread from the first on, over a time that doubles up to a limit', () => {
  for (const luck of [0, 0.25, 1]) {
    const backoff = new Backoff(() => luck);
    const delays = Array.from({ length: 12 }, () => backoff.next());
    const limits = delays.map((_, attempt) => Math.min(FIRST * 2 ** attempt, LAST));
    assert.deepEqual(delays, limits.map((limit) => luck * limit));
  }
});

test('a connection that lasted begins the delays anew; one that did not goes on slowing down', () => {
  const backoff = new Backoff(() => 1);
  backoff.next();
  assert.equal(backoff.next({ lasted: 10 }), 2 * FIRST);
  assert.equal(backoff.next({ lasted: 60_000 }), FIRST);
});

test('a lost connection is tried again at the time announced, and the state says when', async () => {
  const { tab, cluster, terminal } = await connected();
  await tab.line.end();
  assert.equal(cluster.state.name, 'waiting');
  assert.equal(terminal.state.name, 'reconnecting');
  assert.equal(terminal.state.retryAt, tab.clock.time + FIRST / 2);
  await tab.clock.advance(FIRST / 2 - 1);
  assert.equal(tab.lines.length, 1);
  await tab.clock.advance(1);
  assert.equal(tab.lines.length, 2);
});

for (const [name, target, prepare] of [
  ['online', 'window', () => {}],
  ['pageshow', 'window', () => {}],
  ['visibilitychange', 'document', (tab) => (tab.document.visibilityState = 'visible')],
]) {
  test(`it is tried at once on ${name}`, async () => {
    const { tab } = await connected();
    await tab.line.end();
    prepare(tab);
    tab[target].dispatchEvent(new Event(name));
    await settle();
    assert.equal(tab.lines.length, 2);
  });
}

test('online while an attempt hangs starts another one', async () => {
  const { tab, terminal } = await connected();
  await tab.line.end();
  await tab.clock.advance(FIRST);
  tab.window.dispatchEvent(new Event('online'));
  await settle();
  assert.equal(tab.lines.length, 3);
  await tab.line.accept();
  tab.line.opened(1, { resumed: 'exact' });
  assert.equal(terminal.state.name, 'live');
});

test('GOAWAY: the next connection is made first, at a random time of its spread', async () => {
  const { tab, terminal } = await connected();
  const [old] = tab.lines;
  old.deliver(jsonFrame(Type.GOAWAY, 0, { reason: 'restart', within: 5_000, spread: 1_000 }));
  await tab.clock.advance(499);
  assert.equal(tab.lines.length, 1);
  await tab.clock.advance(1);
  assert.equal(tab.lines.length, 2);
  old.output(1, 0, 'still');
  assert.equal(terminal.state.name, 'live');
  await tab.line.accept();
  assert.equal(old.closedWith, 1000);
  const [open] = tab.line.take(Type.OPEN);
  assert.deepEqual(open.json.resume, { life: 'a1', next: 5, input: 0 });
  assert.equal(terminal.state.name, 'live');
});

test('a successor that fails is tried again while the old connection still serves', async () => {
  const { tab, terminal } = await connected();
  const [old] = tab.lines;
  const goAway = jsonFrame(Type.GOAWAY, 0, { reason: 'restart', within: 5_000, spread: 1_000 });
  old.deliver(goAway);
  await tab.clock.advance(500);
  await tab.line.end();
  await tab.clock.advance(FIRST);
  assert.equal(tab.lines.length, 3);
  await tab.line.accept();
  assert.equal(old.closedWith, 1000);
  assert.equal(terminal.state.name, 'live');
  // The one that took over may be asked to go as well.
  tab.line.deliver(goAway);
  await tab.clock.advance(500);
  assert.equal(tab.lines.length, 4);
});

test('a token that cannot be had for the successor does not end the old connection', async () => {
  let isDown = false;
  const { tab, terminal, cluster } = await connected({
    token: () => (isDown ? Promise.reject(new Error('down')) : 'good'),
  });
  isDown = true;
  tab.line.deliver(jsonFrame(Type.GOAWAY, 0, { reason: 'restart', within: 5_000, spread: 0 }));
  await tab.clock.advance(2_000);
  assert.deepEqual([cluster.state.name, terminal.state.name], ['open', 'live']);
  isDown = false;
  await tab.clock.advance(10_000);
  assert.equal(tab.lines.length, 2);
});

test('the old connection ends before its successor is ready: the successor takes over', async () => {
  const { tab, terminal } = await connected();
  const [old] = tab.lines;
  old.deliver(jsonFrame(Type.GOAWAY, 0, { reason: 'restart', within: 5_000, spread: 1_000 }));
  await tab.clock.advance(500);
  await tab.line.accept({ welcome: false });
  await old.end(1012);
  await tab.line.accept();
  assert.equal(tab.lines.length, 2);
  tab.line.opened(tab.line.take(Type.OPEN)[0].stream, { resumed: 'exact' });
  assert.equal(terminal.state.name, 'live');
});

test('1012 and 1013 are spread wider than a network failure', async () => {
  for (const [code, least, most] of [[1012, 0, 3_000], [1013, 2_000, 12_000]]) {
    const backoff = new Backoff(() => 0);
    assert.equal(backoff.next({ code }), least);
    backoff.random = () => 1;
    assert.equal(backoff.next({ code, lasted: 10_000 }), most);
  }
  assert.equal(new Backoff(() => 1).next({ code: 1012, spread: 9_000 }), 9_000);
});

test('a refused token stops, says so, and goes on with another one', async () => {
  const { tab, cluster, terminal } = await connected({ token: 'old' });
  await tab.line.end(4401, 'the token has expired');
  assert.deepEqual({ ...cluster.state }, { name: 'stopped', reason: 'the token has expired' });
  assert.equal(terminal.state.name, 'stopped');
  await tab.clock.advance(3_600_000);
  tab.window.dispatchEvent(new Event('online'));
  await settle();
  assert.equal(tab.lines.length, 1);
  cluster.reconnect({ token: 'new' });
  await settle();
  await tab.line.accept();
  assert.equal(tab.line.take(Type.HELLO)[0].json.token, 'new');
});

test('a token made to order is asked for once more before it stops', async () => {
  let made = 0;
  const { tab, cluster } = await connected({ token: async () => `token ${++made}` });
  await tab.line.end(4401);
  await tab.clock.advance(FIRST);
  await tab.line.accept({ welcome: false });
  assert.equal(tab.line.take(Type.HELLO)[0].json.token, 'token 2');
  await tab.line.end(4401);
  assert.equal(cluster.state.name, 'stopped');
});

for (const token of ['fixed', () => 'made to order']) {
  test(`4403 stops and the state says why, also with a token ${token}`, async () => {
    const { tab, cluster, terminal } = await connected({ token });
    await tab.line.end(4403, 'forbidden: not you');
    assert.deepEqual({ ...cluster.state }, { name: 'stopped', reason: 'forbidden: not you' });
    assert.deepEqual({ ...terminal.state }, { ...cluster.state });
    await tab.clock.advance(3_600_000);
    assert.equal(tab.lines.length, 1);
  });
}

const runsOut = jsonFrame(Type.TOKEN, 0, { within: 60_000 });

test('a token that runs out is renewed in the open connection', async () => {
  let made = 0;
  const { tab, cluster, terminal } = await connected({ token: async () => `token ${++made}` });
  tab.line.deliver(runsOut);
  await settle();
  assert.deepEqual(tab.line.take(Type.TOKEN),
    [{ type: Type.TOKEN, stream: 0, json: { token: 'token 2' } }]);
  tab.line.deliver(jsonFrame(Type.TOKEN, 0, { expires: 1_795_600_000_000 }));
  await settle();
  assert.deepEqual(tab.line.take(Type.TOKEN), []);
  assert.deepEqual([cluster.state.name, terminal.state.name, made], ['open', 'live', 2]);
  assert.equal(tab.lines.length, 1);
});

test('a token of no function is used until the server closes', async () => {
  for (const token of [undefined, 'fixed']) {
    const { tab, cluster } = await connected({ token });
    tab.line.deliver(runsOut);
    await settle();
    assert.deepEqual(tab.line.take(Type.TOKEN), []);
    assert.equal(cluster.state.name, 'open');
    await tab.line.end(4401, 'token_expired: it has run out');
    assert.equal(cluster.state.name, 'stopped');
  }
});

test('a new token that cannot be had is told, and asked for once more when it closes', async () => {
  let isDown = false;
  const { tab, cluster, terminal } = await connected({
    token: () => {
      if (isDown) throw new Error('down');
      return 'good';
    },
  });
  isDown = true;
  tab.line.deliver(runsOut);
  await settle();
  assert.deepEqual({ ...cluster.state }, { name: 'open', reason: 'no token: down' });
  assert.equal(terminal.state.name, 'live');
  isDown = false;
  await tab.line.end(4401, 'token_expired: it has run out');
  await tab.clock.advance(FIRST);
  await tab.line.accept();
  assert.equal(tab.line.take(Type.HELLO)[0].json.token, 'good');
  assert.deepEqual({ ...cluster.state }, { name: 'open' });
});

test('a new token that cannot be had any more says nothing of the next connection', async () => {
  let fail;
  let made = 0;
  const { tab, cluster } = await connected({
    token: () => (++made === 2 ? new Promise((_, reject) => (fail = reject)) : 'good'),
  });
  tab.line.deliver(runsOut);
  await tab.line.end();
  await tab.clock.advance(FIRST);
  await tab.line.accept();
  fail(new Error('down'));
  await settle();
  assert.deepEqual({ ...cluster.state }, { name: 'open' });
});

const tokenOf = (sub) => `a.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.c`;

test('the token in the address is taken out of it, and one that is kept is there after a reload', () => {
  const tab = new Tab();
  const location = { pathname: '/t/s', search: '?watch', hash: '#token=a.b-c_d.e' };
  const replaced = [];
  const history = { state: null, replaceState: (...args) => replaced.push(args) };
  assert.equal(takeToken({ location, history }), 'a.b-c_d.e');
  assert.deepEqual(replaced, [[null, '', '/t/s?watch']]);
  location.hash = '';
  assert.equal(takeToken({ location, history }), undefined);
  assert.equal(replaced.length, 1);
  keepToken(tab.env, 'a.b-c_d.e');
  assert.equal(keptToken(tab.reloaded().env), 'a.b-c_d.e');
  assert.equal(keptToken(new Tab().env), undefined);
  assert.equal(keptToken({}), undefined, 'where storage is forbidden');
});

test('a token in the address takes nobody else\'s place unasked', async () => {
  const mallory = tokenOf('mallory');
  const asked = [];
  const browser = (isSignedIn) => async () => asked.push(isSignedIn) && isSignedIn;
  assert.equal(await mayEnter(mallory, undefined, browser(true)), false, 'the cookie is somebody\'s');
  assert.equal(await mayEnter(mallory, undefined, browser(false)), true);
  assert.equal(await mayEnter(mallory, tokenOf('alice'), browser(false)), false);
  assert.equal(await mayEnter(`${mallory}2`, mallory, browser(true)), true, 'renewed');
  assert.equal(await mayEnter('x', 'y', browser(false)), false, 'of whom is not known');
  assert.equal(asked.length, 2);
  assert.equal(subjectOf(mallory), 'mallory');
  assert.equal(subjectOf(tokenOf('a\u0007\u00a0b')), 'a b');
  assert.equal(subjectOf(tokenOf('x'.repeat(320))).length, 61);
  assert.equal(subjectOf('x'), 'somebody');
});

test('a refused upgrade, which looks like a dead server, is found by its status', async () => {
  const { tab, cluster } = await connected();
  await tab.line.end();
  tab.statusOfGet = 401;
  await tab.clock.advance(FIRST);
  await tab.line.end();
  await settle();
  assert.equal(cluster.state.name, 'stopped');
});

test('an embedder is told once what to do, on the console if nobody listens', async () => {
  const embed = async ({ url = 'https://terminals.example.com', ...options } = {}) => {
    const tab = new Tab();
    const cluster = new Fairlead(url, { env: tab.env, ...options });
    const terminal = cluster.open({ session: 's' });
    const told = [];
    terminal.on('trouble', ({ kind }) => told.push(kind));
    await settle();
    return { tab, cluster, terminal, told };
  };
  const origin = await embed();
  origin.tab.statusOfGet = 403;
  await origin.tab.line.end();
  await settle();
  assert.equal(origin.cluster.state.name, 'stopped');
  assert.match(origin.tab.complaints.join(), /--allow-origin https:\/\/example\.org$/);
  assert.equal(origin.terminal.trouble.kind, 'origin');

  const unknown = await embed();
  await unknown.tab.line.end(4401, 'token_missing: this server asks');
  await settle();
  assert.match(unknown.tab.complaints.join(), /new Fairlead\(url, \{ token \}\)/);

  // What may pass is told at the second try, and does not stop it; nobody is told twice.
  for (const [answer, kind] of [[undefined, 'silent'], [200, 'proxy']]) {
    const silent = await embed();
    silent.tab.env.ask = async () => {
      if (answer === undefined) throw new TypeError('no network');
      return { status: answer };
    };
    for (let time = 0; time < 4; time++) {
      assert.equal(silent.tab.complaints.length, time > 1 ? 1 : 0);
      await silent.tab.line.end();
      await silent.tab.clock.advance(FIRST * 2 ** time);
    }
    assert.equal(silent.told[0], kind);
    assert.equal(silent.tab.complaints.length, 1);
    await silent.tab.line.accept();
    assert.equal(silent.terminal.trouble, undefined);
  }

  const mixed = await embed({ url: 'http://terminals.example.com' });
  mixed.tab.env.WebSocket = function () {
    throw Object.assign(new Error('insecure'), { name: 'SecurityError' });
  };
  await mixed.tab.line.end();
  await mixed.tab.clock.advance(FIRST);
  assert.equal(mixed.cluster.state.name, 'stopped');
  assert.match(mixed.tab.complaints.join(), /give the server TLS/);

  const heard = await embed();
  heard.cluster.on('trouble', ({ kind }) => heard.told.push(`cluster ${kind}`));
  heard.tab.forbid('wss://terminals.example.com/v1/connect');
  assert.deepEqual(heard.told, ['policy', 'cluster policy']);
  assert.deepEqual(heard.tab.complaints, []);
  assert.throws(() => new Fairlead('localhost:7070', { env: heard.tab.env }), /not a cluster's URL/);
});

test('what else of the page is forbidden ends no connection and stops nobody from connecting', async () => {
  const { tab, cluster, terminal } = await connected();
  const url = 'wss://example.org/v1/connect';
  // Of a page that came to be forbidden later; of the page's own; and the client's question after a failure.
  for (const uri of [url, 'https://example.org/metrics', 'wss://example.org/other', '']) {
    tab.forbid(uri);
    assert.deepEqual([cluster.state.name, terminal.trouble], ['open', undefined], uri);
  }
  terminal._explain('styles');
  assert.equal(terminal.trouble, undefined);
  await tab.line.end();
  for (const uri of ['https://example.org/v1/connect', 'https://example.org', 'inline']) {
    tab.forbid(uri);
    assert.equal(cluster.state.name, 'waiting', uri);
  }
  tab.forbid(url);
  assert.deepEqual([cluster.state.name, terminal.trouble.kind], ['stopped', 'policy']);
});

test('a line that went dead is found within seconds, with nothing typed', async () => {
  const { tab, cluster } = await connected();
  tab.line.answersPing = false;
  await tab.clock.advance(10_000);
  assert.notEqual(cluster.state.name, 'open');
  assert.ok(tab.lines.length > 1);
});

test('typing into a dead line finds it sooner, and typing on does not put it off', async () => {
  const { tab, cluster, terminal } = await connected();
  await tab.clock.advance(100);
  tab.line.answersPing = false;
  for (let at = 0; at < 40; at++) {
    terminal.write('x');
    await tab.clock.advance(100);
  }
  assert.notEqual(cluster.state.name, 'open');
});

test('a line that answers is kept', async () => {
  const { tab, cluster } = await connected();
  await tab.clock.advance(600_000);
  assert.equal(cluster.state.name, 'open');
  assert.equal(tab.lines.length, 1);
});

test('a server that accepts and says nothing is left', async () => {
  const tab = new Tab();
  new Fairlead('', { env: tab.env }).open({ session: 's' });
  await settle();
  await tab.line.accept({ welcome: false });
  await tab.clock.advance(12_000);
  assert.ok(tab.lines.length >= 2);
});

test('without terminals there is no connection', async () => {
  const { tab, cluster, terminal } = await connected();
  terminal.close();
  await tab.clock.advance(1);
  assert.equal(tab.line.take(Type.CLOSE)[0].json.reason, 'done');
  assert.equal(tab.line.closedWith, 1000);
  assert.equal(cluster.state.name, 'idle');
});

test('the URL may be of http, ws, relative, or with a path before it', async () => {
  for (const [url, expected] of [
    ['', 'wss://example.org/v1/connect'],
    ['https://t.example.com', 'wss://t.example.com/v1/connect'],
    ['http://127.0.0.1:7070/', 'ws://127.0.0.1:7070/v1/connect'],
    ['/terminals/', 'wss://example.org/terminals/v1/connect'],
    ['wss://a.b/v1/connect?x#y', 'wss://a.b/v1/connect'],
  ]) {
    const tab = new Tab();
    new Fairlead(url, { env: tab.env }).open();
    await settle();
    assert.equal(tab.line.url, expected);
    assert.deepEqual(tab.line.protocols, ['fairlead.v1']);
  }
  assert.throws(() => new Fairlead('ftp://a.b', { env: new Tab().env }), TypeError);
});
