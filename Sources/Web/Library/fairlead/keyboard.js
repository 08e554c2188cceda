// What keys type where a program asked for more than the codes of old: kitty's keyboard protocol
// (sw.kovidgoyal.net/kitty/keyboard-protocol) and xterm's modifyOtherKeys, neither of which xterm.js 6 knows. As in
// Sources/Screen/Keyboard.swift, whose snapshots set the state after a reload. Pure, but for the events it is given.

const ESC = '\x1b';
/** Flags that a program may set, and how deep the stack of a buffer is. */
const KNOWN = 31;
const DEEPEST = 16;
const [DISAMBIGUATE, EVENTS, ALTERNATES, ALL, TEXT] = [1, 2, 4, 8, 16];
/** Modifiers as bits: one more than their sum is told. */
const [SHIFT, ALT, CTRL] = [1, 2, 4];
const [CAPS_LOCK, NUM_LOCK] = [64, 128];

/** Keys with a number, and how its sequence ends; those of a letter have the number 1. */
const KEYS = {
  Escape: [27, 'u'], Enter: [13, 'u'], Tab: [9, 'u'], Backspace: [127, 'u'], Insert: [2, '~'], Delete: [3, '~'],
  ArrowUp: [1, 'A'], ArrowDown: [1, 'B'], ArrowRight: [1, 'C'], ArrowLeft: [1, 'D'], Home: [1, 'H'], End: [1, 'F'],
  PageUp: [5, '~'], PageDown: [6, '~'], F1: [1, 'P'], F2: [1, 'Q'], F3: [13, '~'], F4: [1, 'S'], F5: [15, '~'],
  F6: [17, '~'], F7: [18, '~'], F8: [19, '~'], F9: [20, '~'], F10: [21, '~'], F11: [23, '~'], F12: [24, '~'],
  ScrollLock: [57359, 'u'], PrintScreen: [57361, 'u'], Pause: [57362, 'u'], ContextMenu: [57363, 'u'],
};
/** Keys that are told only where all are. */
const MODIFIERS = {
  CapsLock: 57358, NumLock: 57360, ShiftLeft: 57441, ControlLeft: 57442, AltLeft: 57443, ShiftRight: 57447,
  ControlRight: 57448, AltRight: 57449,
};
/** They type what they always typed, so that a shell can be used after a program died without putting things back. */
const PLAIN = new Set(['Enter', 'Tab', 'Backspace']);
/** What the keys of a US keyboard type without Shift, beyond letters and digits. */
const UNSHIFTED = {
  Minus: '-', Equal: '=', BracketLeft: '[', BracketRight: ']', Backslash: '\\', Semicolon: ';', Quote: "'",
  Backquote: '`', Comma: ',', Period: '.', Slash: '/', Space: ' ',
};

export class Keyboard {
  /** Of each buffer: the flags in force last, before them those that were pushed away. */
  #stacks = { normal: [0], alternate: [0] };
  #buffer = 'normal';
  #modifyOtherKeys = 0;

  get #stack() {
    return this.#stacks[this.#buffer];
  }

  /** The flags in force. */
  get flags() {
    return this.#stack.at(-1);
  }

  /** Whether it types what it always typed. */
  get isPlain() {
    return this.flags === 0 && this.#modifyOtherKeys === 0;
  }

  reset() {
    this.#stacks = { normal: [0], alternate: [0] };
    this.#modifyOtherKeys = 0;
  }

  /** @param {'normal' | 'alternate'} buffer the one that is shown now */
  show(buffer) {
    if (buffer === this.#buffer) return;
    this.#buffer = buffer;
    this.#stacks.alternate = [0];
  }

  push(flags) {
    if (this.#stack.length > DEEPEST) this.#stack.shift();
    this.#stack.push(flags & KNOWN);
  }

  pop(count) {
    this.#stack.splice(-Math.min(Math.max(1, count), this.#stack.length));
    if (this.#stack.length === 0) this.#stack.push(0);
  }

  /** @param {number} how 1 sets exactly these, 2 sets these too, 3 takes these away */
  set(flags, how) {
    const present = this.#stack.pop();
    const given = flags & KNOWN;
    this.#stack.push(how === 2 ? present | given : how === 3 ? present & ~given : given);
  }

  /** CSI > 4 ; value m, or without a value or any number: as at first. */
  modify([option = 0, value = 0]) {
    if (option === 4 || option === 0) this.#modifyOtherKeys = option === 4 ? Math.min(value, 2) : 0;
  }

  /**
   * @param {KeyboardEvent} event `keydown` or `keyup`
   * @param {{ hasOption?: boolean }} [options] Alt types characters of its own (a Mac's Option)
   * @returns {string | undefined} what it types; undefined: what it always did, and nothing when it is let go of
   */
  encode(event, { hasOption = false } = {}) {
    const { key, type } = event;
    // The browser's, an input method's, or no key of its own.
    if (event.metaKey || event.isComposing || event.keyCode === 229) return undefined;
    if (['Dead', 'Process', 'Unidentified', 'Meta', 'AltGraph'].includes(key)) return undefined;
    const isText = [...key].length === 1;
    const isLevel3 = isText && (event.getModifierState?.('AltGraph') || (hasOption && event.altKey && !event.ctrlKey));
    const bits = (event.shiftKey ? SHIFT : 0)
      + (isLevel3 ? 0 : (event.altKey ? ALT : 0) + (event.ctrlKey ? CTRL : 0));
    if (this.flags === 0) return type === 'keydown' ? this.#modified(event, bits, isText) : undefined;
    return this.#enhanced(event, bits, isText);
  }

  #enhanced(event, bits, isText) {
    const { flags } = this;
    const { key, code, type } = event;
    const isAll = (flags & ALL) !== 0;
    const isRelease = type === 'keyup';
    if (isRelease && !(flags & EVENTS)) return undefined;
    const what = (flags & EVENTS) === 0 ? 1 : isRelease ? 3 : event.repeat ? 2 : 1;
    let [number, final] = KEYS[key] ?? (isText ? [baseOf(event), 'u'] : [MODIFIERS[code] ?? MODIFIERS[key], 'u']);
    if (number === undefined) return undefined;
    if (!isAll) {
      if (KEYS[key] === undefined && !isText) return undefined;
      if (PLAIN.has(key) && (bits === 0 || isRelease)) return undefined;
      // Text is text, and a key whose code was never in doubt keeps it.
      if (isText && (bits & ~SHIFT) === 0) return undefined;
      if (!(flags & (DISAMBIGUATE | EVENTS)) && (isText || final === 'u')) return undefined;
      if (!(flags & DISAMBIGUATE) && what === 1) return undefined;
    }
    const locks = !isAll ? 0
      : (event.getModifierState?.('CapsLock') ? CAPS_LOCK : 0) + (event.getModifierState?.('NumLock') ? NUM_LOCK : 0);
    const modifiers = 1 + bits + locks;
    if ((flags & ALTERNATES) && isText) number = alternates(event, number, bits);
    const text = isAll && (flags & TEXT) && isText && !isRelease && (bits & ~SHIFT) === 0
      ? [...key].map((character) => character.codePointAt(0)).join(':') : '';
    const second = what > 1 ? `${modifiers}:${what}` : modifiers > 1 || text ? `${modifiers}` : '';
    const parts = text ? [number, second === '1' ? '' : second, text] : second ? [number, second] : [number];
    const isBare = parts.length === 1 && number === 1;
    return `${ESC}[${isBare ? '' : parts.join(';')}${final}`;
  }

  /** xterm's modifyOtherKeys: 1 for keys that had no code with these modifiers, 2 for all with Ctrl or Alt. */
  #modified({ key }, bits, isText) {
    if (this.#modifyOtherKeys === 0 || bits === 0) return undefined;
    const code = isText ? key.codePointAt(0) : { Enter: 13, Tab: 9, Backspace: 127, Escape: 27 }[key];
    if (code === undefined || (isText && (bits & ~SHIFT) === 0)) return undefined;
    const hasCode = isText
      ? (bits & CTRL) === 0 || /^[a-z@[\]\\^_ ?]$/i.test(key)
      : (key === 'Tab' && bits === SHIFT) || key === 'Escape' || (key === 'Backspace' && bits !== SHIFT);
    if (this.#modifyOtherKeys === 1 && hasCode) return undefined;
    return `${ESC}[27;${1 + bits};${code}~`;
  }
}

/** The code of a text key: of what it types without Shift. */
function baseOf({ key, code, shiftKey }) {
  const lower = key.toLowerCase();
  if (!shiftKey || lower !== key) return lower.codePointAt(0);
  return (usOf(code) ?? key).codePointAt(0);
}

const usOf = (code) =>
  /^Digit(\d)$/.exec(code)?.[1] ?? /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? UNSHIFTED[code];

/** CODE:SHIFTED:US, of which the last two may be absent. */
function alternates({ key, code }, number, bits) {
  const shifted = bits & SHIFT && key.codePointAt(0) !== number ? `${key.codePointAt(0)}` : '';
  const us = usOf(code)?.codePointAt(0);
  const base = us !== undefined && us !== number ? `${us}` : '';
  return base ? `${number}:${shifted}:${base}` : shifted ? `${number}:${shifted}` : number;
}
