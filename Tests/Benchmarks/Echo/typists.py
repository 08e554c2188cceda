"""Types into many terminals, quiet and beside a flood, and prints how long keys take to come back: the
same client for Fairlead and for terminado, so that what it costs itself is in both. The flood is read by a
process of its own: a typist must not wait for another user's client.

  typists.py fairlead|terminado PORT [TYPISTS] [SECONDS] [ROUNDS]
  typists.py fairlead|terminado PORT flood
"""

import asyncio
import base64
import gc
import json
import os
import random
import signal
import statistics
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "Cost"))
from driver import ENDED, HELLO, INPUT, KILL, OPEN, OUTPUT, OUTPUT_ACK, read_varint, varint  # noqa: E402

ECHO = "stty raw -echo; printf ready; exec cat"
FLOOD = "while :; do head -c 100000000 /dev/zero | tr '\\0' x; done"
# As much as is typed: Keystroke/typists.c has the same.
BULK = "stty raw -echo; printf ready; while read -r size; do head -c $size /dev/zero | tr '\\0' x; done"
REFUSED, CLOSE = 0x12, 0x13


class WebSocket:
    async def connect(self, port, path, protocol=None):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        key = base64.b64encode(os.urandom(16)).decode()
        asks = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        self.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{asks}\r\n".encode()
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            sys.exit(head.decode())

    def send(self, payload, opcode=2):
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
        self.writer.write(bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload)

    async def receive(self):
        while True:
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            payload = await self.reader.readexactly(size)
            if first & 15 == 9:
                self.send(payload, 10)
            elif first & 15 == 8:
                sys.exit(f"the server closed the connection: {payload[2:].decode()}")
            else:
                return payload


class Fairlead(WebSocket):
    async def open(self, port, script):
        await self.connect(port, "/v1/connect", "fairlead.v1")
        self.frames, self.typed, self.shown, self.killed = b"", 0, 0, False
        self.frame(HELLO, 0, json.dumps({"versions": [1], "client": os.urandom(8).hex()}).encode())
        self.frame(OPEN, 1, json.dumps({"create": {"command": ["sh", "-c", script]}}).encode())

    def frame(self, kind, stream, body):
        content = bytes([kind]) + varint(stream) + body
        self.send(varint(len(content)) + content)

    def type(self, key):
        self.frame(INPUT, 1, varint(self.typed) + key)
        self.typed += len(key)

    def kill(self):
        self.killed = True
        self.frame(KILL, 1, b"")

    async def output(self):
        """How many bytes came, in one message or more."""
        self.frames += await self.receive()
        count = 0
        while self.frames:
            length, at = read_varint(self.frames + bytes(8), 0)
            if len(self.frames) < at + length:
                break
            frame, self.frames = self.frames[at : at + length], self.frames[at + length :]
            _, body = read_varint(frame, 1)
            if frame[0] == OUTPUT:
                _, start = read_varint(frame, body)
                count += len(frame) - start
            elif frame[0] == ENDED and self.killed:
                sys.exit()
            elif frame[0] in (REFUSED, CLOSE, ENDED):
                sys.exit(f"frame {frame[0]:#x}: {frame[body:].decode()}")
        if count:
            self.shown += count
            self.frame(OUTPUT_ACK, 1, varint(self.shown) + varint(self.shown))
        return count


class Terminado(WebSocket):
    async def open(self, port, script):
        await self.connect(port, "/echo" if script == ECHO else "/flood")

    def kill(self):
        sys.exit()

    def type(self, key):
        self.send(json.dumps(["stdin", key.decode()]).encode(), 1)

    async def output(self):
        kind, *rest = json.loads(await self.receive())
        return len(rest[0]) if kind == "stdout" else 0


TERMINALS = {"fairlead": Fairlead, "terminado": Terminado}


async def read_flood(kind, port):
    """Prints ten times a second how many bytes have come."""
    terminal, count, said = TERMINALS[kind](), 0, 0
    await terminal.open(port, FLOOD)
    # A session that nobody shows any more runs on.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminal.kill)
    while True:
        count += await terminal.output()
        if time.monotonic() - said > 0.1:
            said = time.monotonic()
            print(count, flush=True)


async def main(kind, port, typists=100, seconds=5, turns=5):
    terminal = TERMINALS[kind]
    times, ready, measuring = [], asyncio.Semaphore(0), False

    async def typist():
        mine = terminal()
        await mine.open(port, ECHO)
        shown = 0
        while shown < 5:
            shown += await mine.output()
        ready.release()
        while True:
            await asyncio.sleep(random.uniform(0.02, 0.08))
            start = time.perf_counter()
            mine.type(b"k")
            while not await mine.output():
                pass
            if measuring:
                times.append(time.perf_counter() - start)

    flooded = 0

    async def flood():
        nonlocal flooded
        reader = await asyncio.create_subprocess_exec(
            sys.executable, __file__, kind, str(port), "flood", stdout=asyncio.subprocess.PIPE)
        try:
            while line := await reader.stdout.readline():
                flooded = int(line)
            sys.exit("the flood has ended")
        finally:
            if reader.returncode is None:
                reader.terminate()
            await reader.communicate()

    async def measure(name):
        """Milliseconds of the median and the 99th percentile, keys, and the flood's MB/s."""
        nonlocal measuring
        before, measuring = flooded, True
        await asyncio.sleep(seconds)
        measuring = False
        ordered = sorted(times)
        times.clear()
        result = [1_000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99)] if ordered else [0, 0]
        result += [len(ordered), (flooded - before) / seconds / 1e6]
        show(name, result)
        return result

    def show(name, result):
        print(f"{kind:10} {name:14} {result[0]:8.2f} {result[1]:8.2f}"
              + (f" {result[2]:8.0f} {result[3]:8.1f}" if len(result) > 2 else ""), flush=True)

    tasks = [asyncio.create_task(typist()) for _ in range(typists)]
    for _ in range(typists):
        await ready.acquire()
    # What the client itself does now and then must not be taken for the server's.
    gc.collect()
    gc.disable()
    # By turns, so that what the machine does meanwhile is in both.
    rounds = {"quiet": [], "beside flood": []}
    for _ in range(turns):
        await asyncio.sleep(1)
        rounds["quiet"].append(await measure("quiet"))
        flooding = asyncio.create_task(flood())
        await asyncio.sleep(2)
        rounds["beside flood"].append(await measure("beside flood"))
        for task in [*tasks, flooding]:
            if task.done():
                task.result()
        flooding.cancel()
        await asyncio.wait([flooding])
    medians = {name: [statistics.median(column) for column in zip(*results)] for name, results in rounds.items()}
    for name, result in medians.items():
        show(name.split()[0] + ", median", result)
    quiet, beside = medians.values()
    show("ratio", [after / before if before else 0 for before, after in zip(quiet[:2], beside[:2])])


if __name__ == "__main__":
    kind, port, *numbers = sys.argv[1:]
    if numbers == ["flood"]:
        asyncio.run(read_flood(kind, int(port)))
    else:
        asyncio.run(main(kind, int(port), *map(int, numbers)))
