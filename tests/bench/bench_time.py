#!/usr/bin/env python3
"""Instructions for each operation of the coordinator, counted by callgrind: a table, and BUILD/bench-time.json.

    tests/bench/bench_time.py PROGRAM BUILD [--docs]

--docs puts the table into docs/performance.md. The counts are exact and the same in each run. Fails where an operation grows faster than logarithmically: from ten
timers or VMs on, each doubling may cost at most as much again as PER_DOUBLING."""
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import report

PER_DOUBLING = 120  # instructions: a step down a heap for the removal and one for the insertion, and the way back up


def measure(program, build):
    """{operation: {count: instructions for one}}"""
    folder = Path(build) / "bench-time"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("out*"):
        old.unlink()
    subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={folder}/out",
                    program], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = {}
    for path in folder.glob("out.*"):
        text = path.read_text()
        name = re.search(r"Client Request: (.*)/(\d+)/(\d+)", text)
        total = re.search(r"^(?:summary|totals): (\d+)", text, re.M)
        if name and total:
            found.setdefault(name[1], {})[int(name[2])] = int(total[1]) / int(name[3])
    empty = found.pop("nothing")[1]
    return {op: {n: round(cost - empty, 1) for n, cost in sorted(costs.items())} for op, costs in sorted(found.items())}


def table(costs, title):
    counts = sorted({n for by_count in costs.values() for n in by_count})
    lines = [f"{title:34}" + "".join(f"{n:>9,}" for n in counts)]
    lines += [f"{op:34}" + "".join(f"{by_count[n]:9,.0f}" for n in counts) for op, by_count in costs.items()]
    return "\n".join(lines)


def too_steep(costs):
    for op, by_count in costs.items():
        few, many = min(n for n in by_count if n >= 10), max(by_count)
        growth = by_count[many] - by_count[few]
        if growth > PER_DOUBLING * math.log2(many / few):
            yield f"{op}: {by_count[few]:.0f} with {few}, {by_count[many]:.0f} with {many}: more than logarithmic"


def main():
    program, build = sys.argv[1:3]
    costs = measure(program, build)
    vms = {op: c for op, c in costs.items() if op.startswith("coordinator")}
    timers = {op: c for op, c in costs.items() if op not in vms}
    text = f"{table(timers, 'instructions, by timers in a VM')}\n\n{table(vms, 'instructions, by VMs')}"
    print(text)
    (Path(build) / "bench-time.json").write_text(json.dumps({"unit": "instructions", "costs": costs}, indent=1) + "\n")
    if "--docs" in sys.argv[3:]:
        report.put_into(report.DOCS, "time", f"```\n{text}\n```")
    faults = list(too_steep(costs))
    for fault in faults:
        print(f"bench-time: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
