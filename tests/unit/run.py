#!/usr/bin/env python3
"""Runs cmocka test programs and unittest scripts, two at a time, shows what failed, and closes with one line of counts.

    tests/unit/run.py PROGRAM...

Each program is given 120 seconds; one that dies without its closing lines counts as one failure: silence is failure."""
import concurrent.futures
import os
import re
import subprocess
import sys

TIMEOUT = 120


def count_cmocka(text):
    """(passed, failed, whether it came to its end)"""
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", text))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", text))
    return passed, failed, bool(re.search(r"\[={10}\] \d+ test\(s\) run", text))


def count_unittest(text):
    ran = re.search(r"^Ran (\d+) tests? in ", text, re.M)
    failed = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", text[ran.end():])) if ran else 0
    return (int(ran[1]) - failed if ran else 0), failed, bool(ran)


def run(program):
    try:
        done = subprocess.run([os.path.abspath(program)], capture_output=True, text=True, errors="replace", timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return program, 0, 1, f"no end within {TIMEOUT} s"
    text = done.stdout + done.stderr
    passed, failed, ended = (count_unittest if program.endswith(".py") else count_cmocka)(text)
    if not ended or (done.returncode != 0 and failed == 0):
        failed += 1
    return program, passed, failed, text


def main(programs):
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for program, ok, bad, text in pool.map(run, programs):
            print(f"{'FAIL' if bad else 'ok  '} {os.path.basename(program)}: {ok} passed, {bad} failed", flush=True)
            for note in re.findall(r"^seeds .*", text, re.M):
                print(f"     {note}")
            if bad:
                print("\n".join(line for line in text.splitlines() if "       OK ]" not in line
                                and "[ RUN" not in line))
            passed += ok
            failed += bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
