"""What is measured, in the order of the table: the issue's figures and their budgets."""
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Figure:
    name: str      # as the bench guest prints it, and the key in the JSON
    title: str
    budget: Optional[float] = None
    percent: bool = False  # else instructions
    held: bool = False     # `make bench-test` fails where it is over its budget


BUSY = (1, 2, 4, 8)

TRIPS = [
    Figure("cpuid", "CPUID", 250, held=True),
    Figure("pic-out", "OUT to the PIC (mask)", 350, held=True),
    Figure("pm-timer", "PM-timer read", 500, held=True),
    Figure("hpet-read", "HPET read (counter)"),
    Figure("pit-read", "PIT read (counter)"),
    Figure("port61", "port 61h read"),
    Figure("lapic-arm", "LAPIC timer arm (ICR)"),
    Figure("lapic-ccr", "LAPIC timer read (CCR)"),
    Figure("ioapic", "IOAPIC write (index)"),
    Figure("rdtsc", "RDTSC"),
    Figure("tsc-write", "TSC MSR write"),
]
DELIVERY = [
    Figure("deadline", "deadline to handler, LAPIC", 1000),
    Figure("deadline-pic", "deadline to handler, PIT and PIC"),
    Figure("eoi-lapic", "its EOI, LAPIC", 300, held=True),
    Figure("eoi-pic", "its EOI, PIC"),
    Figure("hlt-wake", "deadline to handler, halted"),
    Figure("hlt-pending", "HLT with an interrupt waiting"),
]
STRICT = Figure("rdtsc-strict", "RDTSC, time=strict (coordinator)")
SWITCH = Figure("switch", "switch between two VMs", 1200)
_VMS = {n: f"{n} busy VM{'s' if n > 1 else ''}" for n in BUSY}
SHARES = [
    Figure("share-1", f"hypervisor's share, {_VMS[1]}", 0.3, percent=True, held=True),
    Figure("share-2", f"hypervisor's share, {_VMS[2]}", percent=True),
    Figure("share-4", f"hypervisor's share, {_VMS[4]}", percent=True),
    Figure("share-8", f"hypervisor's share, {_VMS[8]}", 1.5, percent=True),
]
PER_TICK = [Figure(f"tick-{n}", f"hypervisor, for each tick, {_VMS[n]}") for n in BUSY]

ALL = [*TRIPS, STRICT, *DELIVERY, SWITCH, *SHARES, *PER_TICK]


def mark(figure, value):
    """OK or over, where there is a budget."""
    if figure.budget is None or value is None:
        return ""
    return "OK" if value <= figure.budget else "over"


def shown(figure, value):
    if value is None:
        return "-"
    return f"{value:.3f} %" if figure.percent else f"{value:,.0f}"


def shown_budget(figure):
    if figure.budget is None:
        return ""
    return f"{figure.budget:g} %" if figure.percent else f"{figure.budget:,}"
