// Text from outside, made harmless. A paste travels in a frame (bracketed paste, mode 2004) so that a program
// does not take it for typing; text that could end the frame would be typed after all: ESC and its
// one-character forms (C1), and the keys that the terminal itself turns into signals, which make a shell
// drop the frame and read on. So no control character of a paste reaches a program, framed or not, but for
// the tab and the ends of lines. Pure.

/** What frames a paste where the program asked for it. */
export const FRAME_START = '\x1b[200~';
export const FRAME_END = '\x1b[201~';

const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;

/**
 * @param {string} text
 * @returns {{ text: string, changed: number }} with each control character as a symbol that shows it, ends of
 *   lines as the Enter key sends them, and how many characters were changed
 */
export function neutralised(text) {
  let changed = 0;
  const shown = text.replace(CONTROLS, (character) => {
    changed += 1;
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    // Unicode has a picture of DEL, and none of the C1 characters.
    return code === 0x7f ? '\u2421' : '\ufffd';
  });
  return { text: shown.replace(/\r?\n/g, '\r'), changed };
}

/** @param {string} text neutralised @param {boolean} isBracketed the program asked for frames */
export const framed = (text, isBracketed) =>
  isBracketed ? `${FRAME_START}${text}${FRAME_END}` : text;
