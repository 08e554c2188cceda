// Run in the page: shows all output in one xterm.js, and for each cut a snapshot and the output after it
// in a fresh one; resolves to what differs, at the cut and at the end. Each xterm.js is made and fed as
// those of the page are.
async ({ columns, rows, scrollback, bytes, cuts, isOpen }) => {
  const [{ FairleadAddon }, { Emitter }] = await Promise.all(
    ['fairlead-xterm.js', 'fairlead/emitter.js'].map((it) => import(`/assets/${it}`)));

  /** What the addon takes for a FairleadTerminal. */
  class Source extends Emitter {
    #owed = 0;
    #shown;
    write() {}
    /** Hands out bytes, and waits until they were all shown. */
    async show(name, bytes) {
      if (bytes.length === 0) return;
      this.#owed += bytes.length;
      const shown = new Promise((resolve) => (this.#shown = resolve));
      this.emit(name, { bytes, first: true, last: true });
      await shown;
    }
    ack(count) {
      this.#owed -= count;
      if (this.#owed === 0) this.#shown();
    }
  }

  class Client {
    source = new Source();
    xterm = new globalThis.Terminal({ cols: columns, rows, scrollback });
    title = '';
    constructor() {
      this.xterm.onTitleChange((title) => (this.title = title));
      this.xterm.loadAddon(new FairleadAddon(this.source));
      if (!isOpen) return;
      this.element = document.body.appendChild(document.createElement('div'));
      this.xterm.open(this.element);
    }
    dispose() {
      this.xterm.dispose();
      this.element?.remove();
    }
    /** The whole state, as lines of text. */
    describe() {
      const { xterm } = this;
      const { coreService, buffer, coreMouseService, _charsetService, _inputHandler } = xterm._core;
      const { active, normal } = xterm.buffer;
      const pen = _inputHandler._curAttrData;
      const lines = [
        `cursor ${active.cursorX} ${active.cursorY}, of ${active.type}, top ${active.baseY}`,
        `modes ${JSON.stringify(xterm.modes)}`,
        `mouse ${coreMouseService.activeProtocol} ${coreMouseService.activeEncoding}`,
        `look of the cursor ${coreService.isCursorHidden} ${coreService.decPrivateModes.cursorStyle} `
          + `${coreService.decPrivateModes.cursorBlink}`,
        `pen ${look(pen)} ${pen.isProtected()}`,
        `region ${buffer.scrollTop} ${buffer.scrollBottom}`,
        `tabs ${Object.keys(buffer.tabs).filter((it) => buffer.tabs[it])}`,
        // DECRC brings back the set in use without designating it; Screen designates it (docs/screen.md).
        `charsets ${_charsetService.glevel} `
          + [0, 1, 2, 3].map((it) => JSON.stringify(it === _charsetService.glevel
            ? _charsetService.charset : _charsetService._charsets[it])),
        `title ${this.title}`,
        ...this.cells(normal),
      ];
      if (active !== normal) lines.push(...this.cells(active));
      if (isOpen) {
        const { ansi, foreground, background, cursor } = xterm._core._themeService.colors;
        lines.push(`colours ${[foreground, background, cursor, ...ansi].map(({ css }) => css)}`);
      }
      return lines;
    }
    cells(buffer) {
      const links = this.xterm._core._oscLinkService;
      const rows = [];
      const cell = buffer.getNullCell();
      for (let y = 0; y < buffer.length; y++) {
        const line = buffer.getLine(y);
        const row = [];
        for (let x = 0; x < columns; x++) {
          line.getCell(x, cell);
          const { urlId } = cell.extended;
          const link = urlId && links.getLinkData(urlId);
          row.push(`${cell.getChars()}|${cell.getWidth()}|${look(cell)}|${cell.isProtected()}`
            + (link ? `|${link.id ?? ''};${link.uri}` : ''));
        }
        rows.push({ name: `${buffer.type} ${y}`, isWrapped: line.isWrapped, row });
      }
      return rows;
    }
  }

  // An underline that DECRC brought back has no style in xterm.js 6: docs/screen.md, "Where it differs".
  const underline = (cell) => cell.isUnderline()
    ? [cell.getUnderlineStyle() || 1, cell.getUnderlineColorMode(), cell.getUnderlineColor()] : [0];
  const look = (cell) => [
    cell.getFgColorMode(), cell.getFgColor(), cell.getBgColorMode(), cell.getBgColor(), cell.isBold(),
    cell.isItalic(), cell.isDim(), cell.isInverse(), cell.isInvisible(), cell.isBlink(),
    cell.isStrikethrough(), cell.isOverline(), ...underline(cell),
  ].map(Number).join();

  /** The first few places where two descriptions differ. */
  const differences = (seen, expected) => {
    const found = [];
    if (seen.length !== expected.length) found.push(`${seen.length} lines, not ${expected.length}`);
    for (const [at, wanted] of expected.entries()) {
      const line = seen[at];
      if (found.length > 4 || !line) break;
      if (typeof wanted === 'string') {
        if (line !== wanted) found.push(`${line} INSTEAD OF ${wanted}`);
        continue;
      }
      if (line.isWrapped !== wanted.isWrapped) found.push(`${wanted.name}: wrapped ${line.isWrapped}`);
      const x = wanted.row.findIndex((cell, index) => cell !== line.row[index]);
      if (x >= 0) found.push(`${wanted.name}, column ${x}: ${line.row[x]} INSTEAD OF ${wanted.row[x]}`);
    }
    return found;
  };

  const decode = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const output = decode(bytes);
  const whole = new Client();
  const late = [];
  const found = [];
  let shown = 0;
  for (const { at, snapshot } of cuts) {
    await whole.source.show('output', output.subarray(shown, at));
    shown = at;
    const client = new Client();
    await client.source.show('snapshot', decode(snapshot));
    for (const it of differences(client.describe(), whole.describe())) found.push(`at ${at}: ${it}`);
    await client.source.show('output', output.subarray(at));
    late.push({ at, lines: client.describe() });
    client.dispose();
  }
  await whole.source.show('output', output.subarray(shown));
  const end = whole.describe();
  for (const { at, lines } of late) {
    for (const it of differences(lines, end)) found.push(`cut at ${at}, at the end: ${it}`);
  }
  whole.dispose();
  return found;
}
