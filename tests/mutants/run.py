#!/usr/bin/env python3
"""Mutation test of the time core: flips each comparison, sign, constant and connective of timers/'s core, one at a time,
and leaves out each assignment and call; the unit and golden tests of timers/ must notice every one of them.

    tests/mutants/run.py BUILD [--list] [--only REGEX] [--again LOG] [--jobs N]

All mutants are compiled at once, each behind `is_mutant(N)` (schemata.py), so one mutant costs one run of the tests: of
those that come by it at all (a first run without a mutant tells), the quick ones first. --only takes those whose
"timers/FILE.c:LINE: WHAT" matches, --again those that survived a former run. Mutants that change nothing that can be seen
are in equivalent.txt, each with its reason; an entry there of which all are killed, or that fits none, is an error too."""
import argparse
import collections
import concurrent.futures
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import schemata  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CORE = ["muldiv", "counter", "heap", "queue", "rate", "apparent", "scaled", "deliver", "run", "progress", "ledger", "vtime",
        "naive", "coordinator", "monitor"]
# The quick ones first; "golden" is timesim's.
TESTS = ["paragraphs", "missed", "vtime", "incident", "progress", "rate", "ledger", "observer", "counter", "queue", "muldiv", "coordinator",
         "heap", "scaled", "time_properties", "golden", "queue_model", "busy"]
FLAGS = ["-std=c11", "-I.", "-D_DEFAULT_SOURCE", "-DESC_DEBUG"]
CPU = 3  # a test that takes this many times its processor time (and a second) hangs in the mutant

SWITCH_H = """extern int mutant;
extern unsigned char mutant_reached[];
static inline int is_mutant(int n)
{
    mutant_reached[n] = 1;
    return mutant == n;
}
"""
# What several processes of one test have reached is added up: golden starts timesim many times.
SWITCH_C = """#include <stdio.h>
#include <stdlib.h>
int mutant;
unsigned char mutant_reached[%(size)d];
__attribute__((constructor)) static void choose(void)
{
    const char *n = getenv("MUTANT");
    mutant = n ? atoi(n) : 0;
}
__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("MUTANT_REACHED");
    FILE *file = path ? fopen(path, "a") : NULL;
    for (int n = 1; file && n < %(size)d; n++) {
        if (mutant_reached[n]) {
            fprintf(file, "%%d\\n", n);
        }
    }
    if (file) {
        fclose(file);
    }
}
"""


def build(out):
    """timesim and the tests with all mutants in them; returns the mutants, numbered from 1."""
    out.mkdir(parents=True, exist_ok=True)
    mutants, sources = [], [out / "switch.c"]
    for name in CORE:
        text, more = schemata.rewrite_file(f"timers/{name}.c", len(mutants) + 1, FLAGS)
        mutants += more
        sources.append(out / f"{name}.c")
        sources[-1].write_text(text)
    (out / "switch.h").write_text(SWITCH_H)
    (out / "switch.c").write_text(SWITCH_C % {"size": len(mutants) + 1})
    sources += [p for p in sorted(Path("timers").glob("*.c")) if p.stem not in CORE]
    objects = [str(out / f"{source.stem}.o") for source in sources]
    for source, target in zip(sources, objects):
        subprocess.run(["gcc", *FLAGS, "-O1", "-w", "-c", str(source), "-o", target], check=True)
    for test in TESTS:
        if test != "golden":
            subprocess.run(["gcc", *FLAGS, "-O1", "-w", f"tests/unit/test_{test}.c", *objects, "-lcmocka", "-o",
                            str(out / f"test_{test}")], check=True)
    subprocess.run(["gcc", *FLAGS, "-O1", "-w", *map(str, sorted(Path("tools/timesim").glob("*.c"))), *objects, "-o",
                    str(out / "timesim")], check=True)
    return mutants


class Test:
    """One test program, what it takes, and which mutants it comes by."""

    def __init__(self, out, name):
        self.name = name
        self.command = [sys.executable, "tests/golden/run.py", str(out / "timesim")] if name == "golden" else \
            [str(out / f"test_{name}")]
        self.limit = None
        reached = out / f"{name}.reached"
        reached.unlink(missing_ok=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not self.passes(0, {"MUTANT_REACHED": str(reached)}):
            raise SystemExit(f"mutants: test {name} fails without a mutant: make unit golden")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.limit = 1 + int(CPU * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime))
        self.reaches = set(map(int, reached.read_text().split()))

    def passes(self, number, more=None):
        environment = dict(os.environ, MUTANT=str(number), FUZZ="60", LIVES="200", CMOCKA_TEST_ABORT="1",
                           PYTHONDONTWRITEBYTECODE="1", **(more or {}))
        done = subprocess.run(self.command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=self.bounds, check=False)
        return done.returncode == 0

    def bounds(self):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self.limit is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (self.limit, self.limit))


def killer(tests, number):
    """The test that notices the mutant, or None."""
    return next((t.name for t in tests if number in t.reaches and not t.passes(number)), None)


def equivalents():
    """{"FILE: SOURCE LINE | WHAT": reason}: by the line's text, so that other changes do not move it."""
    found = {}
    for line in (Path(__file__).parent / "equivalent.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            key, reason = line.rsplit(" || ", 1)
            found[key] = reason
    return found


def keys_of(mutants):
    """The key of each mutant, as in equivalent.txt."""
    texts = {path: Path(path).read_text().splitlines() for path in {m.path for m in mutants}}
    return [f"{m.path}: {texts[m.path][m.line - 1].strip()} | {m.what}" for m in mutants]


class Tally:
    """Who has killed what, and what is left."""

    def __init__(self, known, total):
        self.known, self.total, self.started = known, total, time.monotonic()
        self.by, self.survived, self.lived = collections.Counter(), 0, set()

    def add(self, label, key, by, reached):
        self.by[by] += 1
        if by is None and key in self.known:
            self.lived.add(key)
        elif by is None:
            self.survived += 1
            print(f"SURVIVED {label}{'' if reached else ' (no test comes by it)'}\n    {key}", flush=True)
        done = sum(self.by.values())
        if done % 100 == 0:
            left = (time.monotonic() - self.started) / done * (self.total - done)
            print(f"  {done} of {self.total}, {self.survived} survived, {left:.0f} s to go", flush=True)

    def close(self, keys, whole):
        """The closing lines; how many things are wrong."""
        wrong = [k for k in self.known if k in keys and k not in self.lived or whole and k not in keys]
        for key in wrong:
            print(f"WRONG    in equivalent.txt: {'all of it is killed' if key in keys else 'no mutant fits it'}\n    {key}")
        equivalent = self.by[None] - self.survived
        killed = sum(self.by.values()) - self.by[None]
        names = ", ".join(f"{name} {count}" for name, count in self.by.most_common() if name)
        print(f"mutants: {self.total} in all, {killed} killed, {equivalent} equivalent; by {names}")
        print(f"{killed + equivalent} passed, {self.survived + len(wrong)} failed")
        return self.survived + len(wrong)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--again", help="the output of a run: only what survived it")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    os.chdir(ROOT)
    out = Path(args.build) / "mutants"
    mutants = build(out)
    keys = keys_of(mutants)
    chosen = [n for n, m in enumerate(mutants, 1) if re.search(args.only, str(m))]
    if args.again:
        former = {line.strip() for line in Path(args.again).read_text().splitlines()}
        chosen = [n for n in chosen if keys[n - 1] in former]
    if args.list:
        print("\n".join(f"{n} {mutants[n - 1]}" for n in chosen))
        return 0
    tests = [Test(out, name) for name in TESTS]
    reached = set().union(*(t.reaches for t in tests))
    tally = Tally(equivalents(), len(chosen))
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for n, by in zip(chosen, pool.map(lambda n: killer(tests, n), chosen)):
            tally.add(f"{n} {mutants[n - 1]}", keys[n - 1], by, n in reached)
    # A key stands for all mutants of its line and kind: only a run of all of them shows that none is left.
    return 1 if tally.close({keys[n - 1] for n in chosen}, len(chosen) == len(mutants)) else 0


if __name__ == "__main__":
    sys.exit(main())
