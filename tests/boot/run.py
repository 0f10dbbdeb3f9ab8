#!/usr/bin/env python3
"""Runs the boot tests: each boots Escapement by tools/run on an emulator and judges its serial log.

    tests/boot/run.py [-j N] [--filter REGEX] [--on bochs|qemu|both] [--build DIR] [--list]

Outcomes: pass, fail (a time-out is one), skip (something needed is missing, or the platform cannot do it), error (the test
itself is broken). Logs stay in BUILD/boot-logs/NAME.PLATFORM. The last line counts; the exit status is 1 if anything failed or was broken, 2 if nothing ran at all."""
import argparse
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import case as cases_of  # noqa: E402
import person  # noqa: E402

PASS, FAIL, SKIP, ERROR = "pass", "fail", "skip", "error"
RUN_UNUSABLE, RUN_TIMED_OUT = 2, 124
GRACE_SECONDS = 45  # past tools/run's own time-out, and what it takes to bring the trace out

children = set()  # the tools/run processes that are under way


def boot(case, folders, log):
    """One run. Its exit status; None if even tools/run did not come back."""
    args = [cases_of.fill(a, folders) for a in case.args]
    command = [folders["run"], "--on", folders["on"], "--kernel", folders["build"] + ("/debug" if case.debug else "") + "/escapement.elf",
               "--timeout", str(case.timeout), *args]
    if folders["on"] == "qemu" and case.shift is not None:
        command += ["--shift", str(case.shift)]
    if folders["on"] == "qemu" and may_be_asked(case):
        command += ["--trace-failed", log + ".trace"]
    if case.scene:
        return play(case, command, log)
    with open(log, "wb") as out, open(log + ".err", "wb") as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        children.add(child)
        try:
            return child.wait(case.timeout + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            return None
        finally:
            children.discard(child)


def may_be_asked(case):
    """For its trace, if it fails: its input is free, and its own settings say nothing of trace or end."""
    own = any(word in " ".join(case.args) for word in ("--trace", "trace=", "on-empty=", "--image"))
    return not own and not case.scene and case.runs == 1


def play(case, command, log):
    """The same with a person at it."""
    status, complaint = person.drive([*command, "--interactive", "--virtual-time"], case.scene, log, case.timeout)
    with open(log + ".err", "w", encoding="utf-8") as err:
        err.write(complaint or "")
    if complaint:
        raise Complaint(complaint)
    return status


class Complaint(Exception):
    """What a scene has missed."""


def give_up(number, _frame):
    """^C or a kill: the emulators go too (tools/run ends its own)."""
    for child in list(children):
        child.terminate()
    os._exit(128 + number)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def judge_run(case, status, log):
    """(outcome, reason) of one run."""
    errors = read(log + ".err").decode(errors="replace").strip()
    if status == RUN_UNUSABLE and case.status != RUN_UNUSABLE:
        return ERROR, errors
    if status is None or (status == RUN_TIMED_OUT and case.status != RUN_TIMED_OUT):
        return FAIL, f"no end within {case.timeout:g} s"
    complaint = cases_of.judge_log(case, read(log).decode(errors="replace"))
    if complaint:
        return FAIL, complaint
    if status != case.status:
        return FAIL, f"tools/run ended with {status}, not {case.status}" + (f": {errors}" if errors else "")
    return PASS, ""


def first_difference(one, other):
    for number, (a, b) in enumerate(zip(one.split(b"\n"), other.split(b"\n")), 1):
        if a != b:
            return f"line {number}: {a.decode(errors='replace')!r} and {b.decode(errors='replace')!r}"
    return "one is longer"


def run_case(case, folders):
    """(outcome, reason) of a case."""
    try:
        cases_of.validate(case)
        reason = cases_of.missing(case, folders)
        if reason:
            return SKIP, reason
        name = f"{case.name}.{folders['on']}"
        logs = [os.path.join(folders["logs"], name + (f".{n}" if n else "")) for n in range(case.runs)]
        for log in logs:
            outcome, reason = judge_run(case, boot(case, folders, log), log)
            if outcome != PASS:
                return outcome, reason
        for log in logs[1:]:
            if read(log) != read(logs[0]):
                return FAIL, "two runs differ: " + first_difference(read(logs[0]), read(log))
        return PASS, ""
    except Complaint as complaint:
        return FAIL, str(complaint)
    except cases_of.Broken as broken:
        return ERROR, str(broken)
    except Exception as error:  # pylint: disable=broad-except  # whatever it is, the test is broken, not the kernel
        return ERROR, repr(error)


def timed(case, folders):
    start = time.monotonic()
    outcome, reason = run_case(case, folders)
    return case, folders["on"], outcome, reason, time.monotonic() - start


def tell(case, platform, outcome, reason, seconds):
    if outcome == SKIP:
        print(f"SKIP  {case.name}: skipped on {platform}: {reason}", flush=True)
    else:
        print(f"{outcome.upper():5} {case.name} on {platform} ({seconds:.1f} s){': ' + reason if reason else ''}", flush=True)


def run_all(cases, platforms, jobs):
    """Runs all on each of the platforms (their folders_of), the slow ones first; prints a line for each; returns the
    number of each outcome."""
    counts = dict.fromkeys((PASS, FAIL, SKIP, ERROR), 0)
    pairs = [(case, folders) for case in sorted(cases, key=lambda c: not c.slow) for folders in platforms]
    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(timed, *pair) for pair in pairs]):
            case, platform, outcome, reason, seconds = done.result()
            counts[outcome] += 1
            tell(case, platform, outcome, reason, seconds)
    return counts


def closing_line(counts):
    failed = counts[FAIL] + counts[ERROR]
    return f"{counts[PASS]} passed, {failed} failed" + (f", {counts[SKIP]} skipped" if counts[SKIP] else "")


def exit_status(counts):
    if counts[FAIL] + counts[ERROR]:
        return 1
    return 0 if counts[PASS] else 2


def folders_of(build, on=cases_of.PLATFORMS[0]):
    return {"build": build, "on": on, "guests": f"{build}/guests", "debian": f"{build}/debian", "inputs": f"{build}/boot-inputs",
            "logs": f"{build}/boot-logs", "run": os.path.join(ROOT, "tools/run")}


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("-j", type=int, default=2, metavar="N", help="so many at once (default 2)")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only the cases whose name matches")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), metavar="DIR")
    parser.add_argument("--on", choices=(*cases_of.PLATFORMS, "both"), default="both", help="the emulator (default both)")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    args = parser.parse_args(argv)
    import cases    # the list of this tree; the runner's own tests bring theirs
    import inputs
    chosen = [c for c in cases.CASES if re.search(args.filter, c.name)]
    if args.list:
        print("\n".join(c.name for c in chosen))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, give_up)
    platforms = [folders_of(args.build, on) for on in cases_of.PLATFORMS if args.on in (on, "both")]
    os.makedirs(platforms[0]["logs"], exist_ok=True)
    inputs.make(*(platforms[0][f] for f in ("inputs", "guests", "debian")))
    counts = run_all(chosen, platforms, args.j)
    print(closing_line(counts))
    return exit_status(counts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
