// Keeps colours readable when a program changes them (OSC 4, 10, 11, 104, 110, 111).
//
// xterm.js 6 keeps the colour that it reckoned for text on a background (`minimumContrastRatio`) under the numbers of the
// two, and its WebGL renderer goes on using it when a number means another colour. What a theme empties then is no
// way out: a theme also takes back what the program has set, and the option itself empties no half contrasts, those of
// dim text. So each change gets new caches, for the atlas of glyphs that xterm.js makes with it; the atlas before may go
// on filling those that it has.

/** Sequences that set colours that text may have or stand on, and that take them back. */
const SETTING = [4, 10, 11, 104, 110, 111];
const CACHES = ['contrastCache', 'halfContrastCache'];

/** Forgets what was reckoned whenever a program sets colours; xterm.js does as it is told right after. */
export function followColors(xterm) {
  for (const number of SETTING) {
    xterm.parser.registerOscHandler(number, () => {
      forgetContrasts(xterm);
      return false;
    });
  }
}

/**
 * Makes a change of settings, after which what was reckoned is forgotten too: xterm.js empties only its first caches. What
 * the program has set stays, as in the session's screen; xterm.js gives a new theme all colours.
 * @param {() => void} change
 */
export function changeColors(xterm, change) {
  const themes = themesOf(xterm);
  const own = themes?._restoreColors;
  const colors = { ...themes?.colors };
  const isSet = (name) => own && colors[name] !== own[name];
  const set = ['foreground', 'background', 'cursor'].filter(isSet);
  const palette = own ? [...colors.ansi].map((color, at) => color !== own.ansi[at] && color) : [];
  forgetContrasts(xterm);
  change();
  if (set.length === 0 && !palette.some(Boolean)) return;
  forgetContrasts(xterm);
  themes.modifyColors((now) => {
    for (const name of set) now[name] = colors[name];
    palette.forEach((color, at) => color && (now.ansi[at] = color));
  });
}

function forgetContrasts(xterm) {
  const colors = themesOf(xterm)?.colors;
  for (const name of CACHES) {
    if (colors?.[name]) colors[name] = new colors[name].constructor();
  }
}

/** Not of xterm.js's interface, which has nothing for it; the version is pinned, and a test looks at what is drawn. */
function themesOf(xterm) {
  return xterm._core?._themeService;
}
