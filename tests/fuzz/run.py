#!/usr/bin/env python3
"""Runs the fuzz targets, one after the other; closes with `N passed, N failed`.

    tests/fuzz/run.py BUILD/fuzz --short [TARGET...]        each corpus, and a fixed number of inputs with a fixed seed
    tests/fuzz/run.py BUILD/fuzz --seconds S [TARGET...]    new inputs for S seconds each, with progress
    tests/fuzz/run.py BUILD/fuzz --keep [TARGET...]         what the long runs found, minimised, into tests/fuzz/corpus

A target is BUILD/fuzz/fuzz_NAME (tests/fuzz/fuzz_NAME.c) or tests/fuzz/fuzz_NAME.py. A corpus is a file of one input
a line, in hex. What breaks a target is kept as BUILD/fuzz/found/NAME-*, and the command that shows it is printed."""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Inputs of a short run: a few seconds each.
SHORT = {"decode": 100000, "emulate": 30000, "machine": 300, "exits": 1500, "load": 6000, "config": 6000, "boot": 30000,
         "console": 1500, "format": 60000, "nested": 200, "timesim": 10000, "trace": 60}
LONGEST = 4096      # bytes of an input
KEEP = 160          # inputs of a corpus in the tree
KEEP_BYTES = 600    # the longest of them


def targets(build):
    found = {p.name[5:]: p for p in sorted(build.glob("fuzz_*")) if os.access(p, os.X_OK) and p.is_file()}
    found.update({p.stem[5:]: p for p in sorted(HERE.glob("fuzz_*.py"))})
    return found


def unpack(build, name):
    """The corpus as the folder that libFuzzer wants."""
    folder = build / "corpus" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    packed = HERE / "corpus" / (name + ".hex")
    for i, line in enumerate(packed.read_text().split() if packed.exists() else []):
        (folder / ("%04d" % i)).write_bytes(bytes.fromhex(line))
    return folder


def seed(folder):
    """Something to start from where nothing has been found yet."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        chance = random.Random(1)
        for i in range(60):
            (folder / ("random-%02d" % i)).write_bytes(chance.randbytes(chance.randrange(16, 1500)))
    return folder


def follow(name, command, seconds):
    """Runs it, and says how far it is each half minute of a long run. (status, inputs, text)"""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    lines, said, inputs, start = [], time.time(), 0, time.time()
    for line in child.stdout:
        progress = re.match(r"#(\d+)\t", line)
        if progress:
            inputs = max(inputs, int(progress[1]))
        else:
            lines.append(line)
        done = re.search(r"stat::number_of_executed_units:\s+(\d+)|^(\d+) inputs", line)
        if done:
            inputs = int(done[1] or done[2])
        if seconds and time.time() - said > 30:
            said = time.time()
            print(f"     {name}: {said - start:.0f} of {seconds} s, {inputs} inputs", flush=True)
    return child.wait(), inputs, "".join(lines)


def command_of(build, name, path, arguments):
    if path.suffix == ".py":
        return [sys.executable, str(path)] + (["--seconds", str(arguments.seconds)] if arguments.seconds
                                              else ["--inputs", str(SHORT[name])])
    corpus = unpack(build, name)
    found = build / "found"
    found.mkdir(exist_ok=True)
    command = [str(path), f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=1500", "-print_final_stats=1", "-verbosity=1",
               f"-artifact_prefix={found}/{name}-"]
    if arguments.seconds:
        grown = seed(build / "grown" / name)
        return command + [f"-max_total_time={arguments.seconds}", "-use_value_profile=1", str(grown), str(corpus)]
    return command + [f"-runs={SHORT[name]}", "-seed=1", str(corpus)]


def keep(build, name, path):
    """The smallest set that covers the same: of the corpus in the tree and of what has been found."""
    merged = build / "merged" / name
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    sources = [unpack(build, name), build / "grown" / name]
    subprocess.run([str(path), "-merge=1", f"-max_len={LONGEST}", str(merged)] + [str(s) for s in sources if s.exists()],
                   check=True, capture_output=True)
    inputs = sorted((p.read_bytes() for p in merged.iterdir()), key=lambda b: (len(b), b))
    inputs = [b for b in inputs if b and len(b) <= KEEP_BYTES]
    if len(inputs) > KEEP:   # of each length some
        inputs = [inputs[i * len(inputs) // KEEP] for i in range(KEEP)]
    (HERE / "corpus" / (name + ".hex")).write_text("".join(b.hex() + "\n" for b in inputs))
    print(f"ok   {name}: {len(inputs)} inputs kept", flush=True)


def run(build, name, path, arguments):
    start = time.time()
    status, inputs, text = follow(name, command_of(build, name, path, arguments), arguments.seconds)
    good = status == 0 and inputs > 0
    print(f"{'ok  ' if good else 'FAIL'} {name}: {inputs} inputs in {time.time() - start:.0f} s", flush=True)
    if not good:
        print(text[-6000:])
        artifact = re.search(r"Test unit written to (\S+)", text)
        if artifact:
            print(f"fuzz: {name} broke; to see it again: {path} {artifact[1]}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--short", action="store_true")
    how.add_argument("--seconds", type=int, default=0)
    how.add_argument("--keep", action="store_true")
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_intermixed_args()
    build = arguments.build.resolve()
    known = targets(build)
    unknown = [t for t in arguments.targets if t not in known]
    if unknown:
        print(f"fuzz: no target '{unknown[0]}'; there are: {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    chosen = {n: p for n, p in sorted(known.items()) if not arguments.targets or n in arguments.targets}
    if arguments.keep:
        for name, path in chosen.items():
            if path.suffix != ".py":
                keep(build, name, path)
        return 0
    good = sum(run(build, name, path, arguments) for name, path in chosen.items())
    print(f"{good} passed, {len(chosen) - good} failed")
    return 0 if good == len(chosen) and good else 1


if __name__ == "__main__":
    sys.exit(main())
