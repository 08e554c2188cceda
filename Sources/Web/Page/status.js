// What the page says about a terminal's state, in a few words. Pure, apart from the page's clock.

import { signInCode } from '../fairlead/trouble.js';

/** Milliseconds for which an interruption is not worth a word. */
export const GRACE = 1_000;

/**
 * @param {import('../fairlead.js').FairleadTerminal} terminal
 * @param {number} since when it ceased to be live, by `performance.now()`
 * @param {number} now
 * @returns {{ state: 'live' | 'waiting' | 'over' | 'bad', text: string, detail: string,
 *   canHurry: boolean }} `detail` counts on; `text` alone is worth to be spoken
 */
export function badge(terminal, since, now) {
  const { name, reason, retryAt } = terminal.state;
  const says = (state, text, canHurry = false, detail = '') => ({ state, text, detail, canHurry });
  const live = says('live', terminal.mode === 'watcher' ? 'Read only' : 'Live');
  switch (name) {
    case 'live':
      return terminal.stalled ? says('waiting', `Standing still: ${terminal.stalled}`) : live;
    case 'ended': case 'refused':
      if (reason === 'lost') return says('bad', 'Lost');
      return says('over', name === 'ended' || reason === 'gone' ? 'Ended' : 'Not opened');
    case 'closed':
      return says('over', reason === 'superseded' ? 'Opened in another tab' : 'Closed');
    case 'stopped': return says('bad', notSignedIn(reason), true);
  }
  if (now - since < GRACE) return terminal.life ? live : says('waiting', '');
  switch (name) {
    case 'connecting':
      return says('waiting', terminal.life ? 'Reconnecting' : 'Connecting', false, '…');
    case 'paused': return says('waiting', 'Reconnecting behind the server', false, '…');
    default: {
      const seconds = Math.ceil((retryAt - now) / 1_000);
      const when = seconds > 0 ? `in ${seconds} s` : 'now';
      const kept = terminal.unacknowledged > 0 ? '; typing is kept' : '';
      return name === 'postponed' ? says('waiting', `Waiting (${reason})`, false, `; asking again ${when}`)
        : says('waiting', 'Reconnecting', name === 'reconnecting', ` ${when}${kept}`);
    }
  }
}

function notSignedIn(reason) {
  switch (signInCode(reason)) {
    case undefined: return `Refused: ${reason}`;
    case 'token_missing': return 'Not signed in';
    case 'token_expired': return 'Signed out: the sign-in has run out';
    default: return 'Not signed in: the token was not taken';
  }
}

/** @param {{code?: number, signal?: number} | undefined} status */
export function exit(status) {
  if (status?.code !== undefined) return `exit code ${status.code}`;
  if (status?.signal !== undefined) return `signal ${status.signal}`;
  return 'exit status unknown';
}

const lost = 'This session was lost when the server that held it stopped, and its process with it.';

/** Why a terminal is over, as a sentence, and whether something was lost. */
export function ending(name, detail) {
  if (name === 'ended') {
    switch (detail.reason) {
      case 'exited': return { text: `The process has ended (${exit(detail.status)}).` };
      case 'killed': return { text: 'The session was ended.' };
      case 'idle': return { text: 'The session was ended, as nobody had used it for long.' };
      case 'timeout': return { text: 'The session was ended: its time was over.' };
      case 'stopped': return { text: 'The server was shut down, and the session with it.' };
      case 'lost':
        return { text: lost, isBad: true };
    }
    return { text: detail.message ? sentence(detail.message) : `The session has ended: ${detail.reason}.`, isBad: true };
  }
  switch (detail.code) {
    case 'gone':
      return { text: `This session has ended${detail.status ? ` (${exit(detail.status)})` : ''}.` };
    case 'lost':
      return { text: lost, isBad: true };
    case 'not_found': return { text: 'There is no such session.' };
  }
  return { text: sentence(detail.message ?? detail.code ?? 'The session was closed'), isBad: true };
}

/** What a server says of itself is a part of a sentence. */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`;
}

/** A count of bytes as a person reads it. */
export function sized(bytes) {
  if (bytes < 1_000) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Typed bytes as a person can read them: at most 60 characters, with control keys as symbols. */
export function readable(bytes) {
  const text = new TextDecoder().decode(bytes.subarray(0, 240));
  const shown = [...text].slice(0, 60).map((character) => {
    const code = character.codePointAt(0);
    if (character === '\r' || character === '\n') return '⏎';
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? '⌫' : character;
  }).join('');
  return bytes.length > 240 || [...text].length > 60 ? `${shown}…` : shown;
}
