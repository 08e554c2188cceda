// One terminal on the page: xterm.js, its addons, and the strips below it.

import { FairleadAddon } from '../fairlead-xterm.js';
import { addNotice, copy, toast } from './notices.js';
import { isTouch } from './settings.js';
import { ending, readable } from './status.js';
import { Touch } from './touch.js';

/** Lines kept above the screen. */
const SCROLLBACK = 10_000;
/** A window that is being dragged tells its size so often at most, in milliseconds: each one is a SIGWINCH. */
const SIZING = 100;

/** With Alt and Shift, for the page (app.js). */
const PAGE_KEYS = new Set(['KeyN', 'KeyW', 'KeyZ', 'KeyM', 'ArrowLeft', 'ArrowRight']);

/** An xterm.js that counts columns as the session's screen does. */
export function makeXterm(options) {
  const xterm = new globalThis.Terminal({
    allowProposedApi: true, scrollback: SCROLLBACK, macOptionIsMeta: true, ...options,
  });
  xterm.loadAddon(new globalThis.Unicode11Addon.Unicode11Addon());
  xterm.unicode.activeVersion = '11';
  return xterm;
}

export class Pane {
  /** When the terminal ceased to be live, by `performance.now()`. */
  since = performance.now();
  hasUnseen = false;
  #fit = new globalThis.FitAddon.FitAddon();
  #webgl;
  #isActive = false;
  #isLive = false;
  #fitting;
  #fitted = -Infinity;
  #settings;

  /**
   * @param {HTMLElement} parent
   * @param {import('../fairlead.js').FairleadTerminal} terminal
   * @param {{ settings: import('./settings.js').Settings, typed: (text: string) => string,
   *   changed: () => void, again?: () => void, forget?: () => void }} page
   */
  constructor(parent, terminal, page) {
    this.terminal = terminal;
    this.#settings = page.settings;
    this.element = document.createElement('section');
    this.element.className = 'pane';
    this.element.role = 'tabpanel';
    const screen = document.createElement('div');
    screen.className = 'screen';
    this.element.append(screen);
    parent.append(this.element);

    const open = (event, uri) => {
      if (/^https?:\/\//i.test(uri)) window.open(uri, '_blank', 'noopener,noreferrer');
    };
    this.xterm = makeXterm({
      ...page.settings.xterm, ...terminal.size, linkHandler: { activate: open },
      disableStdin: terminal.mode === 'watcher',
    });
    this.xterm.loadAddon(this.#fit);
    this.xterm.loadAddon(new globalThis.WebLinksAddon.WebLinksAddon(open));
    this.xterm.loadAddon(new FairleadAddon(terminal, { typed: page.typed }));
    this.xterm.attachCustomKeyEventHandler((event) => this.#isForTerminal(event));
    this.xterm.open(screen);
    this.#watch(page);
    new Touch(screen, this.xterm);
    new ResizeObserver(() => this.#fitSoon()).observe(screen);
    document.fonts?.ready.then(() => this.fit());
  }

  #watch(page) {
    const { terminal } = this;
    terminal.on('state', ({ name }) => {
      // Tries to connect again do not begin the time anew.
      if (this.#isLive) this.since = performance.now();
      this.#isLive = name === 'live';
      page.changed();
      if (name === 'live') this.fit();
    });
    for (const name of ['title', 'viewers', 'size', 'opened']) terminal.on(name, page.changed);
    terminal.on('size', () => this.#drawEdge());
    terminal.on('opened', () => {
      this.xterm.options.disableStdin = terminal.mode === 'watcher';
    });
    terminal.on('output', () => {
      if (this.#isActive || this.hasUnseen) return;
      this.hasUnseen = true;
      page.changed();
    });
    terminal.on('life', () => this.#notice({
      text: 'Another process runs in this session now; the one that was here before is gone.',
    }));
    terminal.on('doubt', ({ bytes, reason }) => {
      const code = readable(bytes);
      const what = reason === 'too_long'
        ? 'A long paste was cut off by the reload; part of it may have arrived.'
        : 'This was typed, and may or may not have arrived. It is not sent again:';
      this.#notice({
        kind: 'doubt', text: what, code,
        actions: code ? [['Copy', () => copy(new TextDecoder().decode(bytes))]] : [],
      });
    });
    const isOver = (name) => (detail) => {
      const { text, isBad } = ending(name, detail);
      if (name === 'closed' && detail.reason === 'done') return;
      const actions = [];
      if (page.again) actions.push(['New terminal', page.again]);
      if (page.forget) actions.push(['Close', page.forget]);
      this.#notice({
        kind: isBad ? 'bad' : '', actions, isFinal: true,
        text: detail.reason === 'superseded' ? 'This terminal went on in another tab.' : text,
      });
    };
    for (const name of ['ended', 'refused', 'closed']) terminal.on(name, isOver(name));
  }

  #notice({ actions = [], isFinal = false, ...notice }) {
    const closing = isFinal ? [] : [['Dismiss', () => this.fit()]];
    addNotice(this.element, { ...notice, actions: [...actions, ...closing] });
  }

  get isActive() {
    return this.#isActive;
  }

  set isActive(isActive) {
    this.#isActive = isActive;
    this.element.classList.toggle('active', isActive);
    if (isActive) {
      this.hasUnseen = false;
      this.#useWebGL();
      this.fit();
    } else {
      // Browsers allow a page few contexts.
      this.#webgl?.dispose();
      this.#webgl = undefined;
    }
  }

  /** Phones take contexts away from pages at will, and their few lines need none. */
  #useWebGL() {
    if (this.#webgl || isTouch || !globalThis.WebglAddon) return;
    try {
      const webgl = new globalThis.WebglAddon.WebglAddon();
      webgl.onContextLoss(() => {
        webgl.dispose();
        this.#webgl = undefined;
      });
      this.xterm.loadAddon(webgl);
      this.#webgl = webgl;
    } catch {
      // xterm.js goes on with elements.
    }
  }

  /**
   * Tells the session what size fits here. xterm.js itself follows the session. A terminal that is not
   * looked at says nothing: it is drawn without WebGL, where cells have another width.
   */
  fit() {
    clearTimeout(this.#fitting);
    this.#fitting = undefined;
    const fitting = this.#isActive && this.#fit.proposeDimensions();
    if (!fitting || !(fitting.cols > 1) || !(fitting.rows > 1)) return;
    this.#fitted = performance.now();
    this.terminal.resize(fitting.cols, fitting.rows);
    this.#drawEdge();
  }

  #fitSoon() {
    const left = this.#fitted + SIZING - performance.now();
    if (left <= 0) this.fit();
    else this.#fitting ??= setTimeout(() => this.fit(), left);
  }

  /** Where somebody else's smaller size rules, the terminal's edge is drawn. */
  #drawEdge() {
    const fitting = this.#isActive && this.#fit.proposeDimensions();
    if (!fitting) return;
    const { cols, rows } = this.terminal.size;
    this.element.classList.toggle('smaller', cols < fitting.cols || rows < fitting.rows);
  }

  applySettings() {
    Object.assign(this.xterm.options, this.#settings.xterm);
    this.fit();
  }

  focus() {
    this.xterm.focus();
  }

  get hasApplicationCursor() {
    return this.xterm.modes.applicationCursorKeysMode;
  }

  input(text) {
    this.xterm.input(text, true);
  }

  async paste() {
    try {
      this.xterm.paste(await navigator.clipboard.readText());
    } catch {
      toast('Hold the terminal and choose Paste: the browser does not let this page do it');
    }
  }

  /** A key of the page's own row: in what scrolled away, unless a program has the whole screen. */
  scrollPages(pages) {
    if (this.xterm.buffer.active.type === 'alternate') return false;
    this.xterm.scrollPages(pages);
    return true;
  }

  copySelection() {
    if (this.xterm.hasSelection()) copy(this.xterm.getSelection());
    else toast('Hold a finger on the terminal to select');
  }

  /** False: the page or the browser takes the key. */
  #isForTerminal(event) {
    if (event.altKey && event.shiftKey && !event.ctrlKey) {
      return !PAGE_KEYS.has(event.code);
    }
    if (event.ctrlKey && event.shiftKey && event.code === 'KeyC') {
      if (event.type === 'keydown' && this.xterm.hasSelection()) copy(this.xterm.getSelection());
      event.preventDefault();
      return false;
    }
    // The browser pastes, and xterm.js hears of it.
    return !(event.ctrlKey && event.shiftKey && event.code === 'KeyV');
  }

  dispose() {
    this.xterm.dispose();
    this.element.remove();
  }
}
