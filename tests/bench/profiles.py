#!/usr/bin/env python3
"""Where a round trip's instructions go: each of the kernel's functions, as often as it is executed.

    tests/bench/profiles.py [--build DIR] [--lines] [--top N] [NAME...]

NAME: a figure of tests/bench/figures.py (default: those with a budget). --lines: by source line, inlined functions told
apart."""
import argparse
import bisect
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import figures  # noqa: E402
import measure  # noqa: E402
from machine import Failed, symbols  # noqa: E402


def measured(build, name):
    """The Result of one figure, with its profile."""
    if name == figures.SWITCH.name:
        return measure.switch(build, profile=True)
    if name.startswith(("share-", "tick-")):
        return measure.share(build, int(name.partition("-")[2]), profile=True)[0]
    only, settings = ("rdtsc", "time=strict") if name == figures.STRICT.name else (name, "")
    return measure.trips(build, only, settings, profile=True)[0][2]


def by_function(build, addresses):
    """Local labels of NASM and parts that gcc splits off count for the whole."""
    functions = [(address, name.split(".")[0]) for address, kind, name in symbols(f"{build}/escapement.debug")
                 if kind in "tT" and name not in ("text_start", "text_end")]
    starts = [address for address, _ in functions]
    return [functions[bisect.bisect_right(starts, a) - 1][1] for a in addresses]


def by_line(build, addresses):
    text = "\n".join(f"{a:#x}" for a in addresses)
    done = subprocess.run(["addr2line", "-f", "-e", f"{build}/escapement.debug"], input=text, capture_output=True,
                          text=True, check=True)
    lines = done.stdout.splitlines()
    return [f"{where.split(' ')[0]} {name}" for name, where in zip(lines[::2], lines[1::2])]


def show(build, name, result, top, lines=False):
    """One table, the most expensive first; names in alphabetical order where they cost the same."""
    names = (by_line if lines else by_function)(build, list(result.at))
    sums = {}
    for place, count in zip(names, result.at.values()):
        sums[place] = sums.get(place, 0) + count
    total = sum(sums.values())
    print(f"\n{name}: {total / result.tries:,.1f} instructions of the hypervisor, the mean of {result.tries}")
    rows = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    for place, count in rows[:top]:
        print(f"  {count / result.tries:12,.1f} {100 * count / total:5.1f} %  {place}")
    if len(rows) > top:
        print(f"  {sum(c for _, c in rows[top:]) / result.tries:12,.1f}          {len(rows) - top} more")


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--lines", action="store_true", help="by source line")
    parser.add_argument("--top", type=int, default=30, metavar="N", help="so many rows of each (default 30)")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args(argv)
    known = [f.name for f in figures.ALL]
    for name in args.names:
        if name not in known:
            print(f"bench: no figure '{name}'; there are: {', '.join(known)}", file=sys.stderr)
            return 2
    try:
        for name in args.names or [f.name for f in figures.ALL if f.budget is not None]:
            result = measured(args.build, name)
            show(args.build, name, result, args.top, args.lines)
    except (Failed, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
