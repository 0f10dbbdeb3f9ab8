"""Checks of the traces that boot tests leave in their serial logs. Each takes the log's text and returns a complaint or None."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from traceview import check, dump, perfetto, records, timeline, vcd  # noqa: E402 (after the path is set)
from traceview.axis import Axis  # noqa: E402

UNIT = 2048             # units of figure 7 in a second (guests/figure7)
TOLERANCE = 0.35        # units: calibration, and what programming the timers takes
PHASES = {"M", "X", "i", "C"}


def load(text):
    trace = dump.read_log(text.encode())
    return trace, timeline.from_trace(trace)


def perfetto_fault(text):
    """Python's JSON parser, and the trace event format's rules for the phases that are used."""
    document = json.loads(text)
    names = {(e["pid"], e["tid"]) for e in document["traceEvents"] if e["ph"] == "M" and e["name"] == "thread_name"}
    for e in document["traceEvents"]:
        if e["ph"] not in PHASES or not isinstance(e["name"], str) or not isinstance(e["pid"], int):
            return f"no trace event: {e}"
        if e["ph"] != "M" and not (isinstance(e["ts"], (int, float)) and e["ts"] >= 0):
            return f"no time: {e}"
        if e["ph"] == "X" and not e["dur"] >= 0:
            return f"no duration: {e}"
        if e["ph"] == "i" and e["s"] not in ("t", "p", "g"):
            return f"no scope: {e}"
        if e["ph"] in ("X", "i") and (e["pid"], e["tid"]) not in names:
            return f"a track without a name: {e}"
    return None


def vcd_fault(text):
    """GTKWave's own reader; None if it is not installed."""
    if not shutil.which("vcd2fst"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "t.vcd"), os.path.join(folder, "t.fst")
        with open(source, "w", encoding="ascii") as file:
            file.write(text)
        there = subprocess.run(["vcd2fst", "-v", source, "-f", target], capture_output=True, text=True, check=False)
        back = subprocess.run(["fst2vcd", target], capture_output=True, text=True, check=False)
    if there.returncode or back.returncode or there.stderr.strip():
        return f"vcd2fst: {there.stderr.strip() or back.stderr.strip()}"
    # What GTKWave understood has the same variables, and the same changes.
    for what in ("$var event 1 ", "$var wire 1 ", "$var real 64 "):
        if text.count(what) != back.stdout.count(what):
            return f"{text.count(what)} times {what!r} written, GTKWave has {back.stdout.count(what)}"
    moments = [sum(line.startswith("#") for line in t.splitlines()) for t in (text, back.stdout)]
    return None if moments[0] == moments[1] else f"{moments[0]} moments written, GTKWave has {moments[1]}"


def four_busy(text):
    """Every event that the ledger counts is in the trace, of four VMs over a second; the views load elsewhere."""
    trace, run = load(text)
    found = check.faults(trace, run)
    if found:
        return found[0]
    for vm in run.vms:
        counts = [len(t.events) for t in vm.timers.values()]
        if sum(counts) < 228:       # 100 of the PIT, 128 of the RTC at the least
            return f"vm {vm.name}: {sum(counts)} events are less than a second's"
    if len(run.vms) != 4 or run.end - run.start < trace.hz:
        return f"{len(run.vms)} VMs, {(run.end - run.start) / trace.hz} s"
    if not any(r.kind == records.EXIT for r in trace.records):
        return "no exit is in it"
    axis = Axis(run.start, run.end, run.start, hz=trace.hz)
    return perfetto_fault(perfetto.document(run, run.vms, axis)) or vcd_fault(vcd.document(run, run.vms, axis))


def dump_loads(text):
    """The last dump in the log is whole, and has both VMs."""
    trace, run = load(text)
    if trace.damage:
        return trace.damage[0]
    return None if len(run.vms) == 2 and any(vm.timers for vm in run.vms) else f"VMs in it: {[vm.name for vm in run.vms]}"


def _golden():
    """{timer: [(rt, at, mode)]} of tests/golden/figure7.tsv."""
    rows = {}
    with open(os.path.join(ROOT, "tests/golden/figure7.tsv"), encoding="ascii") as file:
        for line in list(file)[1:]:
            rt, at, kind, timer, mode = line.split()
            if kind == "event":
                rows.setdefault(timer, []).append((int(rt), int(at), mode))
    return rows


def figure7(text):
    """The events of a real run are those of figure 7, in real and in apparent time."""
    trace, run = load(text)
    vm = run.vm("fig")
    zero = int(next(line for line in text.splitlines() if "figure7: zero=" in line).split("zero=")[1].split()[0])
    offset = vm.normal[0][1]
    seen = {t.name: [((e.rt - offset - zero) * UNIT / trace.hz, (e.at - zero) * UNIT / trace.hz, e.mode)
                     for e in t.events if e.at >= zero] for t in vm.timers.values()}
    for timer, name in (("VTIMER1", "rtc-periodic"), ("VTIMER2", "lapic"), ("VTIMER3", "pit")):
        want = _golden()[timer]
        got = [e for e in seen[name] if e[1] <= 177]
        if len(got) != len(want):
            return f"{timer}: {len(got)} events, not {len(want)}: {got}"
        for (rt, at, mode), (real, apparent, seen_mode) in zip(want, got):
            if abs(real - rt) > TOLERANCE or abs(apparent - at) > TOLERANCE or seen_mode != mode:
                return f"{timer}: {real:.2f} ({apparent:.2f}) {seen_mode}, not {rt} ({at}) {mode}"
    return None
