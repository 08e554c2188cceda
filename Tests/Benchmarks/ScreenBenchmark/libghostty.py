"""libghostty-vt (PyPI: pyghostty 0.1.3) on the streams of ScreenBenchmark; prints `name value` lines."""

import sys
import time

from pyghostty import Terminal, ffi, lib

directory = sys.argv[1]


def feed(terminal, data):
    # Straight to the library, in reads of 16 KiB; the cost of the calls is nothing beside that.
    handle, view = terminal._t[0], ffi.from_buffer(data)
    for start in range(0, len(data), 16384):
        lib.ghostty_terminal_vt_write(handle, view + start, min(16384, len(data) - start))


def load(name):
    with open(f"{directory}/{name}", "rb") as file:
        return file.read()


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


for name in ("plain", "colour", "cursor", "cjk"):
    data = load(name)
    best = 1e9
    for _ in range(5):
        terminal = Terminal(80, 24, scrollback=1000)
        start = time.process_time()
        feed(terminal, data)
        best = min(best, time.process_time() - start)
    print(name, len(data) / best / 1e6)

lines = b"\r\n".join(load("plain").split(b"\r\n")[:125])
before = resident()
terminals = []
for _ in range(100):
    terminal = Terminal(80, 24, scrollback=1000)
    feed(terminal, lines)
    terminals.append(terminal)
print("idle", (resident() - before) / 1024 / len(terminals))
