"""What one VM saw and when: the model behind all views. Real time and apparent time in ticks of one clock."""
from bisect import bisect_right
from dataclasses import dataclass, field

from traceview import records as R


@dataclass
class Event:
    """rt: when it was due in real time (nominally, timers/deliver.c); late: how far behind its normal real time that was;
    latency: how much later it was really delivered. late and latency are None where nothing tells."""
    rt: int
    at: int
    mode: str
    merged: bool = False
    late: int = None
    latency: int = None


@dataclass
class Timer:
    name: str
    events: list = field(default_factory=list)
    drops: list = field(default_factory=list)       # (rt, at, ticks)
    arms: list = field(default_factory=list)        # (rt, at of the next event or None, period)
    cancels: list = field(default_factory=list)     # (rt, ticks)


@dataclass
class Timeline:
    """One VM. `curve` is AT over RT, a polyline; `normal` says at which RT an AT would be reached if nothing were late:
    from a moment on, NRT = AT + offset."""
    name: str
    index: int = 0
    timers: dict = field(default_factory=dict)      # id: Timer
    slices: list = field(default_factory=list)      # (from, to): a vCPU had the processor
    curve: list = field(default_factory=list)       # (rt, at)
    reads: list = field(default_factory=list)       # (rt, at)
    modes: list = field(default_factory=list)       # (rt, mode, rate)
    leaps: list = field(default_factory=list)       # (rt, at, leapt)
    normal: list = field(default_factory=list)      # (rt, offset)
    exits: list = field(default_factory=list)       # (rt, name, qualification, rip)
    injects: list = field(default_factory=list)     # (rt, vector, result)
    acks: list = field(default_factory=list)        # (rt, vector, from_pic)
    ledger: dict = field(default_factory=dict)      # timer id or NO_TIMER: counts

    def offset_at(self, rt):
        """NRT - AT around `rt`; the first that is known, before that."""
        if not self.normal:
            return 0
        return self.normal[max(bisect_right(self.normal, (rt, float("inf"))) - 1, 0)][1]

    def lag(self):
        """(rt, lag) along the curve."""
        return [(rt, rt - at - self.offset_at(rt)) for rt, at in self.curve]

    def events(self):
        """(rt, timer, Event), in the order of time."""
        found = [(e.rt, t, e) for t in self.timers.values() for e in t.events]
        return sorted(found, key=lambda x: (x[0], x[2].at))


@dataclass
class Run:
    """All VMs, and the processors."""
    hz: int                                         # ticks a second; None: abstract units (timesim)
    vms: list
    start: int
    end: int
    processors: dict = field(default_factory=dict)  # processor: [(from, to, vm, vcpu)]
    idle: list = field(default_factory=list)        # (rt, processor)
    alarms: list = field(default_factory=list)      # (rt, processor, deadline)
    fires: list = field(default_factory=list)       # (rt, processor)
    notes: list = field(default_factory=list)       # what the reader must know

    def vm(self, name):
        for vm in self.vms:
            if vm.name == name:
                return vm
        raise R.TraceError(f"no VM {name}; there are: {', '.join(v.name for v in self.vms)}")


class _Builder:
    """One pass over the records; a method for each kind."""

    def __init__(self, trace):
        self.trace = trace
        self.vms = {}
        moments = [r.rt for r in trace.records if r.kind not in R.ACCOUNT_KINDS]
        if not moments:
            raise R.TraceError("there is nothing in it but names")
        self.run = Run(trace.hz, [], moments[0], moments[-1])
        self.on = {}        # processor: (since, vm, vcpu)
        self.may_go_on = {} # processor: (vm, vcpu) whose slice has ended, and who has not lost the processor yet
        self.handlers = {R.ARM: self.arm, R.DISARM: self.arm, R.CANCEL: self.cancel, R.DELIVER: self.event,
                         R.MERGE: self.event, R.DROP: self.drop, R.LEAP: self.leap, R.DECIDE: self.decide,
                         R.READ: self.read, R.LOSE: self.stand, R.RESUME: self.point, R.INJECT: self.inject,
                         R.ACK: self.ack, R.EXIT: self.exit, R.RUN: self.get, R.STOP: self.lose,
                         R.LEDGER: self.ledger}

    def vm(self, r):
        if r.vm not in self.vms:
            self.vms[r.vm] = Timeline(self.trace.vm_name(r.vm), r.vm)
        return self.vms[r.vm]

    def timer(self, r):
        return self.vm(r).timers.setdefault(r.timer, Timer(self.trace.timer_name(r.vm, r.timer)))

    def arm(self, r):
        self.timer(r).arms.append((r.rt, r.at if r.kind == R.ARM else None, r.value))

    def cancel(self, r):
        self.timer(r).cancels.append((r.rt, r.value))

    def event(self, r):
        due, late = r.rt - r.rest, R.signed(r.value)
        self.timer(r).events.append(Event(due, r.at, R.MODES[r.mode], r.kind == R.MERGE, late, r.rest))
        vm = self.vm(r)
        vm.curve.append((due, r.at))
        if not vm.normal or vm.normal[-1][1] != due - late - r.at:
            vm.normal.append((due, due - late - r.at))

    def drop(self, r):
        self.timer(r).drops.append((r.rt, r.at, r.value))

    def leap(self, r):
        vm = self.vm(r)
        vm.leaps.append((r.rt, r.at, r.value))
        vm.curve += [(r.rt, r.at - r.value), (r.rt, r.at)]

    def decide(self, r):
        self.vm(r).modes.append((r.rt, R.MODES[r.mode], r.rest / R.RATE_ONE))

    def read(self, r):
        self.vm(r).reads.append((r.rt, r.at))
        self.point(r)

    def point(self, r):
        self.vm(r).curve.append((r.rt, r.at))

    def stand(self, r):
        self.point(r)
        self.may_go_on = {cpu: who for cpu, who in self.may_go_on.items() if who[0] != r.vm}

    def inject(self, r):
        self.vm(r).injects.append((r.rt, r.arg, R.name_of(R.INJECTS, r.at)))

    def ack(self, r):
        self.vm(r).acks.append((r.rt, r.arg, bool(r.at)))

    def exit(self, r):
        self.vm(r).exits.append((r.rt, R.name_of(R.EXITS, r.arg), r.at, r.value))

    def get(self, r):
        """The end of a slice with nobody else to run is none."""
        self.vm(r)
        goes_on = self.may_go_on.pop(r.cpu, None) == (r.vm, r.vcpu)
        since = self.run.processors[r.cpu].pop()[0] if goes_on else r.rt
        self.on[r.cpu] = (since, r.vm, r.vcpu)

    def lose(self, r):
        self.vm(r)
        # Without the RUN the ring has overwritten it: the vCPU had the processor since before the trace.
        since, vm, vcpu = self.on.pop(r.cpu, (self.run.start, r.vm, r.vcpu))
        if (vm, vcpu) == (r.vm, r.vcpu):
            self.slice(r.cpu, since, r.rt, vm, vcpu)
            if R.name_of(R.STOPS, r.at) == "preempted":
                self.may_go_on[r.cpu] = (vm, vcpu)

    def slice(self, cpu, since, until, vm, vcpu):
        self.run.processors.setdefault(cpu, []).append((since, until, vm, vcpu))

    def ledger(self, r):
        self.vm(r).ledger[r.timer] = self.trace.ledger.get((r.vm, r.timer), {})
        if r.arg < len(R.LEDGER_PAIRS) and R.LEDGER_PAIRS[r.arg][1] == "at" and r.rt <= self.run.end:
            self.vm(r).curve.append((r.rt, r.value))

    def processor(self, r):
        target = {R.IDLE: self.run.idle, R.FIRE: self.run.fires}.get(r.kind)
        if target is not None:
            target.append((r.rt, r.cpu))
        else:
            self.run.alarms.append((r.rt, r.cpu, r.value))

    def build(self):
        for r in self.trace.records:
            if r.kind in R.PROCESSOR_KINDS:
                self.processor(r)
            elif r.kind in self.handlers:
                self.handlers[r.kind](r)
        for cpu, (since, vm, vcpu) in self.on.items():
            self.slice(cpu, since, self.run.end, vm, vcpu)
        for row in self.run.processors.values():
            for since, until, vm, _ in row:
                self.vms[vm].slices.append((since, until))
        for vm in self.vms.values():
            _finish(vm)
        self.run.vms = [self.vms[index] for index in sorted(self.vms)]
        self.notes()
        return self.run

    def notes(self):
        for what, lost in self.trace.lost.items():
            if lost:
                self.run.notes.append(f"{lost} older {what} were overwritten (trace-buffer=)")
        self.run.notes += self.trace.damage


def _finish(vm):
    vm.slices.sort()
    vm.curve.sort()
    account = vm.ledger.get(R.NO_TIMER, {})
    if not vm.normal and vm.curve and "lag" in account:
        # No event tells where the line is; the account does. At its moment AT stands at `at`.
        vm.normal.append((vm.curve[0][0], vm.curve[0][0] - vm.curve[0][1]))


def from_trace(trace):
    """The Run that a trace tells of."""
    return _Builder(trace).build()
