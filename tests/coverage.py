#!/usr/bin/env python3
"""Branch coverage of timers/ and vmm/ by the unit tests: a table, and each branch that no test takes.

    tests/coverage.py BUILD/coverage

`make coverage` builds the tests for it. A branch is one outcome of one condition. Status 1 where a room is under its
floor."""
import concurrent.futures
import json
import os
import subprocess
import sys
from pathlib import Path

FLOORS = {"timers": 100.0, "vmm": 90.0}     # per cent of branches, of a room
ROOT = Path(__file__).resolve().parents[1]


def run_all(folder):
    """Runs each test; the profiles, merged."""
    programs = sorted(p for p in folder.glob("test_*") if os.access(p, os.X_OK) and p.is_file())

    def one(program):
        raw = folder / (program.name + ".profraw")
        # A test that expects an ASSERT to end it fails here, where they are off; `make unit` is the judge of that.
        subprocess.run([str(program)], env=dict(os.environ, LLVM_PROFILE_FILE=str(raw)), cwd=ROOT, capture_output=True,
                       timeout=300, check=False)
        if not raw.exists():
            print(f"coverage: {program.name} left no profile: is it `make unit`'s that fails?", file=sys.stderr)
        return raw

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        raws = [str(r) for r in pool.map(one, programs) if r.exists()]
    merged = folder / "all.profdata"
    subprocess.run(["llvm-profdata", "merge", "-sparse", "-o", str(merged)] + raws, check=True)
    return programs, merged


def branches(programs, profile):
    """{file: {(line, column): [taken true, taken false]}}; what several programs share is added up."""
    objects = [word for p in programs[1:] for word in ("-object", str(p))]
    text = subprocess.run(["llvm-cov", "export", "-skip-functions", "-instr-profile", str(profile), str(programs[0])]
                          + objects, capture_output=True, text=True, check=True).stdout
    found = {}
    for entry in json.loads(text)["data"][0]["files"]:
        name = os.path.relpath(entry["filename"], ROOT)
        if name.split("/")[0] not in FLOORS or not name.endswith(".c"):
            continue
        places = found.setdefault(name, {})
        for line, column, _, _, true, false, *_ in entry["branches"]:
            counts = places.setdefault((line, column), [0, 0])
            counts[0] += true
            counts[1] += false
    return found


def table(found):
    good = True
    for room, floor in FLOORS.items():
        taken = total = 0
        for name in sorted(n for n in found if n.startswith(room + "/")):
            outcomes = [c > 0 for counts in found[name].values() for c in counts]
            taken, total = taken + sum(outcomes), total + len(outcomes)
            if outcomes and (not all(outcomes)):
                print(f"{name:28} {sum(outcomes):5} of {len(outcomes):5}  {100 * sum(outcomes) / len(outcomes):6.2f} %")
            for (line, column), (true, false) in sorted(found[name].items()):
                if not (true and false):
                    never = "true or false" if not true and not false else "true" if not true else "false"
                    print(f"    {name}:{line}:{column}: never {never}")
        share = 100 * taken / total
        good &= share >= floor
        print(f"{room + '/':28} {taken:5} of {total:5}  {share:6.2f} % of the branches; the floor is {floor:g} %")
    return good


def main():
    folder = Path(sys.argv[1]).resolve()
    programs, profile = run_all(folder)
    return 0 if table(branches(programs, profile)) else 1


if __name__ == "__main__":
    sys.exit(main())
