"""The text summary."""
from traceview import records as R

SPARKS = "▁▂▃▄▅▆▇█"
COLUMNS = 60


def percentile(ordered, part):
    """Of a list in order: the value that `part` of all do not exceed."""
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


class _Text:
    def __init__(self, run, axis):
        self.run, self.axis, self.lines = run, axis, []

    def time(self, ticks):
        """A length of time."""
        if self.run.hz is None:
            return f"{float(ticks):g}"
        seconds = float(ticks) / self.run.hz
        for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
            if abs(seconds) * factor >= 1:
                return f"{seconds * factor:.3f} {unit}"
        return f"{seconds * 1e9:.0f} ns" if seconds else "0"

    def within(self, items):
        return [i for i in items if self.axis.holds(i[0])]

    def table(self, header, rows):
        rows = [[str(c) for c in row] for row in [header, *rows]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        for row in rows:
            cells = [c.ljust(w) if left else c.rjust(w) for c, w, left in zip(row, widths, self.left(header))]
            self.lines.append("  " + "  ".join(cells).rstrip())

    @staticmethod
    def left(header):
        """Words stand at the left of their column, numbers at its right."""
        return [name in ("timer", "processor", "who had it") for name in header]

    def spread(self, values):
        """Least, median, 90 %, 99 %, most."""
        ordered = sorted(values)
        if not ordered:
            return ["-"] * 5
        return [self.time(v) for v in (ordered[0], *(percentile(ordered, p) for p in (0.5, 0.9, 0.99)), ordered[-1])]

    def head(self):
        length = self.axis.until - self.axis.since
        events = sum(1 for vm in self.run.vms for rt, _, _ in vm.events() if self.axis.holds(rt))
        self.lines.append(f"{self.time(length)} of real time, {len(self.run.vms)} VM(s), {events} timer events")
        for note in self.run.notes:
            self.lines.append(f"note: {note}")

    def processors(self):
        length = float(self.axis.until - self.axis.since)
        rows = []
        for cpu, row in sorted(self.run.processors.items()):
            shares = {}
            inside = [(max(a, self.axis.since), min(b, self.axis.until), vm) for a, b, vm, _ in row
                      if b > self.axis.since and a < self.axis.until]
            for since, until, vm in inside:
                shares[vm] = shares.get(vm, 0) + until - since
            switches = sum(a[2] != b[2] for a, b in zip(inside, inside[1:]))
            names = {vm.index: vm.name for vm in self.run.vms}
            words = ", ".join(f"{names.get(vm, vm)} {100 * float(part) / length:.1f} %" for vm, part in sorted(shares.items()))
            fires = sum(c == cpu for _, c in self.within(self.run.fires))
            idle = sum(c == cpu for _, c in self.within(self.run.idle))
            arms = sum(a[1] == cpu for a in self.within(self.run.alarms))
            rows.append((cpu, switches, arms, fires, idle, words))
        if rows:
            self.lines.append("")
            self.table(("processor", "switches", "alarm set", "fired", "idle", "who had it"), rows)

    def vm(self, vm):
        self.lines.append("")
        modes = self.within(vm.modes)
        entered = sum(now[1] == "catchup" and (n == 0 or modes[n - 1][1] != "catchup") for n, now in enumerate(modes))
        words = [f"{len(self.within(vm.reads))} clock reads", f"{len(self.within(vm.acks))} interrupts taken",
                 f"catch-up entered {entered} times", f"{len(self.within(vm.leaps))} leaps"]
        self.lines.append(f"vm {vm.name}: " + ", ".join(words))
        self.timers(vm)
        self.latency(vm)
        self.exits(vm)
        self.lag(vm)

    def timers(self, vm):
        rows = []
        for _, timer in sorted(vm.timers.items()):
            events = [e for e in timer.events if self.axis.holds(e.rt)]
            dropped = sum(d[2] for d in self.within(timer.drops))
            cancelled = sum(c[1] for c in self.within(timer.cancels))
            armed = len(self.within(timer.arms))
            if events or dropped or cancelled or armed:
                merged = sum(e.merged for e in events)
                late = [e.late for e in events if e.late is not None]
                rows.append((timer.name, armed, len(events) - merged, merged, dropped, cancelled, *self.spread(late)))
        if rows:
            self.table(("timer", "armed", "delivered", "merged", "dropped", "cancelled", "late: least", "median", "90 %", "99 %",
                        "most"), rows)

    def latency(self, vm):
        found = [e.latency for _, _, e in self.within(vm.events()) if e.latency is not None]
        if found:
            least, median, ninety, ninety_nine, most = self.spread(found)
            self.lines.append(f"  delivered after it was due: median {median}, 90 % {ninety}, 99 % {ninety_nine}, most {most}, "
                              f"least {least}")

    def exits(self, vm):
        counts = {}
        for _, name, _, _ in self.within(vm.exits):
            counts[name] = counts.get(name, 0) + 1
        if counts:
            words = ", ".join(f"{name} {n}" for name, n in sorted(counts.items(), key=lambda x: (-x[1], x[0])))
            self.lines.append(f"  {sum(counts.values())} exits: {words}")

    def lag(self, vm):
        """The largest in each column of a line of bars."""
        lags = self.within(vm.lag())
        if not lags:
            return
        bins = [0] * COLUMNS
        for rt, lag in lags:
            column = min(int(self.axis.part(rt) * COLUMNS), COLUMNS - 1)
            bins[column] = max(bins[column], lag)
        most = max(bins)
        bars = "".join(" " if b <= 0 else SPARKS[min(int(b * len(SPARKS) / most), len(SPARKS) - 1)] for b in bins)
        self.lines.append(f"  lag, at most {self.time(most)}, at the end {self.time(lags[-1][1])}: |{bars}|")


def text(run, vms, axis):
    page = _Text(run, axis)
    page.head()
    page.processors()
    for vm in vms:
        page.vm(vm)
    return "\n".join(page.lines) + "\n"
