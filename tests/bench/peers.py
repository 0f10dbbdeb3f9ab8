"""The same measurements for KVM: Debian's kernel on the same QEMU is the host, peer_vmm.c its user space, and the guests
are the same files (tests/bench/peer_init)."""
import figures
import linux
from machine import Failed, results
from measure import share_figures

COLUMNS = [("KVM", ""), ("KVM, mitigations=off", "mitigations=off")]


def check(text):
    for line in text.splitlines():
        if line.startswith(("peer: FAIL", "peer_vmm:")):
            raise Failed(line)
    if "peer: done" not in text:
        raise Failed("the peer's host did not come to its end")


def values_of(text, log):
    """{figure: value}. The results were counted in the order of peer_init: the trips; two spinning guests, of which the
    first to end has counted the switches; for each number of busy guests the first to end."""
    check(text)
    trips = results(text)
    values = {name: median for name, (median, _, _) in trips.items()}
    rest = iter(log.results[len(trips):])
    both = [next(rest), next(rest)]
    if both[0].tries < 20:
        raise Failed(f"only {both[0].tries} switches were seen under KVM")
    values[figures.SWITCH.name] = both[0].median.other
    marks = iter(log.marks)
    for n in figures.BUSY:
        values.update(share_figures(n, [next(rest) for _ in range(n)][0], marks))
    if next(rest, None):
        raise Failed("more results than measurements")
    return values


def measure(build, name, words):
    return values_of(*linux.boot(build, name, f"{build}/bench/peer.img", f"{linux.QUIET} {words}".strip()))
