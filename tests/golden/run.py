#!/usr/bin/env python3
"""timesim's golden tests: each NAME.scenario must print NAME.tsv; each errors/NAME.scenario must be refused.

    tests/golden/run.py TIMESIM [--update]

A first line "# timesim OPTIONS" gives the options; in errors/ a first line "# line N" names the line of the error.
Afterwards the reference implementation and a short fuzz of fixed seed have their say (tests/unit/fuzz_timesim.py), with
as many scenarios as FUZZ says (400)."""

import os
import subprocess
import sys
import xml.dom.minidom
from pathlib import Path

HERE = Path(__file__).resolve().parent
FUZZ = HERE.parent / "unit" / "fuzz_timesim.py"


def run(timesim, arguments, **options):
    return subprocess.run([timesim] + arguments, capture_output=True, text=True, timeout=60, check=False, **options)


def options_of(path):
    words = path.read_text().split("\n", 1)[0].split()
    return words[2:] if words[:2] == ["#", "timesim"] else []


def check_golden(timesim, path, update):
    out = run(timesim, options_of(path) + [str(path)])
    expected = path.with_suffix(".tsv")
    if update:
        expected.write_text(out.stdout)
    if out.returncode != 0 or out.stderr:
        return "status %d: %s" % (out.returncode, out.stderr)
    if out.stdout != expected.read_text():
        return "differs from %s:\n%s" % (expected.name, out.stdout)
    return None


def check_error(timesim, path):
    line = path.read_text().split("\n", 1)[0].split()[2]
    out = run(timesim, [str(path)])
    if out.returncode != 2:
        return "status %d, not 2" % out.returncode
    if out.stdout:
        return "output: %s" % out.stdout
    if ":%s: " % line not in out.stderr:
        return "line %s is not named: %s" % (line, out.stderr)
    return None


def check_text(timesim):
    """Ends of lines of other systems, no end at all, a line of 200,000 numbers, no line; bytes that are no text, and what
    is no file."""
    scenario = (HERE / "figure7.scenario").read_text()
    golden = (HERE / "figure7.tsv").read_text()
    for text in (scenario.replace("\n", "\r\n"), scenario.rstrip("\n"), scenario.replace(" ", "\t  ")):
        if run(timesim, ["-"], input=text).stdout != golden:
            return "other blanks: %r" % text
    if run(timesim, ["-"], input="").stdout != "rt\tat\tkind\ttimer\tmode\n":
        return "an empty scenario"
    many = "timer T oneshot at=%s\nrun 0 600000\n" % ",".join(str(3 * n) for n in range(200000))
    if "due=200000 delivered=200000 " not in run(timesim, ["--quiet", "--ledger", "-"], input=many).stdout:
        return "a long line"
    for wrong in ("run 0 10\0", "run 0 10\0 20\nread 5\n", "\0", "r\0u\0n\0"):
        out = run(timesim, ["-"], input=wrong)
        if out.returncode != 2 or out.stdout or "stdin:1: " not in out.stderr:
            return "accepted: %r" % wrong
    out = run(timesim, [str(HERE)])
    if out.returncode != 2 or out.stdout or "Is a directory" not in out.stderr:
        return "a folder: %s" % out.stderr
    return None


def check_drawing(timesim):
    """However large the numbers and long the names, what is written keeps its room."""
    top = 1 << 62
    names = ["T", "a-name-that-nobody-would-want-to-write-out", "x" * 1000]
    text = "".join("timer %s periodic first=%d period=%d\n" % (name, top // 9, top // 9 + i) for i, name in enumerate(names))
    text += "run 0 %d\nrun %d %d\n" % (top // 4, top // 2, top)
    out = run(timesim, ["--svg", "/dev/stderr", "--quiet", "-"], input=text)
    written = [(t.getAttribute("class"), t.firstChild.data) for t in xml.dom.minidom.parseString(out.stderr).getElementsByTagName("text")]
    for kind, most in (("event", 11), ("name", 20), ("tick", 6), ("scale", 6)):
        found = [text for of, text in written if of == kind]
        if not found or max(map(len, found)) > most:
            return "%s: %s" % (kind, found)
    if not any("in units of 1" in text for of, text in written):
        return "no unit"
    return None


def check_options(timesim):
    """Standard input is a file like others; a drawing is well-formed; wrong options and missing files are refused."""
    scenario = HERE / "figure7.scenario"
    if run(timesim, ["-"], input=scenario.read_text()).stdout != scenario.with_suffix(".tsv").read_text():
        return "standard input"
    for extra in ([], ["--naive"]):
        out = run(timesim, ["--svg", "/dev/stderr", "--quiet"] + extra + [str(scenario)])
        if out.returncode != 0 or out.stdout != "rt\tat\tkind\ttimer\tmode\n":
            return "--svg --quiet: %s" % out.stdout
        xml.dom.minidom.parseString(out.stderr)
    for wrong in ([], ["--nonsense", str(scenario)], [str(scenario), str(scenario)], [str(HERE / "none")]):
        out = run(timesim, wrong)
        if out.returncode != 2 or out.stdout or not out.stderr:
            return "accepted: %s" % wrong
    return None


def main():
    timesim, update = sys.argv[1], "--update" in sys.argv[2:]
    checks = {path.stem: check_golden(timesim, path, update) for path in sorted(HERE.glob("*.scenario"))}
    for path in sorted(HERE.glob("errors/*.scenario")):
        checks["errors/" + path.stem] = check_error(timesim, path)
    checks.update(text=check_text(timesim), drawing=check_drawing(timesim), options=check_options(timesim))
    failed = {name: fault for name, fault in checks.items() if fault is not None}
    for name, fault in failed.items():
        print("FAIL golden/%s: %s" % (name, fault))
    print("golden: %d passed, %d failed" % (len(checks) - len(failed), len(failed)), flush=True)
    environment = dict(os.environ, TIMESIM=timesim, PYTHONDONTWRITEBYTECODE="1")
    fuzz = subprocess.run([sys.executable, str(FUZZ), os.environ.get("FUZZ", "400")], env=environment, timeout=300, check=False)
    return 1 if failed or fuzz.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
