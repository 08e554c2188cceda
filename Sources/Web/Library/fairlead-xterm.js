// Shows a FairleadTerminal in an xterm.js Terminal, the way xterm.js's own attach addon is used:
//
//     terminal.loadAddon(new FairleadAddon(cluster.open({ key: 'shell' })));
//
// Output is acknowledged when xterm.js has parsed it; sizes change at their place in the output; characters are as wide
// as in the session's screen; and what xterm.js would answer to queries is suppressed, since the node answers them.
// Pastes are framed and made harmless here, and what programs ask of the desktop is handed to the page, which decides.

import { Emitter } from './fairlead/emitter.js';
import { Keyboard } from './fairlead/keyboard.js';
import { Notices, copyRequest, pasteAnswer, pasteRequest, progressRequest } from './fairlead/requests.js';
import { Typing, keyText } from './fairlead/typing.js';
import { countAsScreen } from './fairlead/unicode.js';

const toLatin1 = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);

/**
 * Events: `copy` `{ text }` or `{ tooLong }`, `read` `{ answer(text) }`, `notice` `{ title, text }`, `progress`
 * `{ state, percent? }`.
 */
export class FairleadAddon extends Emitter {
  #terminal;
  #xterm;
  #isSizing;
  #typed;
  #isKey;
  #keyboard = new Keyboard();
  #disposables = [];
  /** What is to be done to the screen, in order: bytes to write, or a size to take. */
  #queue = [];
  /** Bytes of the session that were given to xterm.js and not yet parsed. */
  #parsing = 0;
  /** The beginning of a character whose other bytes are still to come, at most three bytes. */
  #unfinished = new Uint8Array(0);
  /** The session has the screen, however little is on it. */
  #hasShown = false;
  /** What stands on the screen instead. */
  #trouble;

  /**
   * @param {import('./fairlead.js').FairleadTerminal} terminal
   * @param {object} [options]
   * @param {boolean} [options.sizing] xterm's size follows the session's; true if absent
   * @param {(text: string) => string} [options.typed] what to type instead of a key or of text that was typed; pastes
   *   and the reports of mouse and focus are none of its business
   * @param {(event: KeyboardEvent) => boolean} [options.isKey] whether a key is the terminal's, and not the page's
   */
  constructor(terminal, { sizing = true, typed = (text) => text, isKey = () => true } = {}) {
    super();
    this.#terminal = terminal;
    this.#isSizing = sizing;
    this.#typed = typed;
    this.#isKey = isKey;
    terminal.acknowledging = 'manual';
  }

  /** Called by xterm.js. */
  activate(xterm) {
    this.#xterm = xterm;
    const terminal = this.#terminal;
    this.#disposables.push(
      countAsScreen(xterm),
      ...suppressReplies(xterm.parser),
      ...this.#hearRequests(xterm.parser),
      ...this.#followKeyboard(xterm),
      new Typing(xterm, {
        key: (text, event) => terminal.write(this.#typed(keyText(text, event))),
        text: (text, changed) => {
          if (terminal.write(this.#typed(text)) && changed > 0) {
            terminal.emit('neutralised', { count: changed });
          }
        },
        report: (text) => terminal.write(text),
        paste: (text) => this.paste(text),
        isKey: (event) => !terminal.isOver && this.#isKey(event),
      }, this.#keyboard),
      xterm.onBinary((text) => terminal.write(toLatin1(text))),
      ...[
        terminal.on('output', ({ bytes }) => this.#then({ bytes })),
        terminal.on('snapshot', ({ bytes, first }) => this.#then({ bytes, isAfresh: first })),
        terminal.on('size', (size) => this.#then({ size })),
        terminal.on('opened', () => this.#wipe()),
        terminal.on('trouble', (trouble) => this.#draw(trouble)),
        watchPolicy(xterm, () => terminal._explain('styles')),
      ].map((dispose) => ({ dispose })),
    );
    if (terminal.state?.name === 'live') this.#hasShown = true;
    if (terminal.trouble) this.#draw(terminal.trouble);
  }

  /** A terminal that was not opened yet says why. */
  #draw({ message }) {
    if (this.#hasShown || this.#trouble === message) return;
    this.#trouble = message;
    this.#xterm.reset();
    const text = `Fairlead: ${message.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ')} `;
    const line = new RegExp(`(.{1,${Math.max(this.#xterm.cols, 1)}}) `, 'g');
    this.#xterm.write(text.replace(line, '$1\r\n'));
  }

  #wipe() {
    this.#hasShown = true;
    if (this.#trouble !== undefined) this.#xterm.reset();
    this.#trouble = undefined;
  }

  /** Pastes text from outside, in a frame if the program asked for that. @returns {boolean} as `terminal.write` */
  paste(text) {
    return this.#terminal.paste(text, { isBracketed: this.#xterm.modes.bracketedPasteMode });
  }

  /** What a program asks of the keyboard, which xterm.js passes over. */
  #followKeyboard({ parser, buffer }) {
    const keyboard = this.#keyboard;
    const csi = (prefix, final, run) => parser.registerCsiHandler({ prefix, final }, (numbers) => {
      run(numbers.map((it) => (Array.isArray(it) ? 0 : it)));
      return false;
    });
    return [
      csi('>', 'u', ([flags = 0]) => keyboard.push(flags)),
      csi('<', 'u', ([count = 1]) => keyboard.pop(count)),
      csi('=', 'u', ([flags = 0, how = 1]) => keyboard.set(flags, how)),
      csi('>', 'm', (numbers) => keyboard.modify(numbers)),
      csi('>', 'n', ([option = 0]) => keyboard.modify([option, 0])),
      parser.registerEscHandler({ final: 'c' }, () => {
        keyboard.reset();
        return false;
      }),
      buffer.onBufferChange(({ type }) => keyboard.show(type)),
    ];
  }

  /** What is asked of the desktop. A snapshot asks for nothing, so that a reload does not copy again. */
  #hearRequests(parser) {
    const notices = new Notices();
    const hear = (number, read) => parser.registerOscHandler(number, (data) => {
      const [name, detail] = read(data) ?? [];
      if (detail) this.emit(name, detail);
      return detail !== undefined;
    });
    return [
      hear(52, (data) => {
        const selections = pasteRequest(data);
        if (selections === undefined) return ['copy', copyRequest(data)];
        return ['read', { answer: (text) => this.#terminal.write(pasteAnswer(selections, text)) }];
      }),
      hear(9, (data) => {
        const progress = progressRequest(data);
        // 9;1 to 9;12 are ConEmu's commands, none of them a notice.
        if (progress || /^\d{1,2}(;|$)/.test(data)) return ['progress', progress];
        return ['notice', notices.nine(data)];
      }),
      hear(777, (data) => ['notice', notices.sevens(data)]),
      hear(99, (data) => ['notice', notices.kitty(data)]),
    ];
  }

  /** Called by xterm.js, or to leave the screen as it is. The terminal itself goes on. */
  dispose() {
    for (const disposable of this.#disposables) disposable.dispose();
    this.#disposables = [];
    // Nobody else will say that this was shown; unsaid, it would hold the process back.
    for (const { bytes } of this.#queue) if (bytes) this.#terminal.ack(bytes.length);
    this.#queue = [];
  }

  #then(step) {
    this.#queue.push(step);
    this.#work();
  }

  /** A size waits until all before it was parsed, and all after it waits for the size. */
  #work() {
    while (this.#queue.length > 0) {
      const [{ bytes, size, isAfresh }] = this.#queue;
      if (size) {
        if (this.#parsing > 0) return;
        if (this.#isSizing && (size.cols !== this.#xterm.cols || size.rows !== this.#xterm.rows)) {
          this.#xterm.resize(size.cols, size.rows);
        }
      }
      this.#queue.shift();
      if (isAfresh) this.#unfinished = new Uint8Array(0);
      if (bytes?.length) this.#write(bytes);
    }
  }

  /**
   * xterm.js 6 loses a character that is cut between two writes after a byte 0x80 (E2 80 | 94), so it is
   * given whole ones only. Bytes kept back are acknowledged with those that they came with: the server
   * owes nothing for them, and a program that stops in the middle of a character stalls nobody.
   */
  #write(bytes) {
    const joined = joinedTo(this.#unfinished, bytes);
    const end = joined.length - unfinishedBytes(joined);
    this.#unfinished = joined.slice(end);
    this.#parsing += bytes.length;
    this.#xterm.write(joined.subarray(0, end), () => {
      this.#parsing -= bytes.length;
      this.#terminal.ack(bytes.length);
      // Not from within xterm's own loop, which a resize would make run inside itself.
      if (this.#parsing === 0 && this.#queue.length > 0) queueMicrotask(() => this.#work());
    });
  }
}

/** Calls `told` when the page's Content-Security-Policy forbids a style element or attribute of xterm.js's own. */
function watchPolicy(xterm, told) {
  const { document } = globalThis;
  const hear = (event) => {
    if (event.disposition !== 'enforce' || !/^style-src/.test(event.effectiveDirective)) return;
    // What the page around it, or an extension, may not style is not the terminal's trouble.
    if (xterm.element?.contains(event.composedPath()[0])) told();
  };
  document?.addEventListener('securitypolicyviolation', hear);
  return () => document?.removeEventListener('securitypolicyviolation', hear);
}

function joinedTo(first, then) {
  if (first.length === 0) return then;
  const joined = new Uint8Array(first.length + then.length);
  joined.set(first);
  joined.set(then, first.length);
  return joined;
}

/** How many bytes at the end begin a UTF-8 character and do not finish it: 0 to 3. */
function unfinishedBytes(bytes) {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count];
    if (byte < 0x80 || byte >= 0xf8) return 0;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return count < length ? count : 0;
  }
  return 0;
}

/**
 * Keeps xterm.js from answering what programs ask of it: device attributes, status and cursor
 * reports, modes, window reports, settings, colours, version, keyboard flags. Setting any of these
 * goes on to work.
 * @returns {{dispose(): void}[]}
 */
export function suppressReplies(parser) {
  const always = () => true;
  /** Window operations from 11 on ask, but for those that set: 22 and 23, the title's stack. */
  const asksWindow = ([operation]) => operation >= 11 && operation !== 22 && operation !== 23;
  const csi = [
    [{ final: 'c' }, always],
    [{ prefix: '>', final: 'c' }, always],
    [{ prefix: '=', final: 'c' }, always],
    [{ final: 'n' }, always],
    [{ prefix: '?', final: 'n' }, always],
    [{ intermediates: '$', final: 'p' }, always],
    [{ prefix: '?', intermediates: '$', final: 'p' }, always],
    [{ final: 'x' }, always],
    [{ prefix: '>', final: 'q' }, always],
    [{ prefix: '?', final: 'u' }, always],
    [{ final: 't' }, asksWindow],
  ];
  const asksColor = (data) => data.split(';').includes('?');
  return [
    ...csi.map(([id, handler]) => parser.registerCsiHandler(id, handler)),
    parser.registerEscHandler({ final: 'Z' }, always),
    parser.registerDcsHandler({ intermediates: '$', final: 'q' }, always),
    parser.registerDcsHandler({ intermediates: '+', final: 'q' }, always),
    ...[4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 52].map((number) =>
      parser.registerOscHandler(number, asksColor)),
  ];
}
