// What programs ask of the user's desktop by OSC sequences: to copy (52), to notify (9, 777, 99), to show progress
// (9;4). Everything in them comes from the program, or from a file that somebody showed with `cat`: bounded, without
// control characters, and only ever asked for; the page decides. Pure, but for what a notice of several parts needs.

/** Bytes of text that a program may copy. Larger ones are told of, and not taken. */
export const MAX_COPY = 100_000;
/** Characters of a notice's title and of its text. */
export const MAX_TITLE = 80;
export const MAX_TEXT = 240;
/** Notices whose parts have not all come (OSC 99). */
const MAX_UNFINISHED = 8;

const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;
const fromUTF8 = new TextDecoder();

const shortened = (text, limit) => {
  const shown = [...text.slice(0, 4 * limit).replace(CONTROLS, ' ').trim()];
  return shown.length > limit ? `${shown.slice(0, limit).join('')}…` : shown.join('');
};

function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/**
 * OSC 52: `SELECTIONS;BASE64`.
 * @returns {{ text: string } | { tooLong: number } | undefined} undefined: it asks for the clipboard, clears it, or is no
 *   base64
 */
export function copyRequest(data) {
  const at = data.indexOf(';');
  if (at < 0 || at > 16) return undefined;
  const encoded = data.slice(at + 1);
  if (encoded === '' || encoded === '?') return undefined;
  if (encoded.length > 4 * MAX_COPY) return { tooLong: Math.floor((encoded.length * 3) / 4) };
  const bytes = fromBase64(encoded);
  if (!bytes?.length) return undefined;
  return bytes.length > MAX_COPY ? { tooLong: bytes.length } : { text: fromUTF8.decode(bytes) };
}

/** OSC 52 that asks for what the clipboard holds: its selections, or undefined. */
export function pasteRequest(data) {
  const [, selections] = /^([a-z0-9]{0,16});\?$/.exec(data) ?? [];
  return selections;
}

/** The answer to it. */
export function pasteAnswer(selections, text) {
  const bytes = new TextEncoder().encode(text.slice(0, MAX_COPY));
  return `\x1b]52;${selections};${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))}\x1b\\`;
}

/** OSC 9;4;STATE;PERCENT. @returns {{ state: string, percent?: number } | undefined} of `none` there is nothing to show */
export function progressRequest(data) {
  const [, number, percent] = /^4(?:;(\d)(?:;(\d{0,9}))?)?;?$/.exec(data) ?? [];
  if (number === undefined) return data === '4' || data === '4;' ? { state: 'none' } : undefined;
  const state = ['none', 'running', 'failed', 'unknown', 'paused'][Number(number)];
  if (!state) return undefined;
  const hasPercent = percent && state !== 'none' && state !== 'unknown';
  return hasPercent ? { state, percent: Math.min(Number(percent), 100) } : { state };
}

/** Notices, of whatever kind. */
export class Notices {
  /** @type {Map<string, { title: string, text: string }>} by their ids */
  #unfinished = new Map();

  /** OSC 9;TEXT. */
  nine(data) {
    return notice('', data);
  }

  /** OSC 777;notify;TITLE;TEXT. */
  sevens(data) {
    const [kind, title = '', ...text] = data.split(';');
    return kind === 'notify' ? notice(title, text.join(';')) : undefined;
  }

  /** OSC 99;KEY=VALUE:…;PAYLOAD, as kitty defines it: it may come in parts (d=0), as base64 (e=1). */
  kitty(data) {
    const at = data.indexOf(';');
    if (at < 0) return undefined;
    const keys = new Map(data.slice(0, at).slice(0, 256).split(':').map((it) => {
      const equals = it.indexOf('=');
      return [it.slice(0, equals), it.slice(equals + 1)];
    }));
    const part = keys.get('p') ?? 'title';
    if (part !== 'title' && part !== 'body') return undefined;
    const raw = data.slice(at + 1, at + 1 + 8 * MAX_TEXT);
    const payload = keys.get('e') === '1' ? fromUTF8.decode(fromBase64(raw) ?? new Uint8Array(0)) : raw;
    const id = (keys.get('i') ?? '').slice(0, 64);
    const whole = this.#unfinished.get(id) ?? { title: '', text: '' };
    const name = part === 'title' ? 'title' : 'text';
    whole[name] = (whole[name] + payload).slice(0, 4 * MAX_TEXT);
    this.#unfinished.delete(id);
    if (keys.get('d') !== '0') return notice(whole.title, whole.text);
    this.#unfinished.set(id, whole);
    if (this.#unfinished.size > MAX_UNFINISHED) this.#unfinished.delete(this.#unfinished.keys().next().value);
    return undefined;
  }
}

function notice(title, text) {
  const shown = { title: shortened(title, MAX_TITLE), text: shortened(text, MAX_TEXT) };
  return shown.title || shown.text ? shown : undefined;
}
