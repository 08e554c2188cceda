// One terminal on the page: xterm.js, its addons, and the strips below it.

import { FairleadAddon } from '../fairlead-xterm.js';
import { clipboard } from '../fairlead/environment.js';
import { changeColors, followColors } from './contrast.js';
import { addNotice, copy, toast } from './notices.js';
import { isTouch } from './settings.js';
import { ending, readable, sized } from './status.js';
import { Touch } from './touch.js';

/** A window that is being dragged tells its size so often at most, in milliseconds: each one is a SIGWINCH. */
const SIZING = 100;

/** With Alt and Shift, for the page (app.js). */
const PAGE_KEYS = new Set(['KeyN', 'KeyW', 'KeyZ', 'KeyM', 'ArrowLeft', 'ArrowRight']);

export class Pane {
  /** It was live since the page came. */
  wasLive = false;
  /** When the terminal ceased to be live, by `performance.now()`. */
  since = performance.now();
  hasUnseen = false;
  /** What its program said last while nobody looked (OSC 9, 777, 99): a line, or nothing. */
  news = '';
  /** How far the program says that it is (OSC 9;4): `{ state, percent? }`. */
  progress = { state: 'none' };
  #fit = new globalThis.FitAddon.FitAddon();
  #webgl;
  #isActive = false;
  #isLive = false;
  #fitting;
  #fitted = -Infinity;
  #settings;
  #takeBack;
  /** The notice that says that the terminal is over, and the one that asks to copy. */
  #final;
  #copying;

  /**
   * @param {HTMLElement} parent
   * @param {import('../fairlead.js').FairleadTerminal} terminal
   * @param {{ settings: import('./settings.js').Settings, typed: (text: string) => string,
   *   changed: () => void, told: (said: { title: string, text: string }) => void, takeBack: () => void,
   *   again?: () => void, forget?: () => void }} page
   */
  constructor(parent, terminal, page) {
    this.terminal = terminal;
    this.#settings = page.settings;
    this.#takeBack = page.takeBack;
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
    this.xterm = new globalThis.Terminal({
      ...page.settings.xterm, ...terminal.size, linkHandler: { activate: open },
      disableStdin: terminal.mode === 'watcher',
    });
    this.xterm.loadAddon(this.#fit);
    this.xterm.loadAddon(new globalThis.WebLinksAddon.WebLinksAddon(open));
    const addon = new FairleadAddon(terminal, {
      typed: page.typed, isKey: (event) => this.#isKey(event),
    });
    this.xterm.loadAddon(addon);
    this.#hearRequests(addon, page);
    followColors(this.xterm);
    // xterm.js makes a setting of its own of mode 12: not to blink is what the user chose, and what snapshots say.
    this.xterm.parser.registerCsiHandler({ prefix: '?', final: 'l' }, (modes) => {
      if (modes.includes(12)) {
        queueMicrotask(() => (this.xterm.options.cursorBlink = page.settings.cursorBlinks));
      }
      return false;
    });
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
      this.wasLive ||= this.#isLive;
      if (!terminal.isOver) this.#final?.remove();
      page.changed();
      if (name === 'live') this.fit();
    });
    for (const name of ['title', 'viewers', 'size', 'opened', 'stalled']) terminal.on(name, page.changed);
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
    terminal.on('undelivered', ({ bytes, sent }) => {
      // To a shell that was told to exit, what is typed behind it goes nowhere in any terminal.
      if (terminal.state.reason === 'exited') return;
      this.#notice({
        kind: 'bad', text: sent > 0 ? 'This was typed and may not have been delivered:' : 'This was typed and not delivered:',
        code: readable(bytes), actions: [['Copy', () => copy(new TextDecoder().decode(bytes))]],
      });
    });
    terminal.on('neutralised', ({ count }) => toast(count === 1
      ? 'A control character in the pasted text was made a symbol'
      : `${count} control characters in the pasted text were made symbols`));
    terminal.on('full', ({ bytes, waiting }) => this.#notice({
      kind: 'bad',
      text: `${sized(bytes)} were not typed: ${waiting > 0 ? `${sized(waiting)} wait already, and ` : ''}`
        + 'at most 16 MiB can wait for a program that reads slowly.',
    }));
    terminal.on('discarded', ({ bytes }) => this.#notice({
      text: `The interrupt discarded ${sized(bytes.length)} that had yet to be typed.`,
      code: readable(bytes), actions: [['Copy', () => copy(new TextDecoder().decode(bytes))]],
    }));
    terminal.on('denied', ({ message }) => this.#notice({ kind: 'bad', text: `Not ended: ${message}.` }));
    const isOver = (name) => (detail) => {
      const { text, isBad } = ending(name, detail);
      if (name === 'closed' && detail.reason === 'done') return;
      const isElsewhere = detail.reason === 'superseded';
      const actions = isElsewhere ? [['Go on here', () => this.#goOn()]] : [];
      if (page.again) actions.push(['New terminal', page.again]);
      if (page.forget) actions.push(['Close', page.forget]);
      this.#notice({
        kind: isBad ? 'bad' : '', actions, isFinal: true,
        text: isElsewhere ? 'This terminal went on in another tab. Press Enter to go on here.' : text,
      });
    };
    for (const name of ['ended', 'refused', 'closed']) terminal.on(name, isOver(name));
  }

  #notice({ actions = [], isFinal = false, ...notice }) {
    const closing = isFinal ? [] : [['Dismiss', () => this.fit()]];
    const element = addNotice(this.element, { ...notice, actions: [...actions, ...closing] });
    if (isFinal) this.#final = element;
    return element;
  }

  /** Here again, after it went on in another tab. */
  #goOn() {
    this.#takeBack();
    this.focus();
  }

  // MARK: What programs ask for

  #hearRequests(addon, page) {
    addon.on('copy', (request) => this.#copy(request));
    addon.on('read', async ({ answer }) => {
      if (!this.#settings.reading || !this.isLookedAt) return;
      const text = await clipboard.read();
      if (text !== null) answer(text);
    });
    const tell = ({ title, text }) => {
      if (this.isLookedAt) return;
      this.news = [title, text].filter(Boolean).join(': ');
      page.told({ title, text });
      page.changed();
    };
    addon.on('notice', tell);
    addon.on('progress', (progress) => {
      const hasEnded = progress.state === 'none' && this.progress.state !== 'none';
      this.progress = progress;
      if (hasEnded) tell({ title: '', text: 'It is done' });
      page.changed();
    });
    this.xterm.onBell(() => this.#settings.bell && tell({ title: '', text: 'The bell rang' }));
    this.terminal.on('ended', () => (this.progress = { state: 'none' }));
  }

  /** With the user's leave: by the settings, or by a button, which is the gesture that browsers ask for. */
  async #copy({ text, tooLong }) {
    const { copying } = this.#settings;
    if (copying === 'never') return;
    this.#copying?.remove();
    if (tooLong) {
      this.#copying = this.#notice({
        kind: 'bad', text: `The program wants to copy ${sized(tooLong)}, which is too much for it to be allowed.`,
      });
      return;
    }
    if (copying === 'always' && this.isLookedAt && (await clipboard.write(text))) return;
    const bytes = new TextEncoder().encode(text);
    const actions = [['Copy', () => copy(text)]];
    if (copying === 'ask') {
      actions.push(['Always', () => {
        this.#settings.set({ copying: 'always' });
        copy(text);
      }]);
    }
    this.#copying = this.#notice({
      text: `The program wants to copy ${sized(bytes.length)}:`, code: readable(bytes), actions,
    });
  }

  /** Whether somebody sees it now, as far as a browser can tell. */
  get isLookedAt() {
    return this.#isActive && document.visibilityState === 'visible';
  }

  /** It is looked at: what its program said is not news any more. */
  see() {
    this.hasUnseen = false;
    this.news = '';
  }

  get isActive() {
    return this.#isActive;
  }

  set isActive(isActive) {
    this.#isActive = isActive;
    this.element.classList.toggle('active', isActive);
    if (isActive) {
      this.see();
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
    const fitting = this.#isActive && this.wasLive && this.#fit.proposeDimensions();
    if (!fitting) return;
    const { cols, rows } = this.terminal.size;
    this.element.classList.toggle('smaller', cols < fitting.cols || rows < fitting.rows);
  }

  applySettings() {
    changeColors(this.xterm, () => Object.assign(this.xterm.options, this.#settings.xterm));
    this.terminal.setColors(this.#settings.colors);
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
    const text = await clipboard.read();
    if (text !== null) this.xterm.paste(text);
    else toast('Hold the terminal and choose Paste: the browser does not let this page do it');
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

  /** Whether a key is the terminal's, whatever its program asked for. */
  #isKey({ altKey, shiftKey, ctrlKey, code }) {
    if (altKey && shiftKey && !ctrlKey) return !PAGE_KEYS.has(code);
    return !(ctrlKey && shiftKey && (code === 'KeyC' || code === 'KeyV'));
  }

  /** False: the page or the browser takes the key. */
  #isForTerminal(event) {
    const { name, reason } = this.terminal.state;
    if (name === 'closed' && reason === 'superseded' && event.key === 'Enter') {
      if (event.type === 'keydown') this.#goOn();
      return false;
    }
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
