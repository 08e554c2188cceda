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

  /** @param {string} text what is about to be typed @returns {string} with the held keys applied */
  apply(text) {
    if (this.#held.size === 0) return text;
    let changed = text;
    if (this.#held.has('Ctrl') && text.length === 1) {
      const code = text.toUpperCase().charCodeAt(0);
      if (code >= 0x40 && code < 0x60) changed = String.fromCharCode(code - 0x40);
      else if (text === ' ') changed = '\0';
    }
    if (this.#held.has('Alt')) changed = ESC + changed;
    for (const button of this.#held.values()) button.ariaPressed = 'false';
    this.#held.clear();
    return changed;
  }
}
