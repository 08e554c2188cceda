// Types of fairlead-xterm.js.

import type { ITerminalAddon, Terminal } from '@xterm/xterm';
import type { FairleadTerminal } from './fairlead.js';

export interface FairleadAddonEvents {
  /** The program asks to copy a text (OSC 52); of one over 100,000 bytes only the length is told. */
  copy: { text: string; tooLong?: undefined } | { tooLong: number; text?: undefined };
  /** The program asks what the clipboard holds. Nobody answers, unless the page calls `answer`. */
  read: { answer(text: string): void };
  /** A notice (OSC 9, 777, 99), of at most 80 and 240 characters without controls. */
  notice: { title: string; text: string };
  /** How far the program says that it is (OSC 9;4). */
  progress: { state: 'none' | 'running' | 'failed' | 'unknown' | 'paused'; percent?: number };
}

/** While it is loaded, xterm.js's own `paste` and the browser's pastes go through it. */
export class FairleadAddon implements ITerminalAddon {
  constructor(terminal: FairleadTerminal, options?: {
    /** xterm's size follows the session's; true if absent. */
    sizing?: boolean;
    /** What to type instead of a key, or of text that was typed: for keys that a page adds. */
    typed?: (text: string) => string;
    /** Whether a key is the terminal's, and not the page's own; all are, if absent. */
    isKey?: (event: KeyboardEvent) => boolean;
  });
  on<Name extends keyof FairleadAddonEvents>(
    name: Name, listener: (detail: FairleadAddonEvents[Name]) => void): () => void;
  /** Pastes text from outside, in a frame if the program asked for that. */
  paste(text: string): boolean;
  activate(terminal: Terminal): void;
  dispose(): void;
}
