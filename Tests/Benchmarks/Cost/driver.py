"""Types into one terminal through a router, or lets it print, and says when the counted part begins and
ends: a fairlead.v1 client in the standard library, written from docs/protocol.md.

  driver.py PORT keystrokes COUNT     a raw `cat`; each key waits for its echo, and acknowledges the one before
  driver.py PORT output MEGABYTES     a process that prints so much, acknowledged as it comes

Between READY and DONE on standard output lies the counted part; a line on standard input starts it.
"""

import base64
import json
import os
import socket
import struct
import sys

HELLO, OPEN, OPENED, KILL, ENDED = 0x01, 0x10, 0x11, 0x14, 0x15
OUTPUT, OUTPUT_ACK, INPUT = 0x20, 0x22, 0x23


def varint(number):
    for bits, mark in ((6, 0), (14, 1), (30, 2), (62, 3)):
        if number < 1 << bits:
            size = 1 << mark
            return (number | mark << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(number)


def read_varint(data, at):
    size = 1 << (data[at] >> 6)
    number = int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1)
    return number, at + size


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /v1/connect HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Protocol: fairlead.v1\r\n\r\n".encode()
        )
        self.raw = b""
        while b"\r\n\r\n" not in self.raw:
            self.raw += self.socket.recv(4096)
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            sys.exit(head.split(b"\r\n")[0].decode())
        self.frames = b""

    def send(self, kind, stream, body=b"", before=b""):
        """One message: `before`, which is a whole frame, and this one."""
        frame = before + self.frame(kind, stream, body)
        mask = b"\0\0\0\0"
        size = bytes([0x80 | len(frame)]) if len(frame) < 126 else b"\xfe" + struct.pack("!H", len(frame))
        self.socket.sendall(b"\x82" + size + mask + frame)

    @staticmethod
    def frame(kind, stream, body):
        content = bytes([kind]) + varint(stream) + body
        return varint(len(content)) + content

    def fill(self):
        """One read of the socket; whole WebSocket messages go to `frames`."""
        data = self.socket.recv(1 << 18)
        if not data:
            sys.exit("the router closed the connection")
        self.raw += data
        while len(self.raw) >= 2:
            opcode, size, at = self.raw[0] & 15, self.raw[1] & 127, 2
            if size == 126:
                size, at = struct.unpack_from("!H", self.raw, 2)[0] if len(self.raw) >= 4 else 1 << 62, 4
            elif size == 127:
                size, at = struct.unpack_from("!Q", self.raw, 2)[0] if len(self.raw) >= 10 else 1 << 62, 10
            if len(self.raw) < at + size:
                return
            payload, self.raw = self.raw[at : at + size], self.raw[at + size :]
            if opcode == 9:
                self.socket.sendall(b"\x8a" + bytes([0x80 | len(payload)]) + b"\0\0\0\0" + payload)
            elif opcode == 8:
                sys.exit(f"the router closed the connection: {payload[2:].decode()}")
            else:
                self.frames += payload

    def next(self):
        while True:
            if self.frames:
                size = 1 << (self.frames[0] >> 6)
                if len(self.frames) >= size:
                    length, at = read_varint(self.frames, 0)
                    if len(self.frames) >= at + length:
                        frame, self.frames = self.frames[at : at + length], self.frames[at + length :]
                        stream, body = read_varint(frame, 1)
                        return frame[0], frame[body:]
            self.fill()

    def wait(self, kind):
        while True:
            got, body = self.next()
            if got == kind:
                return body
            if got in (0x12, 0x13, ENDED):
                sys.exit(f"frame {got:#x}: {body.decode()}")

    def open(self, script):
        self.send(HELLO, 0, json.dumps({"versions": [1], "client": f"cost-{os.getpid()}"}).encode())
        create = {"command": ["sh", "-c", script]}
        self.send(OPEN, 1, json.dumps({"create": create}).encode())
        self.wait(OPENED)


def counted(run):
    print("READY", flush=True)
    sys.stdin.readline()
    run()
    print("DONE", flush=True)
    sys.stdin.readline()


def keystrokes(client, count):
    client.open("stty raw -echo; printf ready; exec cat")
    printed = 0
    while printed < 5:
        offset, at = read_varint(body := client.wait(OUTPUT), 0)
        printed = offset + len(body) - at

    def run():
        acknowledgement = b""
        for key in range(count):
            client.send(INPUT, 1, varint(key) + b"k", before=acknowledgement)
            offset, at = read_varint(body := client.wait(OUTPUT), 0)
            end = offset + len(body) - at
            acknowledgement = client.frame(OUTPUT_ACK, 1, varint(end) + varint(end))

    counted(run)
    client.send(KILL, 1)


def output(client, megabytes):
    size = megabytes * 1_000_000
    client.open(f"stty raw -echo; read -r go; head -c {size} /dev/zero | tr '\\0' x; exec sleep 600")

    def run():
        client.send(INPUT, 1, varint(0) + b"\n")
        acknowledged = end = 0
        while end < size:
            offset, at = read_varint(body := client.wait(OUTPUT), 0)
            end = offset + len(body) - at
            if end - acknowledged >= 32_768 or end >= size:
                client.send(OUTPUT_ACK, 1, varint(end) + varint(end))
                acknowledged = end

    counted(run)
    client.send(KILL, 1)


if __name__ == "__main__":
    port, mode, amount = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    {"keystrokes": keystrokes, "output": output}[mode](Client(port), amount)
