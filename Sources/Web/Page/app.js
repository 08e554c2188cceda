// The page: tabs of terminals over one connection, or, at /t/SESSION, one session in all of it.

import { Fairlead } from '../fairlead.js';
import { environment, notifications } from '../fairlead/environment.js';
import { forgetToken, keepToken, keptToken, mayEnter, subjectOf, takeToken } from '../fairlead/identity.js';
import { signInCode } from '../fairlead/trouble.js';
import { ExtraKeys } from './keys.js';
import { News } from './news.js';
import { copy, toast } from './notices.js';
import { Pane } from './pane.js';
import { Settings } from './settings.js';
import { badge } from './status.js';
import { TabBar } from './tabs.js';

/** Milliseconds in which a closed terminal can be had back, before its process is ended. */
const UNDO = 7_000;
const $ = (id) => document.getElementById(id);
const env = environment();
const settings = new Settings();
/** Where the page is, wherever a proxy has put it: two levels above this file. */
const root = new URL('../..', import.meta.url);

/** Milliseconds for which a link's token that would take somebody's place is offered. */
const OFFER = 60_000;

/** Whether the browser's cookie is good here: then the page to sign in at leads on. In doubt it is. */
async function isSignedIn() {
  try {
    const signal = AbortSignal.timeout(5_000);
    const { type } = await fetch(new URL('sign-in', root), { redirect: 'manual', cache: 'no-store', signal });
    return type === 'opaqueredirect';
  } catch {
    return true;
  }
}

/** At hand in the browser's console as `fairlead`. */
class App {
  /** @type {{ key: string, pane: Pane, tab: HTMLElement, number: number }[]} */
  #entries = [];
  #active;
  /** Terminals that are closed and can be had back: what ends them, and what takes that back, the last one at the end. */
  #closing = new Map();
  #bar = new TabBar($('tabs'), $('all'), $('list'), {
    show: (entry) => this.#show(entry), close: (entry) => this.#close(entry),
    step: (by) => this.#step(by), rename: (entry, name) => this.#rename(entry, name),
    nameOf: (entry) => this.#nameOf(entry), entries: () => this.#shown, active: () => this.#active,
  });
  #cluster;
  /** A token of the address that waits for its user's consent. */
  #offered;
  #news = new News(settings);
  #keys = new ExtraKeys($('keys'), () => this.#active?.pane);

  /** @param {string} [brought] the token in the page's address */
  async start(brought) {
    const isEntering = brought !== undefined && (await mayEnter(brought, keptToken(env), isSignedIn));
    if (isEntering) this.#enter(brought);
    this.#cluster = new Fairlead(root.href, { token: isEntering ? brought : keptToken(env) });
    if (brought !== undefined && !isEntering) this.#offer(brought);
    this.#listen();
    const embedded = /\/t\/([A-Za-z0-9_-]{1,64})$/.exec(location.pathname);
    if (embedded) {
      document.body.classList.add('embedded');
      const mode = new URLSearchParams(location.search).has('watch') ? 'watcher' : 'driver';
      this.#add(undefined, { session: embedded[1], create: false, mode });
      this.#show(this.#entries[0]);
    } else {
      const remembered = Object.keys(this.#cluster.memory.all());
      for (const key of remembered) this.#add(key);
      if (remembered.length === 0) this.#open();
      else this.#show(this.#entries.find(({ key }) => key === recall()) ?? this.#entries[0]);
    }
    setInterval(() => this.#update(), 500);
    // Nobody can take a closing back any more. What cannot be sent now, the next page sends.
    addEventListener('pagehide', () => {
      for (const { end } of [...this.#closing.values()]) end();
    });
  }

  get cluster() { return this.#cluster; }
  get panes() { return this.#entries.map(({ pane }) => pane); }
  get activePane() { return this.#active?.pane; }

  // MARK: Terminals

  #open(options = {}) {
    const key = crypto.getRandomValues(new Uint32Array(2)).join('');
    this.#show(this.#add(key, options));
  }

  #add(key, options = {}) {
    const { foreground, background, cursor } = settings.colors;
    const terminal = this.#cluster.open({
      key, colors: { foreground, background, cursor }, ...this.#presentSize(key), ...options,
    });
    const entry = { key, number: this.#numberOf(key) };
    entry.tab = this.#bar.make(entry);
    entry.pane = new Pane($('panes'), terminal, {
      settings,
      typed: (text) => this.#keys.apply(text),
      changed: () => this.#update(),
      told: (said) => this.#tell(entry, said),
      takeBack: () => this.#cluster.takeBack(terminal),
      again: key && (() => this.#replace(entry)),
      forget: key && (() => this.#remove(entry)),
    });
    const { id } = entry.tab.firstChild;
    entry.pane.element.setAttribute('aria-labelledby', id);
    entry.pane.element.id = `panel-${id}`;
    entry.tab.firstChild.setAttribute('aria-controls', entry.pane.element.id);
    if (key) {
      terminal.on('opened', () => this.#cluster.memory.set(key, { number: entry.number }));
      terminal.on('size', ({ cols, rows }) => this.#cluster.memory.set(key, { cols, rows }));
    }
    this.#entries.push(entry);
    return entry;
  }

  /**
   * The size of a new terminal: what fits, measured on one that is there already. One from before a reload
   * has the size that it had: it may not be looked at, and must not make its program draw itself anew.
   */
  #presentSize(key) {
    const { cols, rows } = (key && this.#cluster.memory.get(key)) ?? {};
    return cols > 0 && rows > 0 ? { cols, rows } : this.#active?.pane.terminal.size;
  }

  /** The least number that no other terminal here has: a terminal keeps it when others are closed. */
  #numberOf(key) {
    const taken = new Set(this.#entries.map(({ number }) => number));
    const kept = key && this.#cluster.memory.get(key)?.number;
    let number = Number.isSafeInteger(kept) && !taken.has(kept) ? kept : 1;
    while (taken.has(number)) number += 1;
    return number;
  }

  /** Those that are not being closed. */
  get #shown() {
    return this.#entries.filter(({ tab }) => !tab.hidden);
  }

  #replace(entry) {
    this.#remove(entry);
    this.#open();
  }

  /** Takes it off the page; the session, if it still runs, goes on. */
  #remove(entry) {
    const at = this.#entries.indexOf(entry);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    this.#cluster.memory.forget(entry.key);
    entry.pane.terminal.close();
    entry.pane.dispose();
    entry.tab.remove();
    if (this.#active === entry) this.#show(this.#shown[Math.min(at, this.#shown.length - 1)]);
  }

  /** Ends it, after a time in which that can be taken back. */
  #close(entry) {
    if (entry.pane.terminal.isOver) return this.#remove(entry);
    entry.tab.hidden = true;
    const left = this.#shown;
    const before = left.filter((other) => this.#entries.indexOf(other) < this.#entries.indexOf(entry));
    if (this.#active === entry) this.#show(before.at(-1) ?? left[0]);
    const end = () => {
      this.#closing.delete(entry);
      // Without a connection it is remembered, and said by the next one.
      entry.pane.terminal.kill();
      this.#remove(entry);
    };
    const undo = toast(`${this.#nameOf(entry)} closed`, {
      action: ['Undo', () => {
        if (!this.#closing.delete(entry)) return;
        entry.tab.hidden = false;
        this.#show(entry);
      }],
      hint: 'Alt+Shift+Z', milliseconds: UNDO, gone: end,
    });
    this.#closing.set(entry, { end, undo });
  }

  #show(entry) {
    if (this.#active && this.#active !== entry) this.#active.pane.isActive = false;
    this.#active = entry;
    if (entry) {
      entry.pane.isActive = true;
      if (entry.key) env.sessionStorage.setItem('fairlead.active', entry.key);
      entry.pane.focus();
    }
    this.#update();
  }

  #step(by) {
    const shown = this.#shown;
    const at = shown.indexOf(this.#active);
    if (shown.length > 0) this.#show(shown[(at + by + shown.length) % shown.length]);
  }

  /** @param {string | undefined} name undefined: it stays as it is */
  #rename(entry, name) {
    if (name !== undefined && entry.key) this.#cluster.memory.set(entry.key, { name });
    this.#update();
    entry.pane.focus();
  }

  #nameOf(entry) {
    const own = entry.key && this.#cluster.memory.get(entry.key)?.name;
    return own || entry.pane.terminal.title || `Terminal ${entry.number}`;
  }

  // MARK: What is shown

  /** Something that a program said and nobody saw. Frames are not drawn out of sight; the title is. */
  #tell(entry, said) {
    this.#news.tell({
      ...said, tag: entry.pane.terminal.session, name: this.#nameOf(entry), show: () => this.#show(entry),
    });
    this.#drawTitle();
  }

  /**
   * The server knows nobody here. One signs in on a page of its own; what has shown something stays to be read, and
   * in a frame of another page there is no room for it: there, a link leads on.
   */
  #signedOut(code) {
    forgetToken(env);
    // Nobody's place is taken any more.
    if (this.#offered !== undefined) return this.#enter(this.#offered);
    if (window.parent === window && !this.panes.some(({ wasLive }) => wasLive)) {
      location.replace(this.#signInAddress(code));
    }
  }

  async #bring(token) {
    if (await mayEnter(token, keptToken(env), isSignedIn)) this.#enter(token);
    else this.#offer(token);
  }

  /** Acts with that token from now on, and says whose it is. */
  #enter(token) {
    this.#offered = undefined;
    keepToken(env, token);
    this.#cluster?.reconnect({ token });
    toast(`Signed in by a link, as ${subjectOf(token)}`, { milliseconds: 10_000 });
  }

  #offer(token) {
    const who = subjectOf(token);
    this.#offered = token;
    toast(`You are signed in already. The link is to act as ${who}, who sees what you type then.`, {
      action: [`Act as ${who}`, () => this.#enter(token)],
      milliseconds: OFFER, gone: () => this.#offered === token && (this.#offered = undefined),
    });
  }

  #signInAddress(code) {
    const address = new URL('sign-in', root);
    const here = location.origin + location.pathname + location.search;
    const next = here.startsWith(root.href) ? here.slice(root.href.length) : '';
    address.search = new URLSearchParams({ why: code, ...(next && { to: next }) });
    return address.href;
  }

  #isUpdateDue = false;

  #update() {
    if (this.#isUpdateDue) return;
    this.#isUpdateDue = true;
    requestAnimationFrame(() => {
      this.#isUpdateDue = false;
      this.#draw();
    });
  }

  #draw() {
    const now = performance.now();
    for (const entry of this.#entries) {
      const { pane } = entry;
      const { state, text } = badge(pane.terminal, pane.since, now);
      this.#bar.draw(entry, {
        name: this.#nameOf(entry), state, text, news: pane.news, progress: pane.progress,
        hasUnseen: pane.hasUnseen || pane.news !== '',
      });
    }
    this.#bar.drawAll();
    $('empty').hidden = this.#shown.length > 0;
    this.#drawStatus(now);
  }

  #drawStatus(now) {
    const pane = this.#active?.pane;
    $('status').hidden = !pane;
    this.#drawTitle();
    if (!pane) return;
    const { terminal } = pane;
    const { state, text, detail, canHurry } = badge(terminal, pane.since, now);
    $('badge').dataset.state = state;
    setText($('badge-text'), text);
    setText($('badge-detail'), detail);
    // Apart from what counts on: a screen reader says what changes, and a second is not worth a word.
    setText($('spoken'), text);
    $('now').hidden = !canHurry;
    const code = terminal.state.name === 'stopped' ? signInCode(terminal.state.reason) : undefined;
    $('sign-in').hidden = !code;
    if (code) $('sign-in').href = this.#signInAddress(code);
    // What was never opened has none.
    setText($('size'), pane.wasLive ? `${terminal.size.cols}×${terminal.size.rows}` : '');
    const isMine = !terminal.owner || terminal.owner === this.#cluster.client;
    $('take').hidden = isMine || terminal.isOver || terminal.mode === 'watcher';
    const others = terminal.viewers.filter(({ client }) => client !== this.#cluster.client);
    $('viewers').hidden = others.length === 0;
    setText($('viewers'), `${others.length + 1} here`);
    $('viewers').title = ['you', ...others.map(({ sub, mode }) =>
      `${sub ?? 'another window'}${mode === 'watcher' ? ' (only looks)' : ''}`)].join('\n');
    const { latency } = this.#cluster;
    const isOpen = this.#cluster.state.name === 'open' && latency !== undefined;
    setText($('latency'), isOpen ? `${Math.max(1, Math.round(latency))} ms` : '');
  }

  #drawTitle() {
    const mark = this.#news.mark || (this.#entries.some((entry) => entry.pane.news) ? '● ' : '');
    const name = this.#active ? `${this.#nameOf(this.#active)} · ` : '';
    const title = `${mark}${name}Fairlead`;
    if (document.title !== title) document.title = title;
  }

  // MARK: Controls

  #listen() {
    $('sign-in').target = window.parent === window ? '' : '_blank';
    $('new').onclick = () => this.#open();
    $('first').onclick = () => this.#open();
    $('now').onclick = () => this.#cluster.reconnect();
    $('take').onclick = () => {
      this.#active.pane.terminal.take();
      this.#active.pane.focus();
    };
    this.#cluster.on('state', ({ name, reason }) => {
      const code = name === 'stopped' ? signInCode(reason) : undefined;
      if (code) this.#signedOut(code);
      this.#update();
    });
    // What its user can do about it the page says itself.
    this.#cluster.on('trouble', () => this.#update());
    this.#cluster.on('latency', () => this.#update());
    this.#cluster.on('denied', ({ message }) => toast(`Not ended: ${message}`));
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') {
        this.#active?.pane.see();
        this.#news.see();
      }
      this.#update();
    });
    $('smaller').onclick = () => settings.set({ fontSize: settings.fontSize - 1 });
    $('larger').onclick = () => settings.set({ fontSize: settings.fontSize + 1 });
    $('theme').onchange = ({ target }) => settings.set({ theme: target.value });
    $('contrast').onchange = ({ target }) => settings.set({ contrast: target.checked });
    $('reader').onchange = ({ target }) => settings.set({ screenReader: target.checked });
    $('show-keys').onchange = ({ target }) => settings.set({ keys: target.checked });
    $('notify').onchange = async ({ target }) => {
      const isWanted = target.checked;
      const notify = isWanted && (await notifications.ask());
      if (isWanted && !notify) toast('The browser does not let this page notify you');
      settings.set({ notify });
    };
    for (const name of ['optionIsMeta', 'cursorBlinks', 'reading', 'bell']) {
      $(name).onchange = ({ target }) => settings.set({ [name]: target.checked });
    }
    for (const name of ['cursor', 'copying', 'font']) {
      $(name).onchange = ({ target }) => settings.set({ [name]: target.value });
    }
    $('lines').onchange = ({ target }) => settings.set({ lines: target.valueAsNumber });
    const apply = () => {
      setText($('font-size'), String(settings.fontSize));
      $('theme').value = settings.theme;
      $('contrast').checked = settings.contrast;
      $('reader').checked = settings.screenReader;
      $('show-keys').checked = settings.keys;
      for (const name of ['optionIsMeta', 'cursorBlinks', 'reading', 'notify', 'bell']) {
        $(name).checked = settings[name];
      }
      for (const name of ['cursor', 'copying', 'font', 'lines']) $(name).value = settings[name];
      $('keys').hidden = !settings.keys;
      for (const { pane } of this.#entries) pane.applySettings();
    };
    settings.addEventListener('change', apply);
    apply();

    const link = () => new URL(`t/${this.#active?.pane.terminal.session}`, root).href;
    const item = (id, run) => ($(id).onclick = () => {
      $('menu').hidePopover();
      run();
    });
    item('copy-link', () => copy(link()));
    item('open-window', () => window.open(link(), '_blank', 'noopener'));
    item('detach', () => this.#active && this.#remove(this.#active));
    $('in-container').onsubmit = (event) => {
      event.preventDefault();
      const container = $('container').value.trim();
      $('menu').hidePopover();
      if (container) this.#open({ target: `docker:${container}` });
    };
    $('menu').addEventListener('toggle', ({ newState }) => {
      if (newState === 'closed') this.#active?.pane.focus();
    });
    // What is left by Tab is left for good: keys must not go to the shell while the menu lies over it.
    $('menu').addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget && !$('menu').contains(relatedTarget)) $('menu').hidePopover();
    });
    addEventListener('keydown', (event) => this.#shortcut(event));
    addEventListener('hashchange', () => {
      const token = takeToken();
      if (token !== undefined) this.#bring(token);
    });
    // A phone's keyboard covers the page, and only this says how much. A pinch shows less of the page as well, and
    // changes nothing of its size.
    const { visualViewport } = window;
    visualViewport?.addEventListener('resize', () => {
      const { height, scale } = visualViewport;
      document.documentElement.style.setProperty('--height', `${Math.round(height * scale)}px`);
      if (scale === 1) scrollTo(0, 0);
    });
  }

  #shortcut(event) {
    if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey) return;
    const isEmbedded = document.body.classList.contains('embedded');
    const actions = {
      KeyN: () => this.#open(),
      KeyW: () => this.#active && this.#close(this.#active),
      KeyZ: () => [...this.#closing.values()].at(-1)?.undo(),
      ArrowLeft: () => this.#step(-1),
      ArrowRight: () => this.#step(1),
    };
    const action = event.code === 'KeyM'
      ? () => { $('menu').showPopover(); $('smaller').focus(); }
      : isEmbedded ? undefined : actions[event.code];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function recall() {
  return env.sessionStorage.getItem('fairlead.active');
}

if (globalThis.Terminal) {
  globalThis.fairlead = new App();
  globalThis.fairlead.start(takeToken());
} else {
  const missing = document.createElement('p');
  missing.className = 'plain';
  missing.textContent = 'This build of Fairlead has no xterm.js in it, which shows the terminals. '
    + 'Run ./deploy/assets.sh and build again.';
  $('panes').append(missing);
  $('status').hidden = true;
}
