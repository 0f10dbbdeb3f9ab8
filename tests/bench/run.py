#!/usr/bin/env python3
"""What Escapement costs, in instructions, on QEMU's SVM: a table, and BUILD/bench/bench.json.

    tests/bench/run.py [--build DIR] [--filter REGEX]"""
import argparse
import json
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import figures  # noqa: E402
import measure  # noqa: E402
from machine import Failed  # noqa: E402


def steps(build):
    """(name, function that gives {figure: value}): the names are for --filter and for the progress lines."""
    yield "trips", lambda: {name: value for name, value, _ in measure.trips(build)}
    # Every RDTSC exits and is answered from apparent time: a read through the coordinator, and nothing besides.
    yield figures.STRICT.name, lambda: {figures.STRICT.name: measure.trips(build, "rdtsc", "time=strict")[0][1]}
    yield figures.SWITCH.name, lambda: {figures.SWITCH.name: measure.switch(build).median.host}
    for n, figure in zip(figures.BUSY, figures.SHARES):
        yield figure.name, lambda n=n, figure=figure: {figure.name: measure.percent(measure.share(build, n))}


def table(values):
    lines = [f"{'':34} {'measured':>12} {'budget':>9}"]
    for figure in figures.ALL:
        if figure.name in values:
            value = values[figure.name]
            lines.append(f"{figure.title:34} {figures.shown(figure, value):>12} {figures.shown_budget(figure):>9} "
                         f"{figures.mark(figure, value)}".rstrip())
    return "\n".join(lines)


def as_json(values):
    return {f.name: {"title": f.title, "unit": "%" if f.percent else "instructions", "value": values[f.name],
                     "budget": f.budget, "mark": figures.mark(f, values[f.name]) or None}
            for f in figures.ALL if f.name in values}


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only these boots: trips, rdtsc-strict, switch, share-N")
    args = parser.parse_args(argv)
    values = {}
    for name, step in steps(args.build):
        if not re.search(args.filter, name):
            continue
        start = time.monotonic()
        print(f"bench: {name} ...", end="", file=sys.stderr, flush=True)
        try:
            values.update(step())
        except (Failed, OSError) as error:
            print(f" failed: {error}", file=sys.stderr)
            return 1
        print(f" {time.monotonic() - start:.1f} s", file=sys.stderr)
    print("Instructions on QEMU's SVM, -icount shift=0; medians.")
    print(table(values))
    with open(f"{args.build}/bench/bench.json", "w", encoding="utf-8") as file:
        json.dump(as_json(values), file, indent=1)
        file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
