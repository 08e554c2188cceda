// How many columns a character takes, for xterm.js: as the session's screen counts. xterm.js 6 itself counts by
// Unicode 6, and its addon by Unicode 12, so that the cursor stands wrong behind a newer emoji.

import { wide, zero } from './widths.js';

const VERSION = 'fairlead-16';

/** @returns the code point stands in one of sorted ranges, each its first and its last one */
function isIn(ranges, code) {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[2 * middle + 1] < code) low = middle + 1;
    else high = middle;
  }
  return 2 * low < ranges.length && ranges[2 * low] <= code;
}

const search = (code) => (isIn(zero, code) ? 0 : isIn(wide, code) ? 2 : 1);

/** Widths of the first plane, looked up for every character that is shown; 3: not searched yet. */
const plane = new Uint8Array(0x10000).fill(3);
plane.fill(0, 0, 0x20);
plane.fill(1, 0x20, 0x7f);
plane.fill(0, 0x7f, 0xa0);

/** @param {number} code a code point @returns {0 | 1 | 2} */
export function columnsOf(code) {
  if (code >= 0x10000) return search(code);
  const width = plane[code];
  return width === 3 ? (plane[code] = search(code)) : width;
}

/** xterm.js's IUnicodeVersionProvider. What it says of a character is a width, times two, and whether that joins. */
const provider = {
  version: VERSION,
  wcwidth: columnsOf,
  charProperties(code, before) {
    const width = columnsOf(code);
    const widthBefore = (before >> 1) & 3;
    // A mark joins what takes columns, and leaves that as wide as it is; so do U+FE0F and the joiner of emoji.
    return width === 0 && widthBefore > 0 ? (widthBefore << 1) | 1 : width << 1;
  },
};

/** Makes an xterm.js count so. @returns {{dispose(): void}} lets it count as before */
export function countAsScreen(xterm) {
  const { options } = xterm;
  const { allowProposedApi } = options;
  // `unicode` is a proposed API. The page need not have allowed those for itself.
  options.allowProposedApi = true;
  const { unicode } = xterm;
  options.allowProposedApi = allowProposedApi;
  const before = unicode.activeVersion;
  unicode.register(provider);
  unicode.activeVersion = VERSION;
  return { dispose: () => (unicode.activeVersion = before) };
}
