// Types of fairlead-xterm.js.

import type { ITerminalAddon, Terminal } from '@xterm/xterm';
import type { FairleadTerminal } from './fairlead.js';

export class FairleadAddon implements ITerminalAddon {
  /** `sizing`: xterm's size follows the session's; true if absent. */
  constructor(terminal: FairleadTerminal, options?: { sizing?: boolean });
  activate(terminal: Terminal): void;
  dispose(): void;
}
