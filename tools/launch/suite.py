"""tools/run --cases FILE: several runs, each a section of options of tools/run, one a line, without the dashes:

    timeout 60                    # before the first section: for all of them

    [boots]
    vm t mykernel.elf mem=64M -- selftest
    expect all tests passed
    fail-on PANIC

The files are sought beside FILE. `status N`: what tools/run must end with (0)."""
import os
import re
import subprocess
import sys
import tempfile
import time

from launch import report, vmsfile
from launch.unusable import Unusable

SECTION = re.compile(r"\[([A-Za-z0-9._-]+)\]$")
OPTIONS = (*vmsfile.OPTIONS, "vm", "module", "status", "config")
PROGRESS_SECONDS = 10


class Case:
    def __init__(self, name, common=()):
        self.name = name
        self.arguments = list(common)
        self.expected = 0

    def option(self, where, line):
        name, value = (*line.split(None, 1), "")[:2]
        if name not in OPTIONS or name in ("junit", "tap", "serial", "interactive"):
            raise Unusable(f"{where}: unknown option '{name}'" + vmsfile.meant(name, OPTIONS))
        if (name in vmsfile.FLAGS) == bool(value):
            raise Unusable(f"{where}: {name} takes no value" if value else f"{where}: {name} has no value")
        if name == "status":
            if not value.isdecimal():
                raise Unusable(f"{where}: status is a number: {value}")
            self.expected = int(value)
        elif name == "config":
            self.arguments.append(value)
        else:
            self.arguments += [f"--{name}"] if not value else [f"--{name}={value}"]


def read(path):
    """The cases of a file. Raises Unusable, with the line."""
    common, cases = Case(None), []
    for number, text in enumerate(vmsfile.lines_of(path), 1):
        text = re.sub(r"(^|\s)#.*", "", text).strip()
        section = SECTION.match(text)
        if section:
            if any(c.name == section[1] for c in cases):
                raise Unusable(f"{path}:{number}: a second [{section[1]}]")
            cases.append(Case(section[1], common.arguments))
        elif text.startswith("["):
            raise Unusable(f"{path}:{number}: no name of a case: {text}")
        elif text:
            (cases[-1] if cases else common).option(f"{path}:{number}", text)
    if not cases:
        raise Unusable(f"{path}: no case: a section [NAME] for each")
    return cases


def wait(child, case, log):
    """Until it ends; a line now and then for whoever watches."""
    start = time.monotonic()
    while True:
        try:
            return child.wait(PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            with open(log, "rb") as file:
                last = file.read()[-400:].decode(errors="replace").strip().split("\n")[-1]
            print(f"  {case.name}: {time.monotonic() - start:.0f} s: {vmsfile.printable(last)}", file=sys.stderr, flush=True)


def read_if_there(path):
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def last_word(errors):
    """What tools/run said last, but for what it said of the trace."""
    lines = [line.removeprefix("tools/run: ") for line in errors.decode(errors="replace").strip().split("\n")]
    return next((line for line in reversed(lines) if not line.startswith("--trace-failed")), "")


def keep_file(folder, name, data):
    """Where it is now."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def run_case(case, program, folder, keep):
    """One run, as a command of its own; its log and trace stay if it fails."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="escapement-") as directory:
        log = os.path.join(directory, "serial")
        with open(log, "wb") as out, open(log + ".err", "wb") as err:
            child = subprocess.Popen([sys.executable, program, f"--trace-failed={log}.trace", *case.arguments], cwd=folder,
                                     stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            try:
                status = wait(child, case, log)
            finally:
                child.terminate()
                child.wait()
        serial, trace, errors = (read_if_there(log + end) for end in ("", ".trace", ".err"))
    result = report.Result(case.name, status, case.expected, time.monotonic() - start, last_word(errors),
                           serial.decode(errors="replace"))
    if not result.passed:
        result.log = keep_file(keep, case.name + ".log", serial)
        result.trace = keep_file(keep, case.name + ".trace", trace) if trace else ""
    return result


def run(args, program):
    """All cases that match; the exit status."""
    cases = [c for c in read(args.cases) if not args.only or args.only.search(c.name)]
    if not cases:
        raise Unusable(f"--only {args.only.pattern}: no case of {args.cases} has such a name")
    results = []
    for case in cases:
        results.append(run_case(case, program, os.path.dirname(os.path.abspath(args.cases)), args.keep))
        if not args.tap:
            print(report.line(results[-1]), flush=True)
    if args.tap:
        sys.stdout.write(report.tap(results))
    else:
        print(f"{sum(r.passed for r in results)} passed, {sum(not r.passed for r in results)} failed")
    if args.junit:
        report.write_junit(args.junit, results, os.path.basename(args.cases))
    return report.exit_status(results)
