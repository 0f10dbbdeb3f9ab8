"""Value change dump (IEEE 1364-2001, 18) for GTKWave: for each VM whether it executes, its timers' events, its mode, rate and
lag; for each processor who has it."""
import re
from fractions import Fraction


def _identifiers():
    """!, ", # ... then two characters."""
    number = 0
    while True:
        text, rest = "", number
        while True:
            text += chr(33 + rest % 94)
            rest = rest // 94 - 1
            if rest < 0:
                break
        yield text
        number += 1


class _Dump:
    def __init__(self, run, axis):
        self.run, self.axis = run, axis
        self.ids, self.head, self.changes, self.first = _identifiers(), [], [], []
        self.order = 0

    def ns(self, rt):
        """The dump's unit: 1 ns, or one of timesim's units."""
        return int(Fraction(rt - self.run.start) * (Fraction(10**9, self.run.hz) if self.run.hz else 1))

    def scope(self, name):
        self.head.append(f"$scope module {re.sub(r'[^A-Za-z0-9_]', '_', name)} $end")

    def end_scope(self):
        self.head.append("$upscope $end")

    def variable(self, kind, width, name, initial):
        identifier = next(self.ids)
        name = re.sub(r"[^A-Za-z0-9_]", "_", name)
        self.head.append(f"$var {kind} {width} {identifier} {name} $end")
        if initial is not None:
            self.first.append(self.value(identifier, width, initial))
        return identifier, width

    @staticmethod
    def value(identifier, width, value):
        if isinstance(value, float):
            return f"r{value:.9g} {identifier}"
        if isinstance(value, str):
            return f"s{re.sub(r'[^!-~]', '_', value) or '-'} {identifier}"
        return f"{value}{identifier}" if width == 1 else f"b{value:b} {identifier}"

    def change(self, rt, variable, value):
        if self.axis.holds(rt):
            identifier, width = variable
            self.changes.append((self.ns(rt), self.order, self.value(identifier, width, value)))
            self.order += 1

    def spans(self, rows, variable, on=None):
        """Whoever goes on without a break does not fall in between."""
        edges = {}
        for since, until, *rest in sorted(rows):
            edges[max(since, self.axis.since)] = on(*rest) if on else 1
            edges.setdefault(until, "-" if on else 0)
        for rt, value in sorted(edges.items()):
            self.change(rt, variable, value)

    def vm(self, vm):
        self.scope(vm.name)
        self.spans(vm.slices, self.variable("wire", 1, "executes", 0))
        for _, timer in sorted(vm.timers.items()):
            event = self.variable("event", 1, timer.name, None)
            count = self.variable("integer", 32, timer.name + "_count", 0)
            for number, e in enumerate(timer.events, 1):
                self.change(e.rt, event, 1)
                self.change(e.rt, count, number & 0xFFFFFFFF)
        catchup = self.variable("wire", 1, "catchup", 0)
        rate = self.variable("real", 64, "rate", 1.0)
        for rt, mode, value in vm.modes:
            self.change(rt, catchup, int(mode == "catchup"))
            self.change(rt, rate, float(value))
        lag = self.variable("real", 64, "lag_us" if self.run.hz else "lag", 0.0)
        for rt, behind in vm.lag():
            self.change(rt, lag, float(behind) * (1e6 / self.run.hz if self.run.hz else 1))
        reads = self.variable("event", 1, "clock_read", None)
        for rt, _ in vm.reads:
            self.change(rt, reads, 1)
        exits = self.variable("string", 1, "exit", "-")
        for rt, name, _, _ in vm.exits:
            self.change(rt, exits, name)
        vector = self.variable("reg", 8, "interrupt_vector", 0)
        for rt, number, _ in vm.acks:
            self.change(rt, vector, number & 0xFF)
        self.end_scope()

    def processors(self):
        names = {vm.index: vm.name for vm in self.run.vms}
        self.scope("processors")
        for cpu, rows in sorted(self.run.processors.items()):
            self.spans(rows, self.variable("string", 1, f"cpu{cpu}", "-"), lambda vm, vcpu: f"{names.get(vm, vm)}/{vcpu}")
            fires = self.variable("event", 1, f"cpu{cpu}_timer", None)
            for rt, who in self.run.fires:
                if who == cpu:
                    self.change(rt, fires, 1)
        self.end_scope()

    def document(self):
        start = self.ns(self.axis.since)
        lines = ["$comment escapement: tools/trace $end", f"$timescale 1 {'ns' if self.run.hz else 's'} $end",
                 "$scope module escapement $end", *self.head, "$upscope $end", "$enddefinitions $end", f"#{start}",
                 "$dumpvars", *self.first, "$end"]
        now = start
        for time, _, value in sorted(self.changes):
            if time > now:
                now = time
                lines.append(f"#{now}")
            lines.append(value)
        end = self.ns(self.axis.until)
        if end > now:
            lines.append(f"#{end}")
        return "\n".join(lines) + "\n"


def document(run, vms, axis):
    """The VCD's text."""
    dump = _Dump(run, axis)
    for vm in vms:
        dump.vm(vm)
    dump.processors()
    return dump.document()
