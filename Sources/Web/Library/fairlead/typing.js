// What xterm.js hands on as "data", told apart. Keys, text (of an input method, or of an on-screen keyboard), pastes and
// reports (mouse, focus) all come out of it as one string; yet held keys change keys only, text from outside may hold
// no control character, and a report is nobody's typing. Listens in front of xterm.js, which sees the same events later.

import { neutralised } from './paste.js';

const ESC = '\x1b';
/** Reports of the mouse (SGR, pixels), of the focus, and what xterm.js makes of the wheel and of Alt-click: arrows. */
const REPORT = /^\x1b\[(?:<\d+;\d+;\d+[Mm]|[IO])$|^(?:\x1b[[O][ABCD])+$/;
/** Keys that are part of a composition, or none of its business: it goes on. */
const WITHIN_COMPOSITION = new Set([229, 16, 17, 18, 20]);

export class Typing {
  #xterm;
  #to;
  #keyboard;
  #takeDown = [];
  /** The event of the key whose data comes next. */
  #key;
  /** Data is given to xterm.js by the page itself. */
  #isGiven = false;
  #isComposing = false;
  /** A key ends the composition, and its text comes at once. */
  #isFlushing = false;
  /** Text that came so, and that xterm.js 6 hands on once more when the composition ends. */
  #flushed = '';

  /**
   * @param {import('@xterm/xterm').Terminal} xterm
   * @param {object} to `key(text, event)`, `text(text, changed)`, `report(text)`, `paste(text)`; `isKey(event)`: whether
   *   the key is the terminal's at all
   * @param {import('./keyboard.js').Keyboard} keyboard what the program asked of it
   */
  constructor(xterm, to, keyboard) {
    this.#xterm = xterm;
    this.#to = to;
    this.#keyboard = keyboard;
    const listeners = [
      xterm.onKey(({ domEvent }) => (this.#key = domEvent)),
      xterm.onData((data) => this.#data(data)),
    ];
    this.#takeDown.push(() => listeners.forEach((it) => it.dispose()));
    this.#instead('input', (original) => (data, wasUserInput) => {
      this.#isGiven = true;
      original(data, wasUserInput);
      this.#isGiven = false;
    });
    this.#instead('paste', () => (text) => this.#paste(text));
    if (xterm.element) this.#listen(xterm.element);
    else {
      this.#instead('open', (original) => (parent) => {
        original(parent);
        this.#listen(xterm.element);
      });
    }
  }

  dispose() {
    for (const takeDown of this.#takeDown) takeDown();
  }

  /** Puts a method of the page's xterm.js in the place of another, for as long as this lives. */
  #instead(name, make) {
    const xterm = this.#xterm;
    const before = Object.getOwnPropertyDescriptor(xterm, name);
    const original = xterm[name];
    const own = make((...args) => original.apply(xterm, args));
    xterm[name] = own;
    this.#takeDown.push(() => {
      if (xterm[name] !== own) return;
      if (before) Object.defineProperty(xterm, name, before);
      else delete xterm[name];
    });
  }

  #listen(element) {
    const listen = (name, listener) => {
      element.addEventListener(name, listener, true);
      this.#takeDown.push(() => element.removeEventListener(name, listener, true));
    };
    const taken = (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    listen('paste', (event) => {
      taken(event);
      this.#paste(event.clipboardData?.getData('text/plain') ?? '');
    });
    const hasText = ({ dataTransfer }) => dataTransfer?.types.includes('text/plain');
    listen('dragover', (event) => {
      if (hasText(event)) taken(event);
    });
    listen('drop', (event) => {
      if (!hasText(event)) return;
      taken(event);
      this.#paste(event.dataTransfer.getData('text/plain'));
      this.#xterm.focus();
    });
    listen('compositionstart', () => {
      this.#isComposing = true;
      this.#flushed = '';
    });
    listen('compositionend', () => (this.#isComposing = false));
    listen('keydown', (event) => {
      // Whatever came before has been handed on.
      this.#key = undefined;
      this.#isFlushing = this.#isComposing && !WITHIN_COMPOSITION.has(event.keyCode);
      if (this.#encode(event)) taken(event);
    });
    listen('keyup', (event) => {
      if (this.#encode(event)) taken(event);
    });
  }

  /** Types a key for which the program has a code of its own; false: xterm.js knows what it types. */
  #encode(event) {
    const xterm = this.#xterm;
    if (this.#keyboard.isPlain || xterm.options.disableStdin || !this.#to.isKey(event)) return false;
    const isMac = /^(Mac|iP)/.test(globalThis.navigator?.platform ?? '');
    const text = this.#keyboard.encode(event, { hasOption: isMac && !xterm.options.macOptionIsMeta });
    if (text === undefined) return false;
    this.#to.key(text, event);
    if (event.type === 'keydown') this.#wasTyped();
    return true;
  }

  #wasTyped() {
    this.#xterm.clearSelection();
    if (this.#xterm.options.scrollOnUserInput !== false) this.#xterm.scrollToBottom();
  }

  #paste(text) {
    const xterm = this.#xterm;
    if (text === '' || xterm.options.disableStdin) return;
    if (xterm.textarea) xterm.textarea.value = '';
    this.#to.paste(text);
    this.#wasTyped();
  }

  #data(data) {
    const key = this.#key;
    this.#key = undefined;
    if (this.#isGiven || key) {
      this.#isFlushing = false;
      return this.#to.key(data, key);
    }
    if (REPORT.test(data)) return this.#to.report(data);
    // Backspace of an on-screen keyboard: xterm.js sees that its text became shorter.
    if (data === '\x7f') return this.#to.key(data, undefined);
    const text = this.#once(data);
    if (text === '') return;
    const { text: shown, changed } = neutralised(text);
    this.#to.text(shown, changed);
  }

  /**
   * A key that an input method lets through in the middle of a composition makes xterm.js 6 hand on the text so far, and
   * the end of the composition the whole of it, once more.
   */
  #once(text) {
    if (this.#isFlushing) {
      this.#isFlushing = false;
      this.#flushed = text;
      return text;
    }
    const again = this.#flushed;
    this.#flushed = '';
    return again && text.startsWith(again) ? text.slice(again.length) : text;
  }
}

/**
 * What a key types beyond what xterm.js knows of it. Shift with Enter is Alt with Enter's, by which programs tell "a new
 * line" from "done".
 * @param {string} text what xterm.js makes of the key
 * @param {KeyboardEvent | undefined} event
 */
export function keyText(text, event) {
  const isShiftEnter = text === '\r' && event?.key === 'Enter' && event.shiftKey
    && !event.ctrlKey && !event.altKey && !event.metaKey;
  return isShiftEnter ? `${ESC}\r` : text;
}
