"""What a keystroke costs: Fairlead beside HAProxy and nginx before another terminal server, in one run, by turns.

Called by ./deploy/bench-keystroke.sh, which installs and builds what this needs. Prints one table, in Markdown.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from operator import itemgetter

import rivals
from meters import Strace, memory, usage
from rivals import BACK, FRONT, HOLDER, REGISTRY

HELP = """
What is measured, each part by turns of all rivals, the medians of the rounds being told:

  type     200 typists, each with a connection of its own and 10 keys a second: µs of processor time per key of every
           process, wake-ups (a thread slept and was woken), the time from when a key was due until its echo was read
  one      one typist, 200 keys a second: nothing is shared with anybody
  calls    system calls per key, counted by strace with 20 typists, since what is traced is slow
  bulk     one session prints, and a client reads as fast as it can
  attach   1,000 sessions are resumed at once, 8 on a connection
  memory   KiB of each of 1,000 idle sessions, each attached by a connection of its own, without history and with 120 lines
  growth   µs per key at 20, 200, 800 and 2,000 typists: Fairlead and the floor, since the others are full before

examples:
  ./deploy/bench-keystroke.sh                                 builds, and measures all of it: some 15 minutes
  ./deploy/bench-keystroke.sh --quick --only type,one         a first look: some 2 minutes
  ./deploy/bench-keystroke.sh --binary new --against old      two builds beside each other
  ./deploy/bench-keystroke.sh --holder off                    what the holder costs is the difference
  ./deploy/bench-keystroke.sh --ttyd /usr/bin/ttyd            the rival whom the goals were set against

`floor` is no rival: the least that a terminal server does for a key, in C (floor.c), with one read and one write for each side.
Bare, behind HAProxy and behind HAProxy twice (a chain of three processes, as router, node and holder are) it costs what the
kernel costs.

Read the ratios, not the times: all rivals and the typists share one machine, and other load is in all of them. A load
that changes during the run shows as rounds that differ: they are kept with --rounds-to FILE.
"""

PARTS = ("type", "one", "calls", "bulk", "attach", "memory", "growth")
GROWTH = (20, 200, 800, 2000)


def free_terminals():
    with open("/proc/sys/kernel/pty/max") as most, open("/proc/sys/kernel/pty/nr") as now:
        return int(most.read()) - int(now.read()) - 50


def used_per(count, field="cpu", part=None):
    """Of a round's result: what all parts used, or one, for each of what the result counts."""
    return lambda result: sum(getattr(used, field) for its, used in result["used"].items()
                              if part in (None, its)) / max(result[count], 1)


def of_rivals_with(part, results):
    return {name: rounds for name, rounds in results.items() if part in rounds[0]["used"]}


class Progress:
    def __init__(self):
        self.is_shown, self.began = sys.stderr.isatty(), time.monotonic()

    def say(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        line = f"{minutes:2}:{seconds:02} {text}"
        print(f"\r\x1b[K{line}" if self.is_shown else line, end="" if self.is_shown else "\n", file=sys.stderr, flush=True)

    def end(self):
        if self.is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Typists:
    """The load generator at one rival: its sessions stay open between rounds."""

    def __init__(self, binary, mode, rival, **numbers):
        port = rival.bulk_port if mode == "bulk" else rival.port
        command = [binary, mode, rival.protocol, str(port)]
        for name, number in numbers.items():
            command += [f"--{name}", str(number)]
        self.rival = rival
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            sys.exit(f"the typists at {self.rival.name} have ended")
        return json.loads(line)

    def round(self, seconds):
        """What the round brought, and what each part of the rival used for it."""
        before = {part: usage(pids) for part, pids in self.rival.parts.items()}
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        result = self.answer()
        result["used"] = {part: usage(pids) - before[part] for part, pids in self.rival.parts.items()}
        return result

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.progress, self.servers = Progress(), None
        self.open, self.rounds, self.rows, self.names = [], [], [], []

    def start(self, with_others=True):
        """Starts all rivals anew: none of them has to do with what was before."""
        a = self.arguments
        folder = tempfile.mkdtemp(prefix="s", dir=self.folder)
        self.servers = servers = rivals.Servers(folder)
        self.fairleads = [rivals.cluster(servers, "Fairlead", "a", a.binary, a.holder),
                          rivals.serve(servers, "serve", "as", a.binary, a.holder)]
        if a.against:
            self.fairleads += [rivals.cluster(servers, "against", "b", a.against, a.holder),
                               rivals.serve(servers, "serve, against", "bs", a.against, a.holder)]
        others = []
        if a.python and with_others:
            bare = rivals.terminado(servers, a.python)
            others += [rivals.behind_haproxy(servers, bare), rivals.behind_nginx(servers, bare), bare]
        if a.ttyd and with_others:
            bare = rivals.ttyd(servers, a.ttyd)
            others += [rivals.behind_haproxy(servers, bare), bare]
        if a.floor:
            bare = rivals.floor(servers, a.floor)
            single = rivals.behind_haproxy(servers, bare)
            others += [rivals.behind_haproxy(servers, single), single, bare]
        self.all = [*self.fairleads, *others]
        self.names += [rival.name for rival in self.all if rival.name not in self.names]

    def stop(self):
        for typists in [*self.open]:
            self.close(typists)
        if self.servers:
            self.servers.end()
        self.servers = None

    def measure(self, part):
        if part == "growth":
            return self.measure_growth()
        self.start()
        getattr(self, f"measure_{part}")()
        self.stop()

    # MARK: Measuring

    def opened(self, mode, rival, **numbers):
        self.progress.say(f"{mode}: {numbers.get('typists', 1)} at {rival.name} …")
        typists = Typists(self.arguments.typists, mode, rival, **numbers)
        self.open.append(typists)
        return typists

    def close(self, typists):
        self.open.remove(typists)
        typists.end()

    def by_turns(self, name, mode, those, seconds, warm_up, numbers):
        """Rounds of all by turns: {rival: [result, …]}."""
        all_typists = [self.opened(mode, rival, **numbers(rival)) for rival in those]
        results = {rival.name: [] for rival in those}
        time.sleep(1)
        for turn in range(-1 if warm_up else 0, self.arguments.rounds):
            for typists in all_typists:
                self.progress.say(f"{name}: round {turn + 1} of {self.arguments.rounds}, {typists.rival.name}")
                result = typists.round(warm_up if turn < 0 else seconds)
                if turn >= 0:
                    results[typists.rival.name].append(result)
                    self.rounds.append({"part": name, "rival": typists.rival.name, "load": os.getloadavg()[0], **result})
        for typists in all_typists:
            self.close(typists)
        return results

    def type(self, name, those, typists, rate):
        return self.by_turns(name, "type", those, self.arguments.seconds, 1, lambda _: {"typists": typists, "rate": rate})

    # MARK: Rows

    def row(self, label, values, goal="", serve_goal="", digits=1):
        self.rows.append((label, values, goal, serve_goal, digits))

    def medians(self, label, results, value, *goals, digits=1):
        self.row(label, {name: statistics.median(map(value, rounds)) for name, rounds in results.items()}, *goals,
                 digits=digits)

    def sums(self, label, results, value):
        self.row(label, {name: sum(map(value, rounds)) for name, rounds in results.items()}, digits=0)

    def typing_rows(self, label, results, goals={}, serve_goal=""):
        self.medians(f"{label}: µs per key", results, used_per("keys"), goals.get("cpu"), serve_goal)
        for part in (FRONT, BACK, HOLDER, REGISTRY):
            self.medians(f"… {part}", of_rivals_with(part, results), used_per("keys", part=part))
        self.medians(f"{label}: wake-ups per key", results, used_per("keys", "wakeups"), digits=2)
        for part in (FRONT, BACK, HOLDER):
            self.medians(f"… {part}", of_rivals_with(part, results), used_per("keys", "wakeups", part), digits=2)
        for field in ("p50", "p90", "p99", "p99.9", "max"):
            self.medians(f"{label}: echo {field}, ms", results, itemgetter(field), goals.get(field), digits=2)
        self.sums(f"{label}: lost or wrong, of all keys", results, lambda result: result["lost"] + result["wrong"])
        self.medians("… µs per key of the typists", results, itemgetter("cpu_us_per_key"))

    def measure_type(self):
        self.typing_rows("200 × 10/s", self.type("type", self.all, 200, 10),
                         {"cpu": "≤ 0.9", "p50": "≤ 1.0", "p99": "≤ 0.7"}, "≤ 1.2")

    def measure_one(self):
        self.typing_rows("one × 200/s", self.type("one", self.all, 1, 200), {"cpu": "≤ 1.2"})

    def measure_calls(self):
        totals, parts = {}, {}
        for rival in self.all:
            typists = self.opened("type", rival, typists=20, rate=10)
            time.sleep(3)  # What begins with the sessions is over.
            with Strace(rival.parts, self.folder) as trace:
                result = typists.round(self.arguments.seconds)
            self.close(typists)
            counts = {part: {name: calls / result["keys"] for name, calls in its.items() if calls / result["keys"] >= 0.05}
                      for part, its in trace.calls.items()}
            parts[rival.name] = counts
            totals[rival.name] = sum(sum(its.values()) for part, its in counts.items() if part != REGISTRY)
        self.row("20 × 10/s: system calls per key", totals)
        for part in (FRONT, BACK, HOLDER):
            self.row(f"… {part}", {name: sum(its[part].values()) for name, its in parts.items() if part in its})
        self.calls = parts

    def measure_bulk(self):
        size = 50 if self.arguments.quick else None
        results = self.by_turns("bulk", "bulk", self.all, 120, 0,
                                lambda rival: {"typists": 1, "bytes": min(size or 1000, rival.megabytes) * 1_000_000})
        self.medians("bulk: MB/s", results, itemgetter("MB_per_s"), "≥ 1.5")
        # µs for a MB are ms for a GB.
        per_megabyte = used_per("megabytes")
        self.medians("bulk: processor seconds per GB", results, lambda result: per_megabyte(result) / 1000, "≤ 0.5")

    def measure_attach(self):
        results = self.by_turns("attach", "attach", self.fairleads, 60, 60, lambda _: {"typists": 1000, "streams": 8})
        self.medians("1,000 attaches, 8 a connection: per second", results, itemgetter("attaches_per_s"), "≥ 10,000/s",
                     digits=0)
        self.medians("… µs of processor time of each", results, used_per("attaches"))

    def measure_memory(self):
        for lines in (0, 120):
            # The sessions of before would take terminals.
            self.stop()
            self.start(False)
            used = {}
            for rival in self.fairleads:
                # What comes with the first ones belongs to nobody.
                first = self.opened("type", rival, typists=100, lines=lines)
                time.sleep(2)
                before = {part: memory(pids) for part, pids in rival.parts.items()}
                typists = self.opened("type", rival, typists=1000, lines=lines)
                time.sleep(3)
                used[rival.name] = {part: (memory(pids) - before[part]) / 1000 / 1024 for part, pids in rival.parts.items()}
                self.close(typists)
                self.close(first)
            label = f"an idle session with {lines} lines of history" if lines else "an idle session"
            self.row(f"{label}, attached: KiB", {name: sum(its.values()) for name, its in used.items()})
            for part in (FRONT, BACK, HOLDER):
                self.row(f"… {part}", {name: its[part] for name, its in used.items() if part in its})

    def measure_growth(self):
        for typists in GROWTH:
            # ttyd keeps up with 800; terminado's one thread does not with 300.
            with_others = bool(self.arguments.ttyd) and typists == 800
            self.start(with_others)
            names = [rival.name for rival in self.all if "terminado" not in rival.name]
            # Each typist has a terminal at each rival: where there are not enough of them, one rival after the other.
            fits = typists * len(names) < free_terminals()
            results = {}
            for group in [names] if fits else [[name] for name in names]:
                if not self.servers:
                    self.start(with_others)
                those = [rival for rival in self.all if rival.name in group]
                results |= self.type("growth", those, typists, 10)
                self.stop()
            self.growth_rows(f"growth, {typists:,} × 10/s", results, typists == 800)

    def growth_rows(self, label, results, has_goals):
        self.medians(f"{label}: µs per key", results, used_per("keys"), "≤ 0.75" if has_goals else "")
        self.medians("… echo p50, ms", results, itemgetter("p50"), "≤ 1.0" if has_goals else "", digits=2)
        self.medians("… echo p99, ms", results, itemgetter("p99"), digits=2)
        self.medians("… who waits longest ÷ who waits in the middle", results, itemgetter("slowest"), digits=1)
        self.sums("… lost, of all keys", results, itemgetter("lost"))
        self.medians("… µs per key of the typists", results, itemgetter("cpu_us_per_key"))

    # MARK: The table

    def print_table(self):
        a = self.arguments
        # (heading, numerator, denominator, which goal)
        ratios, names = [], self.names
        if a.against:
            ratios += [("÷ against", "Fairlead", "against", None), ("serve ÷ against", "serve", "serve, against", None)]
        bare = "ttyd" if "ttyd" in names else "terminado"
        if bare in names:
            ratios += [(f"Fairlead ÷ HAProxy + {bare}", "Fairlead", f"HAProxy + {bare}", 0),
                       (f"serve ÷ {bare}", "serve", bare, 1)]
        if "floor" in names:
            ratios += [("Fairlead ÷ HAProxy + floor", "Fairlead", "HAProxy + floor", None),
                       ("Fairlead ÷ HAProxy + HAProxy + floor", "Fairlead", "HAProxy + HAProxy + floor", None),
                       ("serve ÷ floor", "serve", "floor", None)]
        heads = ["", *names]
        for heading, _, _, goal in ratios:
            heads += [heading] + ([] if goal is None else ["goal"])
        print("| " + " | ".join(heads) + " |")
        print("|---|" + "---:|" * (len(heads) - 1))
        for label, values, goal, serve_goal, digits in self.rows:
            cells = [label] + [f"{values[name]:,.{digits}f}" if name in values else "" for name in names]
            for _, over, under, which in ratios:
                has = values.get(over) is not None and values.get(under)
                cells.append(f"{values[over] / values[under]:.2f}" if has else "")
                if which is not None:
                    cells.append((goal, serve_goal)[which] or "")
            print("| " + " | ".join(cells) + " |")

    def print_all(self, began):
        a = self.arguments
        self.progress.end()
        now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        loads = [one["load"] for one in self.rounds] or [began[0]]
        print(f"{now}; {os.cpu_count()} cores; load {began[0]:.1f} before, {min(loads):.1f} to {max(loads):.1f} meanwhile "
              f"(with this); holder {a.holder}; medians of {a.rounds} rounds of {a.seconds:g} s by turns\n")
        self.print_table()
        if not a.ttyd:
            print("\nThe goals are ratios to ttyd behind HAProxy, and to ttyd: give one by --ttyd PATH.")
        for name, parts in getattr(self, "calls", {}).items():
            for part, its in parts.items():
                if part != REGISTRY:
                    names = sorted(its.items(), key=lambda item: -item[1])
                    print(f"{name}, {part}: " + "  ".join(f"{call} {count:.2f}" for call, count in names))


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="./deploy/bench-keystroke.sh", epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures what a keystroke costs in Fairlead and in others, by turns in one run.")
    parser.add_argument("--binary", help="a built `fairlead` to measure, instead of building one")
    parser.add_argument("--against", metavar="BINARY", help="another one, measured in the same run by turns")
    parser.add_argument("--ttyd", metavar="PATH", help="a ttyd (1.7.4 or newer) to measure as well")
    parser.add_argument("--without-terminado", action="store_true", help="leave terminado out, and the proxies before it")
    parser.add_argument("--holder", choices=["on", "off"], default="on", help="whether a holder has the terminals")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,…", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, help="of each (default: 5)")
    parser.add_argument("--seconds", type=float, help="of each round (default: 4)")
    parser.add_argument("--quick", action="store_true", help="two rounds of 2 s")
    parser.add_argument("--rounds-to", metavar="FILE", help="writes what each round brought, a line of JSON each")
    parser.add_argument("--typists", help=argparse.SUPPRESS)
    parser.add_argument("--floor", help=argparse.SUPPRESS)
    parser.add_argument("--python", help=argparse.SUPPRESS)
    a = parser.parse_args()
    a.rounds = a.rounds or (2 if a.quick else 5)
    a.seconds = a.seconds or (2 if a.quick else 4)
    a.only = a.only.split(",")
    if unknown := set(a.only) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    for path in filter(None, (a.binary, a.against, a.ttyd)):
        if not os.access(path, os.X_OK) or os.path.isdir(path):
            parser.error(f"{path} is no program; give the path of one")
    if a.without_terminado:
        a.python = None
    return a


def main():
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    folder = tempfile.mkdtemp(prefix="keys-")
    bench, began = Bench(arguments, folder), os.getloadavg()
    try:
        for part in PARTS:
            if part in arguments.only:
                bench.measure(part)
        bench.print_all(began)
        if arguments.rounds_to:
            with open(arguments.rounds_to, "w") as file:
                for one in bench.rounds:
                    one["used"] = {part: vars(used) for part, used in one["used"].items()}
                    print(json.dumps(one), file=file)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        bench.stop()
        bench.progress.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
