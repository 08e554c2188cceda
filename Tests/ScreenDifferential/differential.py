#!/usr/bin/env python3
"""Random output through the node's screen and through libghostty-vt (PyPI: pyghostty); says where the two
differ, with the least output that shows it. What known.txt lists is left out. deploy/fuzz-screen.sh runs
this; by hand: differential.py BUILD SECONDS [SEED [STREAMS]]"""

import base64
import json
import pathlib
import random
import re
import subprocess
import sys
import time

from pyghostty import Terminal, ffi, lib
from pyghostty.core import init_sized, read_buf

HERE = pathlib.Path(__file__).resolve().parent
KNOWN = [line.split("\t")[0] for line in (HERE / "known.txt").read_text().splitlines()
         if line and not line.startswith("#")]
PIECE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^X][^\x1b]*\x1b\\|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]|.",
    re.DOTALL)
SIZES = [(20, 6), (80, 24), (11, 3), (40, 2)]
STYLES = ("bold", "italic", "faint", "blink", "inverse", "invisible", "strikethrough", "overline")
# Private modes that both have, and what answers DECRQM for all of them.
MODES = (1, 5, 6, 7, 9, 25, 45, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004)
ASK_MODES = b"\x18" + b"".join(b"\x1b[?%d$p" % mode for mode in MODES) + b"\x1b[4$p\x1b[20$p"


def without_known(choose):
    """A function that leaves the known differences out; of the pairs it chooses."""
    left_out = re.compile("|".join(f"(?:{choose.choice(it.split(' ~~ '))})" for it in KNOWN), re.DOTALL)

    def filtered(output):
        # Again and again: what is left may match where the left out was.
        while (shorter := left_out.sub("", output)) != output:
            output = shorter
        return output

    return filtered


class Screen:
    """Tests/ScreenCommand."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def random_output(self, seed, pieces):
        # What is no UTF-8 is dropped as xterm.js does; libghostty-vt shows U+FFFD.
        return base64.b64decode(self.ask(seed=seed, pieces=pieces)["bytes"]).decode("utf-8", "ignore")

    def show(self, output, columns, rows):
        steps = [{"write": base64.b64encode(output).decode(), "get": "lines"}, {"get": "ansi"},
                 {"get": "answers"}, {"write": base64.b64encode(ASK_MODES).decode(), "get": "answers"}]
        state, ansi, _, modes = self.ask(columns=columns, rows=rows, scrollback=0, steps=steps)["values"]
        return state, base64.b64decode(ansi["bytes"]).split(b"\n")[:rows], base64.b64decode(modes["bytes"])


class Ghostty:
    def __init__(self, columns, rows):
        self.terminal = Terminal(columns, rows, scrollback=0)
        self.columns, self.rows = columns, rows
        self.answers = b""
        self.terminal.on_reply(self.heard)

    def heard(self, answer):
        self.answers += answer

    def feed(self, output):
        self.terminal.feed(output)

    def modes(self):
        self.answers = b""
        self.feed(ASK_MODES)
        return self.answers

    def cursor(self):
        x, y = self.terminal.cursor
        return x, y, bool(self.terminal.get("cursor_pending_wrap", "bool"))

    def is_alternate(self):
        return self.terminal.get("active_screen", "GhosttyTerminalScreen") != 0

    def drawing(self):
        """The screen as one sequence of bytes: a quick way to see that two are the same."""
        selection = init_sized("GhosttySelection")
        selection.start = self.terminal.ref(0, 0)[0]
        selection.end = self.terminal.ref(self.columns - 1, self.rows - 1)[0]
        options = init_sized("GhosttyTerminalSelectionFormatOptions")
        options.emit, options.selection = lib.GHOSTTY_FORMATTER_FORMAT_VT, selection
        drawn = read_buf(lambda *buffer: lib.ghostty_terminal_selection_format_buf(
            self.terminal._t[0], options[0], *buffer))
        # Without the palette in front, and the pen at the end.
        return re.sub(r"\x1b]4;[^\x1b]*\x1b\\|(?:\x1b\[[0-9;:]*m|\x1b]8;[^\x1b]*\x1b\\)+$", "", drawn)

    def cells(self):
        return [[self.cell(x, y) for x in range(self.columns)] for y in range(self.rows)]

    def cell(self, x, y):
        """Text, width and looks."""
        ref = self.terminal.ref(x, y)
        cell = ffi.new("GhosttyCell*")
        lib.ghostty_grid_ref_cell(ref, cell)
        kind = ffi.new("GhosttyCellContentTag*")
        lib.ghostty_cell_get(cell[0], lib.GHOSTTY_CELL_DATA_CONTENT_TAG, kind)
        wide = ffi.new("GhosttyCellWide*")
        lib.ghostty_cell_get(cell[0], lib.GHOSTTY_CELL_DATA_WIDE, wide)
        style = self.terminal.style(x, y)
        if kind[0] == lib.GHOSTTY_CELL_CONTENT_BG_COLOR_PALETTE:
            index = ffi.new("GhosttyColorPaletteIndex*")
            lib.ghostty_cell_get(cell[0], lib.GHOSTTY_CELL_DATA_COLOR_PALETTE, index)
            style["bg"] = ("palette", index[0])
        elif kind[0] == lib.GHOSTTY_CELL_CONTENT_BG_COLOR_RGB:
            color = ffi.new("GhosttyColorRgb*")
            lib.ghostty_cell_get(cell[0], lib.GHOSTTY_CELL_DATA_COLOR_RGB, color)
            style["bg"] = ("rgb", (color.r, color.g, color.b))
        length = ffi.new("size_t*")
        codes = ffi.new("uint32_t[64]")
        lib.ghostty_grid_ref_graphemes(ref, codes, 64, length)
        text = "".join(map(chr, codes[0:length[0]])).strip("\0")
        # A spacer where a wide character found no room is blank.
        narrow = wide[0] in (lib.GHOSTTY_CELL_WIDE_NARROW, lib.GHOSTTY_CELL_WIDE_SPACER_HEAD)
        looks = tuple(name for name in STYLES if style[name])
        underline = (style["underline"], style["underline_color"]) if style["underline"] else ()
        return text or " ", 1 if narrow else wide[0], looks, style["fg"], style["bg"], underline


def difference(screen, text, columns, rows):
    """What differs after this output, or nothing."""
    output = text.encode()
    state, ansi, modes = screen.show(output, columns, rows)
    theirs = Ghostty(columns, rows)
    theirs.feed(output)
    ours = (*state["cursor"], state["isWrapPending"])
    # What Screen calls its looks is read by the other terminal itself.
    painted = Ghostty(columns, rows)
    painted.feed(b"".join(b"\x1b[%d;1H%s" % (row + 1, line) for row, line in enumerate(ansi)))
    if painted.drawing() != theirs.drawing():
        for y, (row, other) in enumerate(zip(painted.cells(), theirs.cells())):
            for x, (cell, wanted) in enumerate(zip(row, other)):
                if cell != wanted:
                    return f"row {y}, column {x}: {cell}, there {wanted}"
    if ours != theirs.cursor():
        return f"cursor {ours}, there {theirs.cursor()}"
    if state["isAlternate"] != theirs.is_alternate():
        return f"alternate {state['isAlternate']}, there {theirs.is_alternate()}"
    if modes != (other := theirs.modes()):
        pairs = zip(modes.split(b"\x1b["), other.split(b"\x1b["))
        return f"modes {[pair for pair in pairs if pair[0] != pair[1]]}"
    return None


def least(output, is_bad):
    """A part of the output that still shows a difference, and is as short as leaving pieces out makes it."""
    pieces = PIECE.findall(output)
    size = max(1, len(pieces) // 2)
    while True:
        start, has_changed = 0, False
        while start < len(pieces):
            fewer = pieces[:start] + pieces[start + size:]
            if is_bad("".join(fewer)):
                pieces, has_changed = fewer, True
            else:
                start += size
        if size == 1 and not has_changed:
            return "".join(pieces)
        size = max(1, size // 2)


def main():
    build, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else random.getrandbits(48)
    most = int(sys.argv[4]) if len(sys.argv) > 4 else sys.maxsize
    print(f"seed {first}", flush=True)
    screen = Screen(build / "fairlead-screen")
    end = time.monotonic() + seconds
    count = total = bad = 0
    while time.monotonic() < end and count < most and bad < 5:
        seed = first + count
        choose = random.Random(seed)
        columns, rows = choose.choice(SIZES)
        filtered = without_known(choose)
        output = filtered(screen.random_output(seed, choose.choice([10, 40, 100])))
        count += 1
        total += len(output)
        if (first_seen := difference(screen, output, columns, rows)) is None:
            continue
        bad += 1
        print(f"seed {seed}, {columns}x{rows}: {first_seen}", flush=True)
        shortest = filtered(least(output, lambda it: difference(screen, filtered(it), columns, rows)))
        print(f"    {shortest!r}: {difference(screen, shortest, columns, rows)}", flush=True)
    print(f"{count} streams, {total} characters: {bad} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
