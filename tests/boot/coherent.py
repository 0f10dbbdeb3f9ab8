"""The short form of the coherence report (tests/coherence) as a boot test: who is coordinated shows no fault, who is not does."""
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "coherence"))

import figures  # noqa: E402 (after the path is set)
import machines  # noqa: E402
import report  # noqa: E402

RATE_PPM = 100      # a second has too few ticks to tell more
END_LAG_US = 1000   # at its end, rested, a VM is on time


def vm(name, load, settings=""):
    return f"{name} {{guests}}/clock.elf {machines.SETTINGS[load]} {settings} -- {machines.words(load, 1)}"


def of(text, name):
    """What concerns one VM."""
    return "\n".join(line for line in text.splitlines()
                     if line.startswith((f"{name}| ", f"escapement: vm {name} ", "escapement: time source")))


def coherent(text, good, naive):
    """A complaint if one of the guests `good` shows a fault, or `naive`, in the same run, none."""
    for name in good:
        try:
            record = figures.read(of(text, name), "escapement", "coordinated", 1)
        except ValueError as error:
            return f"guest {name}: {error}"
        faults = report.faults(record)
        if faults:
            return f"guest {name}: {', '.join(faults)}"
        if abs(record["rate_ppm"]) > RATE_PPM or record["leaps"]:
            return f"guest {name}: ticks {record['rate_ppm']} ppm off, {record['leaps']} leaps"
        if record["lag"][-1][1] > END_LAG_US:
            return f"guest {name} ends {record['lag'][-1][1]} us behind"
        if record["max_lag_ms"] < 10:
            return f"guest {name} never lost the processor: this run says nothing"
    try:
        faults = report.faults(figures.read(of(text, naive), "escapement", "naive", 1))
    except ValueError as error:
        return f"guest {naive}: {error}"
    return None if faults else f"guest {naive} shows no fault without the coordinator: this run says nothing"
