// The row of keys that a phone's keyboard lacks. Ctrl and Alt stick until the next key, whether that
// comes from this row or from the keyboard.

const ESC = '\x1b';
/** Label, spoken name, and what it types; arrows depend on the terminal's mode. */
const KEYS = [
  ['Esc', 'Escape', ESC], ['Tab', 'Tab', '\t'], ['Ctrl', 'Control', null], ['Alt', 'Alt', null],
  ['↑', 'Up', 'A'], ['↓', 'Down', 'B'], ['←', 'Left', 'D'], ['→', 'Right', 'C'],
  ['|', 'Pipe', '|'], ['/', 'Slash', '/'], ['-', 'Minus', '-'], ['~', 'Tilde', '~'],
  ['^C', 'Control C', '\x03'], ['Home', 'Home', 'H'], ['End', 'End', 'F'],
  ['PgUp', 'Page up', `${ESC}[5~`], ['PgDn', 'Page down', `${ESC}[6~`], ['Copy', 'Copy', null],
  ['Paste', 'Paste', null],
];
const CURSOR = new Set(['↑', '↓', '←', '→', 'Home', 'End']);

export class ExtraKeys {
  #held = new Map();
  #pane;

  /** @param {HTMLElement} row @param {() => import('./pane.js').Pane | undefined} pane the present one */
  constructor(row, pane) {
    this.#pane = pane;
    for (const [label, name, text] of KEYS) {
      const button = document.createElement('button');
      button.textContent = label;
      button.ariaLabel = name;
      // The keyboard stays up: focus does not leave the terminal.
      button.onpointerdown = (event) => event.preventDefault();
      button.onclick = () => this.#press(label, text, button);
      row.append(button);
    }
  }

  #press(label, text, button) {
    const pane = this.#pane();
    if (!pane) return;
    if (label === 'Ctrl' || label === 'Alt') return this.#hold(label, button);
    if (label === 'Copy') return pane.copySelection();
    if (label === 'Paste') return void pane.paste();
    if (label === 'PgUp' && pane.scrollPages(-1)) return;
    if (label === 'PgDn' && pane.scrollPages(1)) return;
    const start = CURSOR.has(label) ? `${ESC}${pane.hasApplicationCursor ? 'O' : '['}` : '';
    pane.input(start + text);
  }

  #hold(label, button) {
    if (this.#held.has(label)) this.#held.delete(label);
    else this.#held.set(label, button);
    button.ariaPressed = String(this.#held.has(label));
  }

  /** @param {string} text a key, or text, that is about to be typed @returns {string} with the held keys applied */
  apply(text) {
    if (this.#held.size === 0) return text;
    const changed = modified(text, this.#held.has('Ctrl'), this.#held.has('Alt'));
    for (const button of this.#held.values()) button.ariaPressed = 'false';
    this.#held.clear();
    return changed;
  }
}

/** A key with Ctrl and Alt, as xterm types it: those with a name carry them as a number. */
function modified(text, hasCtrl, hasAlt) {
  const modifiers = 1 + (hasAlt ? 2 : 0) + (hasCtrl ? 4 : 0);
  const [, letter] = /^\x1b[[O]([A-DFH])$/.exec(text) ?? [];
  if (letter) return `${ESC}[1;${modifiers}${letter}`;
  const [, number] = /^\x1b\[(\d+)~$/.exec(text) ?? [];
  if (number) return `${ESC}[${number};${modifiers}~`;
  let changed = text;
  if (hasCtrl && text.length === 1) {
    const code = text.toUpperCase().charCodeAt(0);
    if (code >= 0x40 && code < 0x60) changed = String.fromCharCode(code - 0x40);
    else if (text === ' ') changed = '\0';
  }
  return hasAlt ? ESC + changed : changed;
}
