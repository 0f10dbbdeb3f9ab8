"""Chrome's trace event format, which ui.perfetto.dev reads: each VM is a process with tracks for its vCPU, its timers,
interrupts and exits, and counters for lag and rate; the processors are a process of their own."""
import json
import math

PROCESSORS = 1          # pid; VM n is FIRST_VM + n
FIRST_VM = 10
VCPU, EXITS, INTERRUPTS, FIRST_TIMER = 1, 2, 3, 10     # tid within a VM


class _Events:
    def __init__(self, run, axis):
        self.run, self.axis, self.list = run, axis, []

    def us(self, ticks):
        """Microseconds; a unit of timesim's time counts as one."""
        return round(float(ticks) * 1e6 / self.run.hz, 4) if self.run.hz else float(ticks)

    def add(self, phase, name, rt, pid, tid, **more):
        self.list.append({"ph": phase, "name": name, "ts": self.us(rt - self.run.start), "pid": pid, "tid": tid, **more})

    def name(self, pid, process, threads):
        self.list.append({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": process}})
        self.list.append({"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}})
        for tid, thread in threads.items():
            self.list.append({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": thread}})

    def within(self, items):
        return [i for i in items if self.axis.holds(i[0])]

    def spans(self, rows, pid, tid, name):
        for since, until, *rest in rows:
            if until > self.axis.since and since < self.axis.until:
                since, until = max(since, self.axis.since), min(until, self.axis.until)
                self.add("X", name(*rest), since, pid, tid, dur=self.us(until - since))

    def instant(self, name, rt, pid, tid, **args):
        self.add("i", name, rt, pid, tid, s="t", args=args)

    def processors(self):
        names = {vm.index: vm.name for vm in self.run.vms}
        self.name(PROCESSORS, "processors", {cpu + 1: f"processor {cpu}" for cpu in self.run.processors})
        for cpu, rows in self.run.processors.items():
            self.spans(rows, PROCESSORS, cpu + 1, lambda vm, vcpu: f"{names.get(vm, vm)}/{vcpu}")
        for rt, cpu in self.within(self.run.fires):
            self.instant("timer fires", rt, PROCESSORS, cpu + 1)
        for rt, cpu, deadline in self.within(self.run.alarms):
            after = self.us(deadline - rt) if deadline < 1 << 63 else None
            self.instant("timer set", rt, PROCESSORS, cpu + 1, after_us=after)
        for rt, cpu in self.within(self.run.idle):
            self.instant("idle", rt, PROCESSORS, cpu + 1)

    def vm(self, vm):
        pid = FIRST_VM + vm.index
        timers = {FIRST_TIMER + n: t.name for n, t in vm.timers.items()}
        self.name(pid, f"vm {vm.name}", {VCPU: "executes", EXITS: "exits", INTERRUPTS: "interrupts", **timers})
        self.spans(vm.slices, pid, VCPU, lambda: "executes")
        for index, timer in vm.timers.items():
            for e in timer.events:
                if self.axis.holds(e.rt):
                    late = None if e.late is None else self.us(e.late)
                    self.instant(f"{e.mode}{' merged' if e.merged else ''}", e.rt, pid, FIRST_TIMER + index,
                                 at=str(e.at), late_us=late)
            for rt, at, period in self.within(timer.arms):
                self.instant("disarm" if at is None else "arm", rt, pid, FIRST_TIMER + index, at=str(at), period=period)
        for rt, name, qualification, rip in self.within(vm.exits):
            self.instant(name, rt, pid, EXITS, qualification=hex(qualification), rip=hex(rip))
        for rt, at in self.within(vm.reads):
            self.instant("clock read", rt, pid, EXITS, at=str(at))
        for rt, vector, from_pic in self.within(vm.acks):
            self.instant(f"vector {vector:#x}", rt, pid, INTERRUPTS, by="pic" if from_pic else "lapic")
        for rt, lag in self.within(vm.lag()):
            self.add("C", "lag, us", rt, pid, 0, args={"lag": self.us(lag)})
        for rt, mode, rate in self.within(vm.modes):
            self.add("C", "rate", rt, pid, 0, args={"rate": rate})
            if mode == "leap":
                self.instant("leap", rt, pid, VCPU)
        for rt, at, leapt in self.within(vm.leaps):
            self.instant("leap", rt, pid, VCPU, at=str(at), leapt_us=self.us(leapt))


def document(run, vms, axis):
    """The JSON text; numbers that JSON has not got do not occur."""
    events = _Events(run, axis)
    events.processors()
    for vm in vms:
        events.vm(vm)
    events.list.sort(key=lambda e: e.get("ts", -math.inf))
    return json.dumps({"displayTimeUnit": "ns", "traceEvents": events.list, "otherData": {"hz": run.hz, "notes": run.notes}},
                      separators=(",", ":"), allow_nan=False) + "\n"
