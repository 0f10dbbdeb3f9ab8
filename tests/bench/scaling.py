#!/usr/bin/env python3
"""What a machine of several processors is worth: eight busy guests on 1, 2, 4 processors of Bochs, where they run side by
side. The work that they do together in a second of theirs, the work of one of them alone being 1; what that is of as many
as there are processors; how often each processor changed its guest and armed its timer. Status 1 if one is more than 3 %
from linear.

    tests/bench/scaling.py [--build DIR] [--processors 1,2,4] [--keep DIR]"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "boot"))
sys.dont_write_bytecode = True

from parallel import EIGHT_BUSY, linear, together  # noqa: E402

LINE = re.compile(r"^escapement: processor \d+: (\d+) switches, timer armed (\d+) times", re.MULTILINE)
TIMEOUT = 3600
ROW = "{:>10}  {:>8}  {:>9}  {:<24}{}"


def run(build, processors):
    words = [word.format(guests=os.path.join(build, "guests")) for word in EIGHT_BUSY]
    command = [os.path.join(ROOT, "tools", "run"), "--on", "bochs", "--cpus", str(processors), "--timeout", str(TIMEOUT),
               "--kernel", os.path.join(build, "escapement.elf"), *words]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    return result.stdout.decode(errors="replace").replace("\r", ""), result.returncode


def row(text, processors):
    """The table's, and a complaint or None."""
    times, complaint = together(text)
    counts = LINE.findall(text)
    if complaint or len(counts) != processors:
        return None, complaint or f"{len(counts)} processors reported, not {processors}"
    switches, arms = ([pair[i] for pair in counts] for i in (0, 1))
    return ROW.format(processors, f"{times:.3f}", f"{100 * times / processors:.2f} %", " ".join(switches),
                      " ".join(arms)), linear(processors)(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--processors", default="1,2,4", help="numbers of processors, with commas (default 1,2,4)")
    parser.add_argument("--keep", help="a folder for the serial logs")
    args = parser.parse_args()
    failed = False
    print(ROW.format("processors", "work", "of linear", "switches", "timer armed"), flush=True)
    for number in (int(n) for n in args.processors.split(",")):
        text, status = run(args.build, number)
        if args.keep:
            with open(os.path.join(args.keep, f"scaling-{number}"), "w", encoding="utf-8") as file:
                file.write(text)
        line, complaint = (None, f"tools/run ended with status {status}") if status else row(text, number)
        if line:
            print(line, flush=True)
        if complaint:
            print(f"scaling.py: on {number} processors: {complaint}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
