#!/usr/bin/env python3
"""What Escapement costs, in instructions, on QEMU's SVM: a table on the terminal, and BUILD/bench/*.json.

    tests/bench/run.py [--build DIR] [--filter REGEX] [--peers [--docs]]

With --peers KVM's figures stand beside ours, and BUILD/bench/peers.svg is drawn; with --docs they also go to
docs/performance.md and docs/performance.svg."""
import argparse
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import figures  # noqa: E402
import linux  # noqa: E402
import measure  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
from machine import Failed  # noqa: E402


def our_steps(build):
    """(name, function that gives {figure: value}): the names are for --filter and for the progress lines."""
    yield "trips", lambda: {name: value for name, value, _ in measure.trips(build)}
    # Every RDTSC exits and is answered from apparent time: a read through the coordinator, and nothing besides.
    yield figures.STRICT.name, lambda: {figures.STRICT.name: measure.trips(build, "rdtsc", "time=strict")[0][1]}
    yield figures.SWITCH.name, lambda: {figures.SWITCH.name: measure.switch(build).median.host}
    for n in figures.BUSY:
        yield f"share-{n}", lambda n=n: share(build, n)


def share(build, guests):
    result, log = measure.share(build, guests)
    return measure.share_figures(guests, result, iter(log.marks))


def timed(name, step):
    start = time.monotonic()
    print(f"bench: {name} ...", end="", file=sys.stderr, flush=True)
    values = step()
    print(f" {time.monotonic() - start:.1f} s", file=sys.stderr)
    return values


def ours(build, pattern):
    values = {}
    for name, step in our_steps(build):
        if re.search(pattern, name):
            values.update(timed(name, step))
    return values


def columns(args):
    if args.peers:
        linux.need(args.build)
    found = [("Escapement", ours(args.build, args.filter))]
    for number, (name, words) in enumerate(peers.COLUMNS if args.peers else []):
        found.append((name, timed(name, lambda n=number, w=words: peers.measure(args.build, f"peer{n}", w))))
    return found


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only these boots: trips, rdtsc-strict, switch, share-N")
    parser.add_argument("--peers", action="store_true", help="KVM on the same emulator beside ours")
    parser.add_argument("--docs", action="store_true", help="write table and picture into docs/, too")
    args = parser.parse_args(argv)
    try:
        found = columns(args)
    except (Failed, OSError) as error:
        print(f"\nbench: {error}", file=sys.stderr)
        return 1
    print("Instructions on QEMU's SVM, -icount shift=0; medians.")
    print(report.table(found))
    path = f"{args.build}/bench/{'peers' if args.peers else 'bench'}"
    report.write_json(path + ".json", found)
    if args.peers:
        report.write_text(path + ".svg", report.svg(found))
        print(f"Picture: {path}.svg")
    if args.docs:
        report.write_text("docs/performance.svg", report.svg(found))
        report.put_into(report.DOCS, "figures", report.markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
