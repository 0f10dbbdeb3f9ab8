#!/usr/bin/env python3
"""Random scenarios: timesim against reference_timesim.py, row by row; and properties of every run's rows and ledger.

Usage: fuzz_timesim.py [N] [SEED]   (default 400 1). TIMESIM names the program (default build/timesim).
Deterministic for a seed. A failing scenario is printed, with both outputs; status 1."""

import os
import random
import subprocess
import sys
from pathlib import Path

import reference_timesim as reference

TIMESIM = os.environ.get("TIMESIM", str(Path(__file__).resolve().parents[2] / "build" / "timesim"))
TOP = 1 << 62


def number(r, scale):
    """Mostly small, sometimes anything up to 2^62."""
    kind = r.random()
    if kind < 0.1:
        return r.choice([0, 1, 2, 3])
    return r.randrange(scale)


def policy(r, scale):
    words = []
    if r.random() < 0.8:
        kind = r.random()
        if kind < 0.4:
            words.append("C=%d" % r.choice([1, 2, 3, 4, 10, scale]))
        else:
            q = r.randrange(1, 12) if kind < 0.8 else r.randrange(1, TOP // 2)
            words.append("C=%d/%d" % (min(TOP, q + r.randrange(q * 3 + 1)), q))
    for key in ("K1", "K2", "leap", "progress"):
        chance = {"K1": 0.3, "K2": 0.3, "leap": 0.4, "progress": 0.4}[key]
        if r.random() < chance:
            words.append("%s=%d" % (key, number(r, max(2, scale // r.choice([1, 4, 10, 30])))))
    if r.random() < 0.3:
        words.append("gap=jump")
    if r.random() < 0.4:
        words.append("hyst=" + r.choice(["5c", "rtc", "artp"]))
    if r.random() < 0.2:
        words.append("rate=adaptive")
    r.shuffle(words)
    return "policy " + " ".join(words)


def plan(r, around, scale, span, smallest):
    first = max(0, around + r.randrange(-scale // 2 - 1, scale + 1))
    if r.random() < 0.55:
        return "periodic", "first=%d period=%d" % (min(first, TOP), r.randrange(smallest, smallest + scale))
    ats = [first]
    for _ in range(r.randrange(6)):
        ats.append(max(0, ats[-1] + r.choice([0, -1, 1]) + r.randrange(-(scale // 8) - 1, scale)))
    return "oneshot", "at=" + ",".join(str(min(a, TOP, around + span * 2)) for a in ats)


def runs(r, scale):
    at = r.choice([0, 0, 0, r.randrange(scale)])
    made = []
    for _ in range(r.randrange(1, 7)):
        end = at + 1 + r.randrange(scale * r.choice([1, 1, 3]))
        made.append((at, end))
        at = end + r.choice([0, r.randrange(scale), r.randrange(scale * 3)])
    return made


def scenario(r):
    scale = r.choice([6, 12, 40, 40, 100, 100, 1000, 10**6, 1 << 40, TOP // 40])
    span = scale * 20
    smallest = max(1, scale // 30)
    names = ["T%d" % i for i in range(r.randrange(0, 5))]
    made = runs(r, scale)
    lines = [policy(r, scale)]
    for name in names:
        lines.append("timer %s %s %s" % ((name,) + plan(r, r.randrange(scale), scale, span, smallest)))
    lines += ["run %d %d" % w for w in made]
    for _ in range(r.randrange(12)):
        start, end = r.choice(made)
        rt = r.choice([start, end - 1, r.randrange(start, end), r.randrange(start, end)])
        kind = r.random()
        if kind < 0.5 or not names:
            lines.append("read %d" % rt)
        elif kind < 0.85:
            lines.append("set %d %s %s" % (rt, r.choice(names), plan(r, rt, scale, span, smallest)[1]))
        else:
            lines.append("clear %d %s" % (rt, r.choice(names)))
    body = lines[1:]
    r.shuffle(body)
    body.sort(key=lambda line: not line.startswith("timer"))
    return "\n".join(lines[:1] + body) + "\n"


def ledger_faults(text):
    faults = []
    for line in text.splitlines():
        if line.startswith("# vm rt="):
            v = {k: int(n) for k, n in (w.split("=") for w in line.split()[2:])}
            if v["rt"] != v["run"] + v["leapt"] + v["lag"] + v["paused"] or v["at"] != v["run"] + v["leapt"]:
                faults.append(line)
        elif line.startswith("# timer "):
            v = {k: int(n) for k, n in (w.split("=") for w in line.split()[3:])}
            if v["due"] != sum(v[k] for k in ("delivered", "merged", "dropped", "cancelled", "pending")):
                faults.append(line)
        elif line.startswith("# balance") and line != "# balance ok":
            faults.append(line)
    return faults


def order_faults(rows):
    """AT and RT never decrease; events are in AT order."""
    return [(a, b) for a, b in zip(rows, rows[1:]) if int(b[0]) < int(a[0]) or int(b[1]) < int(a[1])]


def ledger_agrees(ref, text):
    """What the reference counted, tick by tick, is what the ledger says."""
    for line in text.splitlines():
        if line.startswith("# timer "):
            words = line.split()
            v = {k: int(n) for k, n in (w.split("=") for w in words[3:])}
            if any(v[k] != n for k, n in ref.ticks[words[2]].items()):
                return False
        elif line.startswith("# vm rt="):
            v = {k: int(n) for k, n in (w.split("=") for w in line.split()[2:])}
            if v["leapt"] != ref.leapt or v["at"] != ref.at_c() or v["lag"] != ref.present() - v["at"]:
                return False
    return True


def check(text):
    """None, or what is wrong."""
    out = subprocess.run([TIMESIM, "--ledger", "-"], input=text, capture_output=True, text=True, check=False)
    if out.returncode != 0:
        return "status %d\n%s" % (out.returncode, out.stderr)
    ref = reference.Reference(reference.parse(text))
    expected = reference.tsv(ref.run())
    rows = "".join(line + "\n" for line in out.stdout.splitlines() if not line.startswith("#"))
    if rows != expected:
        return "rows differ\n--- timesim\n%s--- reference\n%s" % (rows, expected)
    faults = ledger_faults(out.stdout) + order_faults([line.split("\t") for line in rows.splitlines()[1:]])
    if faults:
        return "broken: %s\n%s" % (faults, out.stdout)
    if not ledger_agrees(ref, out.stdout):
        return "the reference's ledger differs\n" + out.stdout
    return None


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for i in range(count):
        text = scenario(random.Random(seed * 1000003 + i))
        fault = check(text)
        if fault is not None:
            print("fuzz_timesim: scenario %d of seed %d\n%s\n%s" % (i, seed, text, fault))
            return 1
    print("fuzz_timesim: %d scenarios of seed %d agree" % (count, seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
