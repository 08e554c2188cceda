// What programs say while the whole page is out of sight: a count in the window's title, and, where the user has
// switched that on, notices of the desktop.

import { notifications } from '../fairlead/environment.js';

/** Milliseconds between notices of the desktop: a program may say something all the time. */
const EVERY = 1_000;
const MOST = 99;

export class News {
  #settings;
  #count = 0;
  #last = -Infinity;
  /** Notices of the desktop that are there, by their terminals. */
  #shown = new Map();

  /** @param {import('./settings.js').Settings} settings */
  constructor(settings) {
    this.#settings = settings;
  }

  /**
   * @param {{ tag: string, name: string, title: string, text: string, show: () => void }} said `name` of the terminal;
   *   `show` is called when somebody chooses the notice
   */
  tell({ tag, name, title, text, show }) {
    if (document.visibilityState === 'visible') return;
    this.#count += 1;
    if (!this.#settings.notify || performance.now() - this.#last < EVERY) return;
    this.#last = performance.now();
    const body = [title && name, text].filter(Boolean).join('\n');
    const notice = notifications.show(title || name, { body, tag: `fairlead ${tag}` }, () => {
      globalThis.focus();
      show();
    });
    if (notice) this.#shown.set(tag, notice);
  }

  /** The page is looked at. */
  see() {
    this.#count = 0;
    for (const notice of this.#shown.values()) notice.close();
    this.#shown.clear();
  }

  /** What goes before the window's title. */
  get mark() {
    if (this.#count === 0) return '';
    return this.#count > MOST ? `(${MOST}+) ` : `(${this.#count}) `;
  }
}
