"""What a trace is made of: vmm/trace.h has the same table."""
from dataclasses import dataclass, field
from typing import NamedTuple

FORMAT = 1
NO_TIMER = 0xFF
NEVER = (1 << 64) - 1
MODES = ("normal", "catchup", "leap")
RATE_ONE = 4096

# enum trace_kind, from 1
KINDS = ("none", "arm", "disarm", "cancel", "deliver", "merge", "drop", "leap", "decide", "read", "lose", "resume",
         "inject", "ack", "exit", "run", "stop", "idle", "alarm", "fire", "name", "ledger")
(NONE, ARM, DISARM, CANCEL, DELIVER, MERGE, DROP, LEAP, DECIDE, READ, LOSE, RESUME, INJECT, ACK, EXIT, RUN, STOP, IDLE,
 ALARM, FIRE, NAME, LEDGER) = range(len(KINDS))
PROCESSOR_KINDS = (IDLE, ALARM, FIRE)       # they belong to no VM
EXIT_KINDS = (EXIT, READ, INJECT)           # they have a ring of their own
ACCOUNT_KINDS = (NAME, LEDGER)              # written at a VM's end: no events

# enum trace_ledger: which two counts a LEDGER record holds
LEDGER_PAIRS = (("due", "delivered"), ("merged", "dropped"), ("cancelled", "pending"), ("elapsed", "at"),
                ("run", "leapt"), ("lag", "paused"), ("leaps", "catchups"), ("max_lag", "max_latency"))
SIGNED_COUNTS = ("lag", "max_lag")

# enum exit_kind (vmm/exit.h), enum run_stop (vmm/run.h), enum inject_result (vmm/backend.h)
EXITS = ("interrupt", "nmi", "deadline", "irq-window", "nmi-window", "exception", "triple-fault", "init", "sipi", "smi",
         "task-switch", "hlt", "pause", "cpuid", "rdtsc", "rdtscp", "rdpmc", "rdmsr", "wrmsr", "io", "mmio", "cr",
         "dr", "xsetbv", "invd", "wbinvd", "invlpg", "monitor", "mwait", "descriptor", "hypercall", "virt-insn",
         "entry-failed", "unexpected")
STOPS = ("preempted", "halted", "ended", "reset")
INJECTS = ("taken", "window")


class TraceError(Exception):
    """Input that cannot be used: one line says what and where."""


class Record(NamedTuple):
    """One record; cpu is the processor whose ring it was in."""
    rt: int
    at: int
    value: int
    arg: int
    kind: int
    vm: int
    vcpu: int
    timer: int
    cpu: int = 0

    @property
    def mode(self):
        """Of DELIVER, MERGE, DECIDE: an index into MODES."""
        return min(self.arg >> 30, 2)

    @property
    def rest(self):
        """The number beside the mode: latency, or rate in 1/4096."""
        return self.arg & 0x3FFFFFFF


def signed(n):
    """A field that holds a signed number."""
    return n - (1 << 64) if n >> 63 else n


def name_of(table, index):
    return table[index] if 0 <= index < len(table) else f"#{index}"


@dataclass
class Trace:
    """What a run left: its records in the order of real time, and what they are about."""
    hz: int
    records: list                                   # Record, by rt
    lost: dict = field(default_factory=dict)        # "events", "exits": how many were overwritten before the first here
    damage: list = field(default_factory=list)      # what did not come through, in words
    names: dict = field(default_factory=dict)       # VM: name
    timers: dict = field(default_factory=dict)      # (VM, timer): name
    ledger: dict = field(default_factory=dict)      # (VM, timer or NO_TIMER): {count: number}

    def vm_name(self, vm):
        return self.names.get(vm, f"vm{vm}")

    def timer_name(self, vm, timer):
        return self.timers.get((vm, timer), f"timer{timer}")

    def vms(self):
        return sorted({r.vm for r in self.records if r.kind not in PROCESSOR_KINDS})


def _text(record):
    raw = (record.at | record.value << 64).to_bytes(16, "little").rstrip(b"\0")
    return "".join(c if c.isprintable() else "?" for c in raw.decode("ascii", "replace"))


def _unique_names(trace, targets):
    """Timers of one name, as each vCPU's LAPIC has one, are told apart by the vCPU."""
    for (vm, timer), name in list(trace.timers.items()):
        same = [key for key, other in trace.timers.items() if key[0] == vm and other == name]
        if len(same) > 1:
            for key in same:
                trace.timers[key] = f"{name}{targets[key]}"


def _read_accounts(trace):
    """Names and ledger; the last word counts."""
    targets = {}
    for r in trace.records:
        if r.kind == NAME and r.timer == NO_TIMER:
            trace.names[r.vm] = _text(r)
        elif r.kind == NAME:
            trace.timers[r.vm, r.timer] = _text(r)
            targets[r.vm, r.timer] = r.vcpu
        elif r.kind == LEDGER and r.arg < len(LEDGER_PAIRS):
            counts = trace.ledger.setdefault((r.vm, r.timer), {})
            for count, number in zip(LEDGER_PAIRS[r.arg], (r.at, r.value)):
                counts[count] = signed(number) if count in SIGNED_COUNTS else number
    _unique_names(trace, targets)


def make_trace(hz, records, lost, damage=()):
    """A Trace from records in the order of their rings; sorts them by real time, and reads names and ledger."""
    if not 1 <= hz < 1 << 40:
        raise TraceError(f"a frequency of {hz} Hz cannot be")
    trace = Trace(hz, sorted(records, key=lambda r: r.rt), dict(lost), list(damage))
    _read_accounts(trace)
    return trace
