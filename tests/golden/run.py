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
    checks["options"] = check_options(timesim)
    failed = {name: fault for name, fault in checks.items() if fault is not None}
    for name, fault in failed.items():
        print("FAIL golden/%s: %s" % (name, fault))
    print("golden: %d passed, %d failed" % (len(checks) - len(failed), len(failed)), flush=True)
    environment = dict(os.environ, TIMESIM=timesim, PYTHONDONTWRITEBYTECODE="1")
    fuzz = subprocess.run([sys.executable, str(FUZZ), os.environ.get("FUZZ", "400")], env=environment, timeout=300, check=False)
    return 1 if failed or fuzz.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
