#!/usr/bin/env python3
"""linkmap.py < MAP — what a binary's bytes are, from GNU ld's map: whose they are, and of what kind.

code        functions
constants   text and tables that are the same wherever the program lies
relocated   tables with addresses in them, which the loader fills in
reflection  what the Swift runtime knows of types
data        what the program may write to
"""

import collections
import re
import sys

KINDS = [
    ("code", r"\.text|\.init|\.fini|\.plt"),
    ("constants", r"\.rodata$|\.eh_frame|\.gcc_except|\.dyn|\.rel|\.gnu|\.hash"),
    ("relocated", r"\.data\.rel\.ro|\.rodata\.rel\.ro|\.got|\.dynamic|\.init_array|\.fini_array"),
    ("reflection", r"swift5_(?!backtrace)|\.swift_modhash"),
    ("data", r"\.data$|swift5_backtrace"),
]


def kind(section):
    return next((name for name, pattern in reversed(KINDS) if re.match(pattern, section)), None)


def owner(path):
    library = re.search(r"lib(\w+)\.a\(", path)
    if library:
        return "lib" + library[1]
    module = re.search(r"/(\w+)\.build/", path)
    return module[1] if module else "what the compiler brings"


def sizes(lines):
    """Of each owner and kind."""
    found = collections.defaultdict(collections.Counter)
    section = None
    for line in lines:
        if line.startswith("Linker script and memory map"):
            section = ""
        if section is None:
            continue
        head = re.match(r"(\.?\w[\w.]*)", line)
        if head:
            section = head[1]
        # A long name stands on a line of its own; what has no address is left out of the binary.
        part = re.match(r" ?(\S*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)", line)
        if part and int(part[2], 16) and kind(section):
            found[owner(part[4])][kind(section)] += int(part[3], 16)
    return found


def main():
    found = sizes(sys.stdin)
    names = [name for name, _ in KINDS]
    print(f"{'':<30}" + "".join(f"{name:>12}" for name in names + ["together"]))
    for name, row in sorted(found.items(), key=lambda item: -sum(item[1].values())):
        print(f"{name:<30}" + "".join(f"{row[kind]:>12}" for kind in names) + f"{sum(row.values()):>12}")
    totals = [sum(row[kind] for row in found.values()) for kind in names]
    print(f"{'together':<30}" + "".join(f"{total:>12}" for total in totals) + f"{sum(totals):>12}")


main()
