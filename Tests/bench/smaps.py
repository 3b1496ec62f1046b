#!/usr/bin/env python3
"""smaps.py PROCESS... — the resident memory of a process as a table, in kB: whose it is, and of what kind.

code       read and run from the file; the kernel may drop it and read it again, and other processes share it
constants  read from the file, as code is
data       pages of the file that were written, by the loader or the program: its own
memory     heap, stacks and the like: its own
"""

import re
import sys

GROUPS = [
    ("the program", r"/backhaul[^/]*$"),
    ("Swift library (shared ones)", r"/lib(swift|Foundation|_Foundation|dispatch|BlocksRuntime)"),
    ("C library", r"/(libc|libm|libresolv|ld-linux[^/]*|libpthread|libdl)[.-]"),
    ("C++ library", r"/lib(stdc\+\+|gcc_s)"),
    ("libmnl, libnftnl", r"/lib(mnl|nftnl)"),
    ("libcrypto, libssl", r"/lib(crypto|ssl)"),
    ("libcurl", r"/libcurl"),
    ("libraries that libcurl needs", r"/lib[^/]*\.so"),
]
KINDS = ["code", "constants", "data", "memory"]


def mappings(process):
    """Each with its permissions, its name and its sizes."""
    found = []
    with open(f"/proc/{process}/smaps") as lines:
        for line in lines:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+) *(.*)$", line)
            if head:
                found.append({"start": int(head[1], 16), "end": int(head[2], 16), "may": head[3], "name": head[5].strip()})
            else:
                key, value = line.split(":", 1)
                if value.strip().endswith("kB"):
                    found[-1][key] = int(value.split()[0])
    return found


def owner(mapping, before):
    for group, pattern in GROUPS:
        if re.search(pattern, mapping["name"]):
            return group
    if mapping["name"].startswith("/"):
        return "other files"
    if mapping["name"] == "[heap]":
        return "heap"
    if mapping["name"].startswith("[stack"):
        return "stacks"
    if mapping["name"].startswith("["):
        return "the kernel's"
    # A thread's stack has a guard before it, and a library's zeroed data follows the library.
    if before and before["end"] == mapping["start"] and before["may"].startswith("---") and not before["name"]:
        return "stacks"
    if before and before["end"] == mapping["start"] and before["name"].startswith("/"):
        return owner(before, None)
    return "heap" if (mapping["end"] - mapping["start"]) % (64 << 20) and mapping["start"] % (64 << 20) == 0 else "other memory"


def table(process):
    rows, before = {}, None
    for mapping in mappings(process):
        row = rows.setdefault(owner(mapping, before), dict.fromkeys(KINDS, 0))
        own = mapping.get("Anonymous", 0)
        is_file = mapping["name"].startswith("/")
        row["data" if is_file else "memory"] += own
        row["code" if "x" in mapping["may"] else "constants"] += mapping.get("Rss", 0) - own
        before = mapping
    return rows


def main():
    for process in sys.argv[1:]:
        rows = table(process)
        print(f"{'':<30}" + "".join(f"{kind:>11}" for kind in KINDS + ["together"]))
        for name, row in sorted(rows.items(), key=lambda item: -sum(item[1].values())):
            if sum(row.values()):
                print(f"{name:<30}" + "".join(f"{row[kind]:>11}" for kind in KINDS) + f"{sum(row.values()):>11}")
        totals = [sum(row[kind] for row in rows.values()) for kind in KINDS]
        print(f"{'together':<30}" + "".join(f"{total:>11}" for total in totals) + f"{sum(totals):>11}")


main()
