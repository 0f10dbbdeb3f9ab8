#!/usr/bin/env python3
"""Mutation test of the time core: flips each comparison, sign, constant and connective of timers/'s core, one at a time,
and leaves out each assignment and call; the unit and golden tests of timers/ must notice every one of them.

    tests/mutants/run.py BUILD [--list] [--only FILE:LINE] [--again LOG] [--jobs N]

All mutants are compiled at once, each behind `mutant == N` (schemata.py), so one mutant costs one run of the tests.
Those that change nothing that can be seen are in equivalent.txt, each with its reason; one of them that is killed after
all, and one that is there no more, is an error too."""
import argparse
import concurrent.futures
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import schemata  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CORE = ["muldiv", "counter", "heap", "queue", "rate", "apparent", "scaled", "deliver", "run", "progress", "ledger", "vtime",
        "naive", "coordinator", "monitor"]
# The first kills most.
TESTS = ["time_properties", "muldiv", "counter", "heap", "queue", "rate", "coordinator", "paragraphs", "vtime", "scaled",
         "ledger", "observer", "progress", "queue_model", "busy"]
FLAGS = ["-std=c11", "-I.", "-D_DEFAULT_SOURCE", "-DESC_DEBUG"]
CPU = 3  # seconds of processor time for a test that takes one at most: a mutant that hangs is killed


def build(out):
    """timesim and the tests with all mutants in them; returns the mutants, numbered from 1."""
    out.mkdir(parents=True, exist_ok=True)
    mutants, sources = [], []
    for name in CORE:
        text, more = schemata.rewrite_file(f"timers/{name}.c", len(mutants) + 1, FLAGS)
        mutants += more
        path = out / f"{name}.c"
        path.write_text(text)
        sources.append(path)
    switch = out / "switch.c"
    switch.write_text('#include <stdlib.h>\nint mutant;\n__attribute__((constructor)) static void choose(void)\n'
                      '{\n    const char *n = getenv("MUTANT");\n    mutant = n ? atoi(n) : 0;\n}\n')
    sources.append(switch)
    objects = []
    for source in sources + sorted(Path("timers").glob("*.c")):
        if source.parent == Path("timers") and source.stem in CORE:
            continue
        objects.append(str(out / f"{source.stem}.o"))
        subprocess.run(["gcc", *FLAGS, "-O1", "-w", "-c", str(source), "-o", objects[-1]], check=True)
    for test in TESTS:
        source = f"tests/unit/test_{test}.c"
        if Path(source).exists():
            subprocess.run(["gcc", *FLAGS, "-O1", "-w", source, *objects, "-lcmocka", "-o", str(out / f"test_{test}")],
                           check=True)
    subprocess.run(["gcc", *FLAGS, "-O1", "-w", *map(str, sorted(Path("tools/timesim").glob("*.c"))), *objects, "-o",
                    str(out / "timesim")], check=True)
    return mutants


def commands(out):
    tests = [[str(out / f"test_{t}")] for t in TESTS if (out / f"test_{t}").exists()]
    golden = [sys.executable, "tests/golden/run.py", str(out / "timesim")]
    return tests[:-1] + [golden] + tests[-1:]


def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def killer(out, number):
    """The test that notices the mutant, or None."""
    environment = dict(os.environ, MUTANT=str(number), FUZZ="60", LIVES="200", PYTHONDONTWRITEBYTECODE="1")
    for command in commands(out):
        name = "golden" if len(command) > 1 else Path(command[0]).name
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=limit, check=False)
        if done.returncode != 0:
            return name
    return None


def equivalents():
    """{"FILE: SOURCE LINE | WHAT": reason}: by the line's text, so that other changes do not move it."""
    found = {}
    for line in (Path(__file__).parent / "equivalent.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            key, reason = line.rsplit(" || ", 1)
            found[key] = reason
    return found


def key_of(mutant, texts):
    if mutant.path not in texts:
        texts[mutant.path] = Path(mutant.path).read_text().splitlines()
    return f"{mutant.path}: {texts[mutant.path][mutant.line - 1].strip()} | {mutant.what}"


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
    if killer(out, 0) is not None:
        print(f"mutants: the tests fail without a mutant: {killer(out, 0)}")
        return 2
    known, texts, survived, killed = equivalents(), {}, 0, 0
    chosen = [n for n, m in enumerate(mutants, 1) if re.search(args.only, str(m))]
    if args.again:
        former = {line.strip() for line in Path(args.again).read_text().splitlines()}
        chosen = [n for n in chosen if key_of(mutants[n - 1], texts) in former]
    if args.list:
        print("\n".join(f"{n} {mutants[n - 1]}" for n in chosen))
        return 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for done, (n, by) in enumerate(zip(chosen, pool.map(lambda n: killer(out, n), chosen)), 1):
            key = key_of(mutants[n - 1], texts)
            killed += by is not None
            if by is None and key not in known:
                survived += 1
                print(f"SURVIVED {n} {mutants[n - 1]}\n    {key}", flush=True)
            if done % 100 == 0:
                print(f"  {done} of {len(chosen)}", flush=True)
    equivalent = len(chosen) - killed - survived
    print(f"mutants: {len(chosen)} in all, {killed} killed, {equivalent} equivalent")
    print(f"{killed + equivalent} passed, {survived} failed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
