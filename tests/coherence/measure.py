#!/usr/bin/env python3
"""The coherence report (docs/coherence.md): clock guests with all timers among busy ones like themselves, under the time
coordinator, with time=naive, and each on a plain QEMU of its own, all of those on one core.

    tests/coherence/measure.py --build BUILD [--on qemu|bochs] [--vms 1,2,4,8] [--seconds 10] [--shift N] [--only REGEX] [--keep] [--docs] [--out FOLDER]

Everything comes into BUILD/coherence: a log for each run, table.txt, coherence.tsv, coherence.json, coherence.svg. --keep
takes the logs that are there instead of running again; --docs puts table and picture into docs/."""
import argparse
import os
import re
import sys
import time

import figures
import machines
import report


def plan(on, vms):
    """(name of the log, machine, mode, VMs) of each run."""
    runs = [(f"{on}-{mode}-{n}", "escapement", mode, n) for mode in ("coordinated", "naive") for n in vms]
    return runs + ([(f"plain-{n}", "plain QEMU", "-", n) for n in vms] if on == "qemu" else [])


def one(args, name, machine, mode, vms):
    """The text of a run, kept in its log."""
    path = f"{args.out}/{name}.log"
    if args.keep and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return file.read()
    started = time.monotonic()
    if machine == "escapement":
        text = machines.escapement(args.build, args.on, mode, vms, args.seconds, args.shift, args.timeout)
    else:
        text = machines.plain(args.build, vms, args.seconds, args.timeout)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"coherence: {name}: {time.monotonic() - started:.0f} s of wall time", file=sys.stderr, flush=True)
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", help="BUILD/coherence if not given")
    parser.add_argument("--on", choices=("qemu", "bochs"), default="qemu")
    parser.add_argument("--vms", default="1,2,4,8")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--shift", type=int, default=0, help="QEMU: an instruction counts 2^N ns (default 0)")
    parser.add_argument("--timeout", type=int, default=3600)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--docs", action="store_true")
    args = parser.parse_args()
    args.out = args.out or f"{args.build}/coherence"
    os.makedirs(args.out, exist_ok=True)
    records, failed = [], 0
    for name, machine, mode, vms in plan(args.on, [int(n) for n in args.vms.split(",")]):
        if not re.search(args.only, name):
            continue
        try:
            records.append(figures.read(one(args, name, machine, mode, vms), machine, mode, vms))
        except (machines.Failed, ValueError) as error:
            print(f"coherence: {name}: {error} ({args.out}/{name}.log)", file=sys.stderr)
            failed += 1
    report.write(args.out, records, args.seconds)
    print(report.table(records))
    if args.docs:
        report.into_docs(records, args.seconds, args.on)
    broken = [r for r in records if r["mode"] == "coordinated" and report.faults(r, args.seconds)]
    for record in broken:
        print(f"coherence: {record['vms']} VMs, coordinated: {', '.join(report.faults(record, args.seconds))}", file=sys.stderr)
    return 1 if broken or failed else 0


if __name__ == "__main__":
    sys.exit(main())
