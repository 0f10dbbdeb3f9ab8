"""What a run of clock guests says about its clocks: the guests' own findings (guests/clock) and the hypervisor's ledger
(kernel/accounts.c), in one record."""
import re

TICKS = re.compile(r"^(?:(\S+)\| )?clock: ticks pit=(\d+)/(\d+) rtc=(\d+)/(\d+) lapic=(\d+)/(\d+) lost=(\d+) extra=(\d+) "
                   r"inversions=(\d+) backward=(\d+) disagreement_ns=(\d+) past_ns=(\d+) late_ns=(\d+) hpet=(\d+)/(\d+)$", re.M)
INTERVALS = re.compile(r"^(?:\S+\| )?clock: (\w+) intervals shortest=(\d+) longest=(\d+) of 10000 rate_ppb=(-?\d+)$", re.M)
VERDICT = re.compile(r"^(?:(\S+)\| )?clock: (PASS|FAIL .*)$", re.M)
ACCOUNT = re.compile(r"^escapement: vm (\S+) time rt=(\d+) at=(\d+) .* lag=(-?\d+) paused=(\d+) .* leaps=(\d+) maxlag=(\d+) "
                     r".* rdtsc=(\d+) balance=(\w+)$", re.M)
HZ = re.compile(r"^escapement: time source TSC, (\d+) Hz", re.M)
LAG = re.compile(r"^escapement: vm (\S+) lag from=(\d+) step=(\d+) us:((?: -?\d+)+)$", re.M)
LEVEL_US = 1000  # a VM that is less behind has caught up
RESTS = 16       # so many intervals before its end, and it has rested within them (machines.REST_MS)


def lag_of(text, vm, hz):
    """[(seconds of RT, us behind)] of one VM, at the end of each interval."""
    series = []
    for name, first, step, values in LAG.findall(text):
        if name == vm:
            series += [((int(first) + (k + 1) * int(step)) / hz, int(us)) for k, us in enumerate(values.split())]
    return series


def drift_ppm(account, series, hz):
    """How far a VM's time was from real time when it was last on time, or nearest to that, over what had passed: at the very
    end it prints, and competes with others for the processor again."""
    ends = (int(account[1]) - int(account[4])) / hz
    return -min([us for _, us in series[-RESTS:]] + [int(account[3]) * 1e6 / hz], key=abs) / ends


def catch_up_ms(series):
    """From the last interval in which a VM was half as far behind as ever to the first in which it was level."""
    most = max((us for _, us in series), default=0)
    if most < LEVEL_US:
        return 0
    start = max(k for k, (_, us) in enumerate(series) if us >= most / 2)
    level = [at for at, us in series[start:] if us < LEVEL_US]
    return round((level[0] - series[start][0]) * 1000) if level else None


def read(text, machine, mode, vms):
    """The record of one run: sums over all its guests, or the worst of them. Raises ValueError if one did not report."""
    rows = TICKS.findall(text)
    if len(rows) != vms:
        raise ValueError(f"{len(rows)} of {vms} clock guests reported")
    numbers = [[int(n) for n in row[1:]] for row in rows]
    intervals = INTERVALS.findall(text)
    rates = [int(r[3]) for r in intervals]
    record = {
        "machine": machine, "mode": mode, "vms": vms,
        "due": sum(n[1] + n[3] + n[5] + n[14] for n in numbers), "lost": sum(n[6] for n in numbers),
        "extra": sum(n[7] for n in numbers), "inversions": sum(n[8] for n in numbers), "backward": sum(n[9] for n in numbers),
        "disagreement_ns": max(n[10] for n in numbers), "past_ns": max(n[11] for n in numbers),
        "shortest": min(int(r[1]) for r in intervals) / 100, "longest": max(int(r[2]) for r in intervals) / 100,
        "rate_ppm": max(rates, key=abs) / 1000, "passed": sum(v == "PASS" for _, v in VERDICT.findall(text)),
    }
    record.update(ledger(text, vms) if machine == "escapement" else {})
    return record


def ledger(text, vms):
    accounts = ACCOUNT.findall(text)
    hz = int(HZ.search(text).group(1))
    if len(accounts) != vms:
        raise ValueError(f"{len(accounts)} of {vms} VMs have accounts")
    first = sorted(a[0] for a in accounts)[0]
    series = lag_of(text, first, hz)
    drifts = [drift_ppm(a, lag_of(text, a[0], hz), hz) for a in accounts]
    return {
        "clock_ppm": max(drifts, key=abs), "max_lag_ms": max(int(a[6]) for a in accounts) * 1000 / hz,
        "leaps": sum(int(a[5]) for a in accounts), "rdtsc_exits": sum(int(a[7]) for a in accounts),
        "balanced": all(a[8] == "ok" for a in accounts), "lag": series, "catch_up_ms": catch_up_ms(series),
    }
