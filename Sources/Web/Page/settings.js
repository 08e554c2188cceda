// What the user chose for this browser, and what follows for the page and for xterm.js.

import { environment } from '../fairlead/environment.js';

const KEY = 'fairlead.settings';
/** The finger is what points here. */
export const isTouch = matchMedia('(pointer: coarse)').matches;
const darkMode = matchMedia('(prefers-color-scheme: dark)');
const { localStorage } = environment();
const defaults = {
  fontSize: isTouch ? 13 : 14, theme: 'auto', contrast: true, screenReader: false, keys: isTouch,
  /** The Option key of a Mac is Alt. Off: it types characters, on many keyboards `@ [ | {`. */
  optionIsMeta: false,
  cursor: 'block', cursorBlinks: false,
  /** Lines kept above the screen. */
  lines: 10_000,
  /** Goes before the page's own fonts. */
  font: '',
  /** Whether programs may copy (OSC 52), and be told what the clipboard holds. */
  copying: 'ask', reading: false,
  /** Whether what programs say while the page is hidden is told by the desktop, and whether a bell says something. */
  notify: false, bell: false,
};
/** What WCAG 2.2 asks of text (1.4.3): a program picks its colours for a background that it does not know. */
const READABLE = 4.5;
const [SMALLEST, LARGEST] = [8, 32];
const MOST_LINES = 100_000;
/** What a choice may be. */
const choices = {
  theme: ['auto', 'light', 'dark'], cursor: ['block', 'bar', 'underline'],
  copying: ['ask', 'always', 'never'],
};

const themes = {
  dark: {
    background: '#11161b', foreground: '#d5dbe1', cursor: '#5cb8a7', cursorAccent: '#11161b',
    selectionBackground: '#2c4a52',
    black: '#2a333c', red: '#e27d79', green: '#8fbf7f', yellow: '#dba55c', blue: '#7aa7dc',
    magenta: '#c08fd0', cyan: '#63bfb7', white: '#c3cad1', brightBlack: '#74808c',
    brightRed: '#f09c97', brightGreen: '#abd69c', brightYellow: '#efc07c', brightBlue: '#9ac0ee',
    brightMagenta: '#d6aee3', brightCyan: '#86d8d0', brightWhite: '#f2f5f7',
  },
  light: {
    background: '#fdfcf9', foreground: '#262c33', cursor: '#1f7a6d', cursorAccent: '#fdfcf9',
    selectionBackground: '#c9e2dd',
    black: '#262c33', red: '#b0383a', green: '#3f7a2c', yellow: '#8a5d06', blue: '#2d64a8',
    magenta: '#87439b', cyan: '#18757a', white: '#6c727a', brightBlack: '#5b626b',
    brightRed: '#c2494a', brightGreen: '#4b8a36', brightYellow: '#996a10', brightBlue: '#3a73b9',
    brightMagenta: '#9853ad', brightCyan: '#20868b', brightWhite: '#3c434b',
  },
};

export class Settings extends EventTarget {
  #values = { ...defaults };

  constructor() {
    super();
    try {
      this.#take(JSON.parse(localStorage.getItem(KEY) ?? '{}'));
    } catch {
      // Unreadable: the defaults will do.
    }
    darkMode.addEventListener('change', () => this.#apply());
    this.#apply();
  }

  get fontSize() { return this.#values.fontSize; }
  get contrast() { return this.#values.contrast; }
  get screenReader() { return this.#values.screenReader; }
  get theme() { return this.#values.theme; }
  get keys() { return this.#values.keys; }
  get optionIsMeta() { return this.#values.optionIsMeta; }
  get cursor() { return this.#values.cursor; }
  get cursorBlinks() { return this.#values.cursorBlinks; }
  get lines() { return this.#values.lines; }
  get font() { return this.#values.font; }
  get copying() { return this.#values.copying; }
  get reading() { return this.#values.reading; }
  get notify() { return this.#values.notify; }
  get bell() { return this.#values.bell; }

  /** @param {Partial<typeof defaults>} changes */
  set(changes) {
    this.#take(changes);
    localStorage.setItem(KEY, JSON.stringify(this.#values));
    this.#apply();
  }

  /** Only what it knows, of the form that it has. */
  #take(changes) {
    const bounded = (value, least, most) => Math.min(Math.max(Math.round(value), least), most);
    for (const [name, value] of Object.entries(changes ?? {})) {
      if (!(name in defaults) || typeof value !== typeof defaults[name]) continue;
      if (choices[name] && !choices[name].includes(value)) continue;
      if (typeof value === 'number' && !Number.isFinite(value)) continue;
      this.#values[name] = value;
    }
    this.#values.fontSize = bounded(this.#values.fontSize, SMALLEST, LARGEST);
    this.#values.lines = bounded(this.#values.lines, 0, MOST_LINES);
    this.#values.font = this.#values.font.replace(/[^\p{L}\p{N} _-]/gu, '').trim().slice(0, 60);
  }

  /** The present colours, for xterm.js and for the session. */
  get colors() {
    const isDark = this.theme === 'auto' ? darkMode.matches : this.theme === 'dark';
    return themes[isDark ? 'dark' : 'light'];
  }

  get xterm() {
    return {
      fontSize: this.fontSize,
      fontFamily: (this.font ? `"${this.font}", ` : '')
        + 'ui-monospace, "SF Mono", Menlo, "Cascadia Mono", Consolas, "DejaVu Sans Mono", '
        + '"Noto Sans Mono", "Noto Sans Mono CJK SC", monospace',
      lineHeight: 1.15,
      theme: this.colors,
      minimumContrastRatio: this.contrast ? READABLE : 1,
      screenReaderMode: this.screenReader,
      cursorStyle: this.cursor,
      cursorBlink: this.cursorBlinks,
      macOptionIsMeta: this.optionIsMeta,
      scrollback: this.lines,
    };
  }

  #apply() {
    document.documentElement.dataset.theme = this.theme;
    this.dispatchEvent(new Event('change'));
  }
}
