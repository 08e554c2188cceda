"""What processes have used so far, as the kernel counts it, and which system calls they make."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Usage:
    """Of all threads: processor time in µs, and how often one of them slept and was woken."""

    cpu: float = 0
    wakeups: int = 0

    def __add__(self, other):
        return Usage(self.cpu + other.cpu, self.wakeups + other.wakeups)

    def __sub__(self, other):
        return Usage(self.cpu - other.cpu, self.wakeups - other.wakeups)


def usage(pids):
    """schedstat counts in nanoseconds where `stat` counts in ticks of 10 ms. Threads that have ended are not among them:
    those of servers stay."""
    total = Usage()
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    cpu = int(file.read().split()[0]) / 1000
                with open(f"/proc/{pid}/task/{thread}/status") as file:
                    wakeups = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M)[1])
            except FileNotFoundError:
                continue
            total += Usage(cpu, wakeups)
    return total


def memory(pids):
    """Bytes that only these processes have: what was allocated and touched."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += 1024 * int(re.search(r"^Private_Dirty:\s+(\d+)", file.read(), re.M)[1])
    return total


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return []


def running_in(folder):
    """Processes whose arguments name something in the folder: what has detached itself is found by it."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if folder.encode() + b"/" in file.read():
                    yield int(pid)
        except OSError:
            continue


def is_traced(pid):
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/status") as file:
                if "TracerPid:\t0\n" in file.read():
                    return False
        except FileNotFoundError:
            continue
    return True


class Strace:
    """Counts the system calls of processes: `with Strace(parts, folder) as trace: …; trace.calls[part][name]`. What is
    traced is slowed down, so keys must come seldom meanwhile."""

    def __init__(self, parts, folder):
        self.parts, self.folder, self.calls = parts, folder, {}

    def __enter__(self):
        self.running = []
        for part, pids in self.parts.items():
            command = ["strace", "-c", "-f", "-qq", "-U", "name,calls", "-o", f"{self.folder}/{part}.strace"]
            for pid in pids:
                command += ["-p", str(pid)]
            self.running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        pids = [pid for part in self.parts.values() for pid in part]
        for _ in range(600):  # It attaches to one thread after the other, and says nothing when it has.
            if all(is_traced(pid) for pid in pids):
                break
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        for tracer in self.running:
            tracer.send_signal(signal.SIGINT)
        for tracer in self.running:
            tracer.wait()
        for part in self.parts:
            with open(f"{self.folder}/{part}.strace") as file:
                rows = (line.split() for line in file)
                self.calls[part] = {row[0]: int(row[1]) for row in rows
                                    if len(row) == 2 and row[1].isdigit() and row[0] != "total"}
