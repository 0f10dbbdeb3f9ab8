"""The measurements of Escapement; each boots one machine."""
from counts import DONE, READY
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


def share(build, guests, ticks=400, profile=False):
    """Counts while so many guests work, each with a 1 kHz tick: from the moment when the last of them is ready to when
    the first has finished."""
    vms = [bench_vm(build, f"busy{i}", f"mode=busy ticks={ticks}") for i in range(guests)]
    _, log = Machine(build, f"share-{guests}").boot(vms, append="slice=10ms", profile=profile)
    ready = [m for m in log.marks if m.number == READY]
    done = [m for m in log.marks if m.number == DONE]
    if sum(m.times for m in ready) != guests or not log.results:
        raise Failed(f"{sum(m.times for m in ready)} of {guests} guests began")
    if done[0].first.total < ready[-1].last.total:
        raise Failed("one guest had ended before all had begun: give them more ticks")
    return log.results[0]


def percent(result):
    """What is not the guests' own, of all."""
    return 100 * (1 - result.median.guest / result.median.total)
