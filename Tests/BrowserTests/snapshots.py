"""P1: a snapshot of the node's screen and the output after it show in xterm.js what all the output shows,
cell by cell. The recordings of Tests/ScreenTests, cut anywhere."""

import asyncio
import base64
import json
import os
import pathlib
import random

HERE = pathlib.Path(__file__).resolve().parent
RECORDINGS = HERE.parent / "ScreenTests" / "Recordings"
COMPARE = (HERE / "screens.js").read_text()
COLUMNS, ROWS, SCROLLBACK = 80, 24, 1_000
CUTS = 6


class ScreenProcess:
    """Tests/ScreenCommand: the node's screen, for whoever is not written in Swift."""

    def __init__(self, path):
        self.path = path

    async def answer(self, **request):
        process = await asyncio.create_subprocess_exec(
            self.path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate(json.dumps(request).encode() + b"\n")
        assert process.returncode == 0, f"{self.path} ended with {process.returncode}"
        return json.loads(output)

    async def snapshots(self, output, cuts):
        """One at each of the ascending cuts."""
        steps, start = [], 0
        for at in cuts:
            steps += [{"write": base64.b64encode(output[start:at]).decode()}, {"get": "snapshot"}]
            start = at
        answer = await self.answer(
            columns=COLUMNS, rows=ROWS, scrollback=SCROLLBACK, steps=steps)
        return [value["bytes"] for value in answer["values"]]


async def compare(test, output, cuts, **options):
    snapshots = await test.screen.snapshots(output, cuts)
    page = await test.page()
    # The page of a session that does not exist has all that is needed, and starts nothing.
    await page.page.goto(f"{test.backend.url}/t/none")
    differences = await page.js(COMPARE, {
        "columns": COLUMNS, "rows": ROWS, "scrollback": SCROLLBACK,
        "bytes": base64.b64encode(output).decode(), "isOpen": False,
        "cuts": [{"at": at, "snapshot": snapshot} for at, snapshot in zip(cuts, snapshots)],
        **options})
    assert not differences, "\n".join(differences)
    # Programs that test terminals send what is none of a terminal's business; xterm.js says so.
    page.problems = [it for it in page.problems if not it.startswith("xterm.js: Parsing error")]


def cuts_of(name, output):
    """Random places, and the end."""
    seed = int(os.environ.get("FAIRLEAD_SEED") or random.getrandbits(32))
    print(f"{name}: FAIRLEAD_SEED={seed}", flush=True)
    places = random.Random(seed)
    return sorted(places.sample(range(len(output)), CUTS)) + [len(output)]


def of_recording(path):
    async def test_snapshots(test):
        output = path.read_bytes()
        await compare(test, output, cuts_of(test.name, output))

    return f"test_snapshots_of_{path.name.replace('-', '_')}", test_snapshots


for name, function in map(of_recording, sorted(RECORDINGS.iterdir())):
    globals()[name] = function


async def test_snapshots_of_a_full_scrollback(test):
    """1,000 lines of a build's output above the screen, in colours, some wrapped, some wide."""
    lines = "".join(
        f"\x1b[1;32m[{number}/2000]\x1b[m Compiling \x1b[4;38;5;{number % 256}mmodule {number}\x1b[m "
        + (f"端末 {'and so on ' * 9}" if number % 7 == 0 else "") + "\r\n" for number in range(1_300))
    output = lines.encode()
    await compare(test, output, cuts_of(test.name, output))


async def test_snapshots_of_unicode_16(test):
    """What came after xterm.js's own tables has the same width in both; also where it meets the right edge."""
    characters = (
        "\U0001F972\U0001FAE0\U0001FAE8\U0001F6DC\U0001FAE9\u2630\u2637\u268A\u4DC0\U0001D300"
        "\uD7B0\u0600\u0897")
    lines = "".join(f"{' ' * indent}{it}|\r\n" for it in characters for indent in (0, 77, 78, 79))
    joined = "".join(f"x{it}\u0301\ufe0f{it}\u200d{it}|\r\n" for it in characters)
    output = (lines + joined + characters * 9).encode()
    await compare(test, output, cuts_of(test.name, output))


async def test_snapshots_bring_colours_titles_and_links(test):
    output = (
        "\x1b]0;a title\x07\x1b]4;1;#123456;200;rgb:ff/80/00\x1b\\\x1b]10;#abcdef\x07\x1b]11;#102030\x07"
        "\x1b]12;#ff00ff\x07\x1b]8;id=a;http://example.com/one\x07one\x1b]8;;\x07 \x1b]8;;file:///two\x1b\\"
        "\x1b[4:3;58:2::1:2:3mtwo\x1b[m\r\n\x1b[4:5mdashed\x1b]8;;\x07\x1b[21mdouble\x1b[53mover").encode()
    await compare(test, output, [len(output)], isOpen=True)
