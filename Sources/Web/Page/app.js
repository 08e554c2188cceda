// The page: tabs of terminals over one connection, or, at /t/SESSION, one session in all of it.

import { Fairlead } from '../fairlead.js';
import { environment } from '../fairlead/environment.js';
import { takeToken } from '../fairlead/identity.js';
import { ExtraKeys } from './keys.js';
import { copy, toast } from './notices.js';
import { Pane } from './pane.js';
import { Settings } from './settings.js';
import { badge } from './status.js';

/** Milliseconds in which a closed terminal can be had back, before its process is ended. */
const UNDO = 7_000;
const $ = (id) => document.getElementById(id);
const env = environment();
const settings = new Settings();

/** At hand in the browser's console as `fairlead`. */
class App {
  /** @type {{ key: string, pane: Pane, tab: HTMLElement }[]} */
  #entries = [];
  #active;
  /** Terminals that are closed and can be had back: what ends them. */
  #closing = new Map();
  #cluster = new Fairlead('', { token: takeToken(env) });
  #keys = new ExtraKeys($('keys'), () => this.#active?.pane);

  start() {
    this.#listen();
    const embedded = /^\/t\/([A-Za-z0-9_-]{1,64})$/.exec(location.pathname);
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
      for (const end of this.#closing.values()) end();
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
      key, colors: { foreground, background, cursor }, ...this.#presentSize(), ...options,
    });
    const entry = { key };
    entry.tab = this.#makeTab(entry);
    entry.pane = new Pane($('panes'), terminal, {
      settings,
      typed: (text) => this.#keys.apply(text),
      changed: () => this.#update(),
      takeBack: () => this.#cluster.takeBack(terminal),
      again: key && (() => this.#replace(entry)),
      forget: key && (() => this.#remove(entry)),
    });
    const { id } = entry.tab.firstChild;
    entry.pane.element.setAttribute('aria-labelledby', id);
    this.#entries.push(entry);
    return entry;
  }

  /** What fits, measured on a terminal that is there already. */
  #presentSize() {
    return this.#active?.pane.terminal.size;
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
    if (this.#active === entry) this.#show(this.#entries[Math.min(at, this.#entries.length - 1)]);
  }

  /** Ends it, after a time in which that can be taken back. */
  #close(entry) {
    if (entry.pane.terminal.isOver) return this.#remove(entry);
    entry.tab.hidden = true;
    const left = this.#entries.filter((other) => !other.tab.hidden);
    const before = left.filter((other) => this.#entries.indexOf(other) < this.#entries.indexOf(entry));
    if (this.#active === entry) this.#show(before.at(-1) ?? left[0]);
    const end = () => {
      clearTimeout(timer);
      this.#closing.delete(entry);
      // Without a connection it is remembered, and said by the next one.
      entry.pane.terminal.kill();
      this.#remove(entry);
    };
    const timer = setTimeout(end, UNDO);
    this.#closing.set(entry, end);
    toast('Terminal closed', ['Undo', () => {
      clearTimeout(timer);
      this.#closing.delete(entry);
      entry.tab.hidden = false;
      this.#show(entry);
    }], UNDO);
  }

  #show(entry) {
    if (this.#active && this.#active !== entry) this.#active.pane.isActive = false;
    this.#active = entry;
    if (entry) {
      entry.pane.isActive = true;
      entry.tab.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      if (entry.key) env.sessionStorage.setItem('fairlead.active', entry.key);
      entry.pane.focus();
    }
    this.#update();
  }

  #step(by) {
    const shown = this.#entries.filter(({ tab }) => !tab.hidden);
    const at = shown.indexOf(this.#active);
    this.#show(shown[(at + by + shown.length) % shown.length]);
  }

  // MARK: Tabs

  #makeTab(entry) {
    const tab = document.createElement('div');
    tab.className = 'tab';
    tab.innerHTML = '<button role="tab"><i class="dot"></i><span class="name"></span></button>'
      + '<button class="quiet close" title="Close"><svg viewBox="0 0 16 16" aria-hidden="true">'
      + '<path d="M4 4l8 8M12 4l-8 8"/></svg></button>';
    const [choose, close] = tab.children;
    choose.id = `tab-${entry.key}`;
    choose.title = 'Double-click to rename';
    choose.onclick = () => this.#show(entry);
    choose.ondblclick = () => this.#rename(entry);
    choose.onkeydown = ({ key }) => {
      if (key === 'ArrowLeft') this.#step(-1);
      else if (key === 'ArrowRight') this.#step(1);
      else if (key === 'F2') this.#rename(entry);
      else return;
      if (key !== 'F2') this.#active.tab.firstChild.focus();
    };
    tab.onauxclick = ({ button }) => button === 1 && this.#close(entry);
    close.onclick = () => this.#close(entry);
    $('tabs').append(tab);
    return tab;
  }

  #rename(entry) {
    const [choose] = entry.tab.children;
    const input = document.createElement('input');
    input.value = choose.querySelector('.name').textContent;
    input.ariaLabel = 'Name of the terminal';
    choose.hidden = true;
    entry.tab.prepend(input);
    input.select();
    const done = (isKept) => {
      // To remove it takes the focus away, which would end it once more.
      input.onblur = null;
      if (isKept) this.#cluster.memory.set(entry.key, { name: input.value.trim() });
      input.remove();
      choose.hidden = false;
      this.#update();
      entry.pane.focus();
    };
    input.onblur = () => done(true);
    input.onkeydown = ({ key }) => {
      if (key === 'Enter') done(true);
      if (key === 'Escape') done(false);
    };
  }

  #nameOf(entry) {
    const own = entry.key && this.#cluster.memory.get(entry.key)?.name;
    return own || entry.pane.terminal.title || `Terminal ${this.#entries.indexOf(entry) + 1}`;
  }

  // MARK: What is shown

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
      const { tab, pane } = entry;
      const [choose, close] = tab.querySelectorAll('button');
      const name = this.#nameOf(entry);
      const { state, text } = badge(pane.terminal, pane.since, now);
      setText(tab.querySelector('.name'), name);
      tab.dataset.state = state;
      tab.classList.toggle('active', entry === this.#active);
      tab.classList.toggle('unseen', pane.hasUnseen || pane.news !== '');
      drawProgress(tab, pane.progress);
      choose.title = pane.news || 'Double-click to rename';
      choose.ariaSelected = String(entry === this.#active);
      choose.tabIndex = entry === this.#active ? 0 : -1;
      choose.ariaLabel = [name, text, pane.news, progressText(pane.progress)].filter(Boolean).join(', ');
      close.ariaLabel = `Close ${name}`;
    }
    this.#drawStatus(now);
  }

  #drawStatus(now) {
    const pane = this.#active?.pane;
    $('status').hidden = !pane;
    if (!pane) return;
    const { terminal } = pane;
    const { state, text, canHurry } = badge(terminal, pane.since, now);
    $('badge').dataset.state = state;
    setText($('badge-text'), text);
    $('now').hidden = !canHurry;
    setText($('size'), `${terminal.size.cols}×${terminal.size.rows}`);
    const isMine = !terminal.owner || terminal.owner === this.#cluster.client;
    $('take').hidden = isMine || terminal.isOver || terminal.mode === 'watcher';
    const others = terminal.viewers.filter(({ client }) => client !== this.#cluster.client);
    $('viewers').hidden = others.length === 0;
    setText($('viewers'), `${others.length + 1} here`);
    $('viewers').title = ['you', ...others.map(({ client, mode, sub }) =>
      `${sub ?? client.slice(0, 6)} ${mode === 'watcher' ? '(only looks)' : ''}`)].join('\n');
    const { latency } = this.#cluster;
    const isOpen = this.#cluster.state.name === 'open' && latency !== undefined;
    setText($('latency'), isOpen ? `${Math.max(1, Math.round(latency))} ms` : '');
    const mark = this.#entries.some((entry) => entry.pane.news) ? '● ' : '';
    document.title = `${mark}${this.#nameOf(this.#active)} · Fairlead`;
  }

  // MARK: Controls

  #listen() {
    $('new').onclick = () => this.#open();
    $('now').onclick = () => this.#cluster.reconnect();
    $('take').onclick = () => {
      this.#active.pane.terminal.take();
      this.#active.pane.focus();
    };
    this.#cluster.on('state', () => this.#update());
    this.#cluster.on('latency', () => this.#update());
    this.#cluster.on('denied', ({ message }) => toast(`Not ended: ${message}`));
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#active?.pane.see();
      this.#update();
    });
    $('smaller').onclick = () => settings.set({ fontSize: settings.fontSize - 1 });
    $('larger').onclick = () => settings.set({ fontSize: settings.fontSize + 1 });
    $('theme').onchange = ({ target }) => settings.set({ theme: target.value });
    $('reader').onchange = ({ target }) => settings.set({ screenReader: target.checked });
    $('show-keys').onchange = ({ target }) => settings.set({ keys: target.checked });
    for (const name of ['optionIsMeta', 'cursorBlinks', 'reading']) {
      $(name).onchange = ({ target }) => settings.set({ [name]: target.checked });
    }
    for (const name of ['cursor', 'copying', 'font']) {
      $(name).onchange = ({ target }) => settings.set({ [name]: target.value });
    }
    $('lines').onchange = ({ target }) => settings.set({ lines: target.valueAsNumber });
    const apply = () => {
      setText($('font-size'), String(settings.fontSize));
      $('theme').value = settings.theme;
      $('reader').checked = settings.screenReader;
      $('show-keys').checked = settings.keys;
      for (const name of ['optionIsMeta', 'cursorBlinks', 'reading']) $(name).checked = settings[name];
      for (const name of ['cursor', 'copying', 'font', 'lines']) $(name).value = settings[name];
      $('keys').hidden = !settings.keys;
      for (const { pane } of this.#entries) pane.applySettings();
    };
    settings.addEventListener('change', apply);
    apply();

    const link = () => `${location.origin}/t/${this.#active?.pane.terminal.session}`;
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
    addEventListener('keydown', (event) => this.#shortcut(event));
    addEventListener('hashchange', () =>
      this.#cluster.reconnect({ token: takeToken(env) }));
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

/** A program's progress as a line below its tab's name. */
function drawProgress(tab, { state, percent }) {
  tab.dataset.progress = state;
  tab.style.setProperty('--progress', `${percent ?? 100}%`);
}

function progressText({ state, percent }) {
  if (state === 'none') return '';
  const word = { running: 'running', failed: 'failed', paused: 'paused' }[state] ?? 'busy';
  return percent === undefined ? word : `${word}, ${percent} percent`;
}

function recall() {
  return env.sessionStorage.getItem('fairlead.active');
}

if (globalThis.Terminal) {
  globalThis.fairlead = new App();
  globalThis.fairlead.start();
} else {
  const missing = document.createElement('p');
  missing.className = 'plain';
  missing.textContent = 'This build of Fairlead has no xterm.js in it, which shows the terminals. '
    + 'Run ./deploy/assets.sh and build again.';
  $('panes').append(missing);
  $('status').hidden = true;
}
