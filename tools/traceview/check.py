"""Is every event that the ledger counts in the trace? Each VM's end, and each dump, writes the ledger into the trace; the records
are counted against it, and the ledger's own sums are made again."""
from traceview import records as R


def _counted(vm, timer_id):
    timer = vm.timers.get(timer_id)
    if timer is None:
        return {"delivered": 0, "merged": 0, "dropped": 0, "cancelled": 0}
    merged = sum(e.merged for e in timer.events)
    return {"delivered": len(timer.events) - merged, "merged": merged, "dropped": sum(d[2] for d in timer.drops),
            "cancelled": sum(c[1] for c in timer.cancels)}


def faults(trace, run):
    """What does not agree, one line each."""
    if trace is None:
        return ["a scenario has no ledger in it"]
    if trace.lost.get("events") or trace.damage:
        return [f"cannot be told: {note}" for note in run.notes]
    found = [] if any(vm.ledger for vm in run.vms) else ["there is no ledger in it"]
    for vm in run.vms:
        found += _vm_faults(trace, vm)
    return found


def _missing(timer_id, counts):
    """A ledger is several records: those of this one that are not there."""
    pairs = R.LEDGER_PAIRS[3:7] if timer_id == R.NO_TIMER else R.LEDGER_PAIRS[:3]
    return [count for pair in pairs for count in pair if count not in counts]


def _vm_faults(trace, vm):
    found = []
    for timer_id, counts in sorted(vm.ledger.items()):
        missing = _missing(timer_id, counts)
        if missing:
            found.append(f"vm {vm.name}: the ledger has no {', '.join(missing)}")
            continue
        if timer_id == R.NO_TIMER:
            at, elapsed = counts["run"] + counts["leapt"], counts["at"] + counts["lag"] + counts["paused"]
            if counts["at"] != at or counts["elapsed"] != elapsed:
                found.append(f"vm {vm.name}: its time does not balance: {counts}")
            if len(vm.leaps) != counts["leaps"]:
                found.append(f"vm {vm.name}: {len(vm.leaps)} leaps in the trace, {counts['leaps']} in the ledger")
            continue
        name = f"vm {vm.name}: {trace.timer_name(vm.index, timer_id)}"
        for what, number in _counted(vm, timer_id).items():
            if counts[what] != number:
                found.append(f"{name}: {number} {what} in the trace, {counts[what]} in the ledger")
        if counts["due"] != sum(counts[c] for c in ("delivered", "merged", "dropped", "cancelled", "pending")):
            found.append(f"{name}: its events do not balance: {counts}")
    return found


def report(trace, run):
    """Prints the verdict; True if all agrees."""
    found = faults(trace, run)
    for fault in found:
        print(f"check: {fault}")
    if not found:
        events = sum(len(t.events) for vm in run.vms for t in vm.timers.values())
        print(f"check: ok: {events} events of {len(run.vms)} VMs are in the trace as in their ledgers")
    return not found
