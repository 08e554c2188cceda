#!/usr/bin/env python3
"""Writes docs/limits.md, the one table of every bound and its reason, from the modules' files of limits
(Sources/*/*Limits.swift; the times of a lease: Lease.swift).

    ./deploy/limits.py            after a limit was changed
    ./deploy/limits.py --check    ends with 1 if the page is not what it would write
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "limits.md"
HEAD = """# Limits

Every bound and time that the Swift modules fix, with its reason (those of the page stand at the heads of its files); what an
operator may set is in `--help`.
Written by `deploy/limits.py` from the files named here, which hold.
"""
ENUM = re.compile(r"^(?:public |package )?(?:enum|extension) (\w+)")
CONSTANT = re.compile(r"^ *(?:public |package |private )?static let (\w+)(?:: [\w.]+)? = (.+)$")
TIMES = {"nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1, "minutes": 60, "hours": 3600}
TIME = re.compile(r"^(?:\w+)?\.(%s)\((.+)\)$" % "|".join(TIMES))


class Limit:
    def __init__(self, owner, name, expression, reason, unit=""):
        self.owner, self.name, self.expression, self.reason = owner, name, expression, reason
        # The first word of the reason, if it is this constant's own.
        self.unit = unit


def limits(text):
    """Those of one file. A constant without words of its own has those of the one above it."""
    found, words, spoken, owner = [], [], False, ""
    lines = iter(text.splitlines())
    for line in lines:
        comment = re.match(r"^ *///? ?(.*)$", line) if line.lstrip().startswith("///") else None
        if comment:
            words = words + [comment[1]] if spoken else [comment[1]]
            spoken = True
            continue
        if match := ENUM.match(line):
            owner = match[1]
        elif match := CONSTANT.match(line):
            expression = match[2]
            while expression.count("{") > expression.count("}") or expression.endswith(("*", "=")):
                expression += " " + next(lines).strip()
            unit = words[0].split(" ")[0] if spoken and words else ""
            found.append(Limit(owner, match[1], expression, " ".join(words), unit))
        if not line.strip() or ENUM.match(line):
            words = []
        spoken = False
    return found


def amount(seconds):
    if not seconds:
        return "0"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        count = seconds / size
        if count >= 1 and abs(count - round(count)) < 1e-6 and (size < 60 or seconds > 2 * size or seconds == size):
            return f"{round(count):,} {unit}"
    return f"{seconds:g} s"


def size(count):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit:,} {name}"
    return f"{count:,} bytes"


def shown(limit, table, depth=0):
    """The value as a reader of the page wants it: with its unit."""
    expression = limit.expression.strip()
    if expression.startswith("{"):
        # A structure of several: each of its numbers.
        parts = re.findall(r"\w+\.(\w+) = ([\d_ *]+)", expression)
        return ", ".join(f"{name} {shown(Limit('', '', value, ''), table)}" for name, value in parts)
    if expression.startswith("["):
        # A list: each of its numbers.
        each = expression.strip("[]").split(",")
        return ", ".join(shown(Limit(limit.owner, "", part, "", limit.unit), table) for part in each)
    if match := TIME.match(expression):
        return amount(number(match[2], limit.owner, table) * TIMES[match[1]])
    if match := re.match(r"^(.+)\.\.\.(.+)$", expression):
        return " to ".join(f"{number(end, limit.owner, table):,}" for end in match.groups())
    if re.match(r"^[A-Za-z.]+$", expression) and depth < 4:
        # Another one's value, in that one's unit.
        other = table.get(expression) or table.get(f"{limit.owner}.{expression}")
        if other:
            return shown(other, table, depth + 1)
    value = number(expression, limit.owner, table)
    if limit.unit == "Microseconds":
        return amount(value / 1e6)
    if limit.unit == "Milliseconds":
        return amount(value / 1000)
    if limit.unit == "Seconds":
        return amount(value)
    if limit.unit == "Bytes" or "1024" in expression or "<<" in expression:
        return size(int(value))
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}"


def number(expression, owner, table):
    def resolved(match):
        other = table.get(match[0]) or table.get(f"{owner}.{match[0]}")
        if not other:
            raise SystemExit(f"limits.py: {owner}: nothing is known of {match[0]} in {expression}")
        inner = TIME.match(other.expression)
        return f"({number(inner[2] if inner else other.expression, other.owner, table)})"

    text = re.sub(r"[A-Za-z][\w.]*", resolved, re.sub(r"(?<=\d)_(?=\d)", "", expression))
    if not re.fullmatch(r"[\d\s.+*/()<-]+", text):
        raise SystemExit(f"limits.py: {owner}: cannot read {expression}")
    # Digits and signs alone.
    return eval(text.replace("/", "//") if "." not in text else text)


def page():
    files = sorted([*ROOT.glob("Sources/*/*Limits.swift"), *ROOT.glob("Sources/*/Lease.swift")])
    read = [(path, limits(path.read_text())) for path in files]
    table = {f"{limit.owner}.{limit.name}": limit for _, found in read for limit in found}
    text = HEAD
    for path, found in read:
        text += f"\n## {path.parent.name}\n\n`{path.relative_to(ROOT)}`\n\n| limit | value | why |\n|---|---|---|\n"
        for limit in found:
            if not limit.reason:
                raise SystemExit(f"{path}: {limit.owner}.{limit.name} has no reason")
            reason = limit.reason.replace("``", "`").replace("|", "\\|")
            text += f"| `{limit.owner}.{limit.name}` | {shown(limit, table)} | {reason} |\n"
    return text


if sys.argv[1:] == ["--check"]:
    if not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/limits.md is not what the sources say: run ./deploy/limits.py")
elif sys.argv[1:]:
    sys.exit(__doc__)
else:
    PAGE.write_text(page())
