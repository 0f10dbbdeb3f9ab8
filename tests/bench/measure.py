"""The measurements of Escapement; each boots one machine and returns {figure's name: value}."""
from statistics import median

from counts import DONE, READY, SIDE_A, SIDE_B
from machine import Failed, Machine, bench_vm, results


def trips(build, tries=501):
    text, _ = Machine(build, "trips").boot([bench_vm(build, "b", f"tries={tries}")])
    return {name: values[0] for name, values in results(text).items()}


def strict(build, tries=501):
    """Every RDTSC exits and is answered from apparent time: a read through the coordinator, and nothing besides."""
    text, _ = Machine(build, "strict").boot([bench_vm(build, "b", f"only=rdtsc tries={tries}", "time=strict")])
    return {"rdtsc-strict": results(text)["rdtsc"][0]}


def switch_costs(marks):
    """The hypervisor's instructions from the last round of one spinning guest to the first of the other."""
    sides = [m for m in marks if m.number in (SIDE_A, SIDE_B)]
    return [(b.first - a.last) for a, b in zip(sides, sides[1:])]


def switch(build):
    vms = [bench_vm(build, f"spin{side}", f"mode=spin side={side} rounds=30000000") for side in "ab"]
    _, log = Machine(build, "switch").boot(vms, append="slice=1ms")
    costs = [c.host for c in switch_costs(log.marks)]
    if len(costs) < 20:
        raise Failed(f"only {len(costs)} switches were seen")
    return {"switch": median(costs)}


def window(marks, guests):
    """From the moment when the last guest works to the first that has finished."""
    ready = [m for m in marks if m.number == READY]
    done = [m for m in marks if m.number == DONE]
    if sum(m.times for m in ready) != guests or not done:
        raise Failed(f"{sum(m.times for m in ready)} of {guests} guests began, {len(done)} ended")
    counts = done[0].first - ready[-1].last
    if counts.host <= 0 or done[0].first.total < ready[-1].last.total:
        raise Failed("one guest had ended before all had begun: give them more ticks")
    return counts


def share(build, guests, ticks):
    """The hypervisor's part of all instructions while so many guests work, each with a 1 kHz tick."""
    vms = [bench_vm(build, f"busy{i}", f"mode=busy ticks={ticks}") for i in range(guests)]
    _, log = Machine(build, f"share-{guests}").boot(vms, append="slice=10ms")
    counts = window(log.marks, guests)
    return {f"share-{guests}": 100 * (counts.total - counts.guest) / counts.total}
