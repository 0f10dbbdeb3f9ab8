"""timesim's side: its table of incidents. With --points it says where AT was whenever the VM got or lost the processor, too."""
import re
import subprocess

from traceview import records as R
from traceview.timeline import Event, Run, Timeline, Timer

HEADER = "rt\tat\tkind\ttimer\tmode"
LIMIT = 1 << 62
DIRECTIVE = re.compile(r"^\s*(policy|timer|run|read|set|clear)\b", re.M)


def is_table(text):
    return text.startswith(HEADER)


def is_scenario(text):
    """By its first word that is no comment."""
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            return bool(DIRECTIVE.match(line))
    return False


def _number(text, where):
    if not re.fullmatch(r"\d{1,19}", text) or int(text) > LIMIT:
        raise R.TraceError(f"{where}: no number: {text[:40]}")
    return int(text)


def declared(text):
    """The timers of a scenario, in its order."""
    return [line.split()[1] for line in text.splitlines() if len(line.split()) > 2 and line.split()[0] == "timer"]


class _Reader:
    def __init__(self, names):
        self.vm = Timeline("VM", 0)
        self.ids = {}
        self.since = None
        for name in names:
            self.timer(name)

    def timer(self, name):
        index = self.ids.setdefault(name, len(self.ids))
        return self.vm.timers.setdefault(index, Timer(name))

    def point(self, line, number):
        """`# point RT AT`, by turns for a start and an end of a slice."""
        words = line.split()
        if len(words) != 4:
            raise R.TraceError(f"line {number}: no point: {line[:60]!r}")
        rt, at = (_number(word, f"line {number}") for word in words[2:])
        self.vm.curve.append((rt, at))
        if self.since is None:
            self.since = rt
        else:
            self.vm.slices.append((self.since, rt))
            self.since = None

    def row(self, line, number):
        where = f"line {number}"
        words = line.split("\t")
        if len(words) != 5:
            raise R.TraceError(f"{where}: five columns are due: {line[:60]!r}")
        rt, at, (kind, name, last) = _number(words[0], where), _number(words[1], where), words[2:]
        if kind == "drop":
            self.timer(name).drops.append((rt, at, _number(last, where)))
            return
        if kind not in ("event", "read") or last not in R.MODES:
            raise R.TraceError(f"{where}: neither event, read nor drop: {line[:60]!r}")
        self.vm.curve.append((rt, at))
        if kind == "read":
            self.vm.reads.append((rt, at))
            return
        if last == "leap" and (not self.vm.leaps or self.vm.leaps[-1][0] != rt):
            self.vm.leaps.append((rt, at, 0))
        offset = rt - at if last == "leap" else self.vm.offset_at(rt)
        if not self.vm.normal or self.vm.normal[-1][1] != offset:
            self.vm.normal.append((rt, offset))
        self.timer(name).events.append(Event(rt, at, last, late=rt - at - offset))

    def run(self):
        vm = self.vm
        vm.curve = [(0, 0), *vm.curve]
        if self.since is not None:
            vm.slices.append((self.since, vm.curve[-1][0]))
        run = Run(None, [vm], 0, max(vm.curve[-1][0], 1))
        run.processors = {0: [(since, until, 0, 0) for since, until in vm.slices]}
        return run


def read(table, scenario=""):
    """The Run of timesim's table."""
    reader = _Reader(declared(scenario))
    lines = table.splitlines()
    if not lines or lines[0] != HEADER:
        raise R.TraceError(f"line 1: not timesim's header: {(lines or [''])[0][:60]!r}")
    for number, line in enumerate(lines[1:], 2):
        if line.startswith("# point "):
            reader.point(line, number)
        elif not line.startswith("#"):
            reader.row(line, number)
    return reader.run()


def simulate(timesim, text, options=()):
    """What timesim prints of a scenario."""
    try:
        done = subprocess.run([timesim, *options, "-"], input=text, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise R.TraceError(f"{timesim}: {error} (`make timesim` builds it)") from error
    if done.returncode != 0:
        raise R.TraceError(done.stderr.strip() or f"timesim ended with {done.returncode}")
    return done.stdout
