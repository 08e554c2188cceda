// Types of fairlead-xterm.js.

import type { ITerminalAddon, Terminal } from '@xterm/xterm';
import type { FairleadTerminal } from './fairlead.js';

export class FairleadAddon implements ITerminalAddon {
  constructor(terminal: FairleadTerminal, options?: {
    /** xterm's size follows the session's; true if absent. */
    sizing?: boolean;
    /** What to type instead of what xterm.js says: for keys that a page adds. */
    typed?: (text: string) => string;
  });
  activate(terminal: Terminal): void;
  dispose(): void;
}
