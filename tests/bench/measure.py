"""The measurements of Escapement; each boots one machine."""
from counts import DONE, READY, TICK
from machine import Failed, Machine, bench_vm, results


def trips(build, only="", settings="", tries=501, profile=False):
    """[(name, median by the guest's clock, Result)]: round trips and deliveries, all or one."""
    words = f"tries={tries}" + (f" only={only}" if only else "")
    text, log = Machine(build, "trips" + only + settings).boot([bench_vm(build, "b", words, settings)], profile=profile)
    found = results(text)
    if not found or len(found) != len(log.results):
        raise Failed(f"{len(found)} results on the serial line, {len(log.results)} counted: {only or 'trips'}")
    return [(name, values[0], result) for (name, values), result in zip(found.items(), log.results)]


def switch(build, profile=False):
    """The hypervisor's instructions from the last mark of one spinning guest to the first of the other."""
    vms = [bench_vm(build, f"spin{side}", f"mode=spin side={side} rounds=2500") for side in "ab"]
    _, log = Machine(build, "switch").boot(vms, append="slice=1ms", profile=profile)
    if not log.results or log.results[0].tries < 50:
        raise Failed("too few switches were seen")
    return log.results[0]


def ticks_in_window(marks, guests):
    """The timer interrupts that the guests took from when the last of them was ready to when the first had finished.
    `marks` is an iterator: it is read until all have finished."""
    ready = done = ticks = 0
    while done < guests:
        mark = next(marks, None)
        if mark is None:
            raise Failed(f"{done} of {guests} busy guests have finished")
        if mark.number == READY:
            ready, ticks = ready + mark.times, 0
        elif mark.number == TICK and done == 0:
            ticks += mark.times
        elif mark.number == DONE:
            if ready != guests:
                raise Failed("a busy guest had finished before all had begun: give them more ticks")
            done += mark.times
    return ticks


def share_figures(guests, result, marks):
    """What is not the guests' own, of all instructions; and for each tick."""
    counts = result.median
    outside = counts.total - counts.guest
    return {f"share-{guests}": 100 * outside / counts.total, f"tick-{guests}": outside / ticks_in_window(marks, guests)}


def share(build, guests, ticks=400, profile=False):
    """(Result, Log) while so many guests work, each with a 1 kHz tick; the first result is the window's."""
    vms = [bench_vm(build, f"busy{i}", f"mode=busy ticks={ticks}") for i in range(guests)]
    _, log = Machine(build, f"share-{guests}").boot(vms, append="slice=10ms", profile=profile)
    if len(log.results) != guests:
        raise Failed(f"{len(log.results)} of {guests} busy guests have finished")
    return log.results[0], log
