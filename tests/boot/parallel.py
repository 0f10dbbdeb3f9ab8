"""Boot tests on a machine of several processors (issue "Several processors"). Both emulators count
instructions and run one at a time. Bochs gives each what one alone would have; QEMU shares that out (kernel/turns.c)."""
import os

from case import Case
from dates import dates
from shares import mean, rounds_of

SHARE = "{guests}/share.elf mem=4M"
CLOCK = "{guests}/clock.elf mem=16M"
HELLO = "{guests}/hello.elf mem=16M"
HALTED = "{guests}/hostile.elf mem=16M -- mode=clihlt"
AGAIN = "{guests}/again.bin mem=2M"
SHARED = "QEMU's processors do together what one does alone"
WARP = "{guests}/warp.elf mem=16M"
IPI = "{guests}/ipi.elf mem=16M"
WILD = f"{IPI} cpus=4 x2apic=off -- wild=20 storm=10 last=deaf"
ANEW = "{guests}/anew.elf mem=4M"
PASSES = int(os.environ.get("WARP_PASSES", "20000"))
RESETS = int(os.environ.get("ANEW_RESETS", "60"))
LINUX = "{debian}/vmlinuz mem=192M cpus=2 initrd={debian}/initrd.img -- console=ttyS0 quiet nokaslr mitigations=off cryptomgr.notests"
LINUX_BAD = [r"Marking TSC unstable", r"clocksource: timekeeping watchdog", r"soft lockup", r"rcu.*detected.*stall",
             r"hrtimer: interrupt took"]
BUSY = "abcdefgh"


def vms(*lines):
    return [word for line in lines for word in ("--vm", line)]


def all_ended(ok, failed):
    return rf"^escapement: all VMs ended, {ok} ok, {failed} failed$"


def did(processor, switches=r"\d+", arms=r"[1-9]\d*", arrivals=r"\d+"):
    return rf"^escapement: processor {processor}: {switches} switches, timer armed {arms} times, {arrivals} vCPUs taken over$"


def together(text):
    """How many times the work of one alone eight busy guests do, and None; or None and a complaint."""
    rounds = rounds_of(text)
    lacking = [name for name in BUSY if 0 not in rounds.get(name, {})]
    if lacking or 3 not in rounds["a"]:
        return None, f"no report of guest {(lacking or ['a'])[0]}"
    return sum(rounds[name][0] for name in BUSY) / mean([3], rounds["a"]), None


def linear(speed):
    """Eight busy guests together do `speed` times the work of one alone, within 3 %."""
    def check(text):
        times, complaint = together(text)
        if complaint:
            return complaint
        if not speed * 0.97 <= times <= speed * 1.03:
            return f"eight guests did {times:.3f} times the work of one, not {speed} times"
        return None
    return check


def side_by_side(text):
    """a and b have a processor each, but for b's last slice or so: what a does alone."""
    rounds = rounds_of(text)
    alone = rounds["a"][2]
    for name in "ab":
        if rounds[name][1] < 0.97 * alone:
            return f"guest {name} did {rounds[name][1] / alone:.3f} of what one does alone"
    return None


def by_turns(text):
    """For two seconds a and b have half of what one processor can do, each; then a has all."""
    rounds = rounds_of(text)
    alone = rounds["a"][3]
    for name in "ab":
        if not 0.45 * alone <= rounds[name][1] <= 0.55 * alone:
            return f"guest {name} did {rounds[name][1] / alone:.3f} of what one does alone, not a half"
    return None


EIGHT_BUSY = vms(f"a {SHARE} -- seconds=4", *(f"{n} {SHARE} -- seconds=2" for n in BUSY[1:]))


def eight_busy(processors):
    return Case(f"eight-busy-on-{processors}", ["--cpus", str(processors), *EIGHT_BUSY],
        anywhere=[rf"^escapement: processor .*, {processors} in use", *(did(i) for i in range(processors)), all_ended(8, 0)],
        check=linear(processors), timeout=600, slow=True, only="bochs", why=SHARED)


def eight_busy_in_turns(processors):
    """Where all processors together are as fast as one: taking turns must not cost much."""
    return Case(f"eight-busy-in-turns-on-{processors}", ["--cpus", str(processors), *EIGHT_BUSY],
        anywhere=[*(did(i) for i in range(processors)), all_ended(8, 0)], check=linear(1), timeout=240, only="qemu",
        why=f"eight-busy-on-{processors} is the same where they run side by side")


def warp_seen(name, cpus):
    return [rf"^{name}\| warp: .* backward=0 contradictions=0", rf"^{name}\| PASS: processor {cpus - 1} had its turns",
            rf"^{name}\| SUMMARY: \d+ checks, 0 failed"]


# The virtual processors of one VM on several of the machine's, side by side.
SIDE_BY_SIDE = [
    Case("warp-on-two", ["--cpus", "2", *vms(f"h {WARP} cpus=2 -- passes=1000 wait=halt", f"s {WARP} cpus=2 -- passes=4000 wait=spin")],
         anywhere=[*warp_seen("h", 2), *warp_seen("s", 2), did(0), did(1), all_ended(2, 0)], timeout=240),
    # Ten million with WARP_PASSES=10000000. Who has a processor for itself waits without exits.
    Case("warp-spinning", ["--cpus", "2", *vms(f"w {WARP} cpus=2 stats=exits -- passes={PASSES} wait=spin")],
         anywhere=[rf"^w\| warp: passes={PASSES} .* backward=0 contradictions=0 worst_ns=0", *warp_seen("w", 2), did(0), did(1),
                   all_ended(1, 0)], forbid=[r"vm w: exits pause"], timeout=120 + PASSES / 2000, only="qemu", why="half a minute there, for the same"),
    # Each sends what it likes to whom it likes; then all but the first are deaf, and that one ends.
    Case("wild-on-two", ["--cpus", "2", *vms(f"w {WILD}", f"v {WILD}")],
         anywhere=[*(rf"^{n}\| PASS: {what}" for n in "vw" for what in ("after the disorder 3 starts again, once", "and NMIs", "the deaf ones")),
                   *(rf"^{n}\| SUMMARY: 34 checks, 0 failed" for n in "vw"), all_ended(2, 0)], timeout=240, only="qemu",
         why="smp-wild is the same on one"),
    # Three processors for four, two of them on one; and every RDTSC an exit.
    Case("warp-on-three", ["--cpus", "3", *vms(f"w {WARP} cpus=4 pin=2,0,1,0 time=strict -- passes=1000")],
         anywhere=[*warp_seen("w", 4), did(0, switches=r"\d\d+"), did(2), all_ended(1, 0)], timeout=240, only="qemu",
         why="warp-on-two is the same for fewer"),
    # Two VMs whose three processors spin for each other share three: who spins for one that waits elsewhere gives its slice up.
    # Without that this takes minutes.
    Case("spinners-on-three", ["--cpus", "3", *vms(*(f"{n} {WARP} cpus=3 -- passes=1000 wait=spin" for n in "ab"))],
         anywhere=[*warp_seen("a", 3), *warp_seen("b", 3), did(2, switches=r"\d+"), all_ended(2, 0)], timeout=60, only="qemu",
         why="minutes there, most of them GRUB's"),
    # Truly at once: of two NMIs, one from another processor and one of its own, none is lost.
    Case("smp-nmis-on-two", ["--cpus", "2", *vms(f"x {IPI} cpus=3 -- cross=3000 storm=10")],
         anywhere=[r"^x\| PASS: of two NMIs that cross none is lost \(0 of 3000\)", all_ended(1, 0)], timeout=240, only="qemu",
         why="minutes there; smp-ipi is the same for less"),
    Case("smp-ends-on-two", ["--cpus", "2", *vms(f"r {IPI} cpus=3 -- last=init storm=10", f"t {IPI} cpus=4 -- last=triple storm=10")],
         anywhere=[r"^escapement: vm r: reset by the guest", r"^r\| ipi: after the reset$", r"^escapement: vm r ended exit 0",
                   r"^escapement: vm t: vcpu 3:", r"^escapement: vm t ended crash triple fault", all_ended(1, 1)],
         forbid=[r"FAIL"], status=1, timeout=240, only="qemu", why="minutes there; resets-of-several is the same for less"),
    # `make soak`'s little sister: ANEW_RESETS=1000 for the long form.
    Case("resets-of-several", ["--cpus", "2", *vms(f"a {ANEW} cpus=2 -- resets={RESETS}", f"b {ANEW} cpus=3 -- resets={RESETS}",
                                                   f"c {AGAIN}")],
         anywhere=[rf"^a\| anew: {RESETS} resets$", rf"^b\| anew: {RESETS} resets$", r"^c\| again: 100 resets$", all_ended(3, 0)],
         timeout=120 + RESETS, only="qemu", why="minutes there, for the same"),
    # An emulator that runs one processor at a time lets none of them stand still for long.
    Case("sections-on-two", ["--cpus", "2", *vms("s {guests}/section.elf mem=16M cpus=4")],
         anywhere=[r"^s\| PASS: 3 is not held up with interrupts off", r"^s\| SUMMARY: 5 checks, 0 failed", did(0), did(1), all_ended(1, 0)],
         timeout=240),
    # Who has siblings and who has none get as much of it, the second processor as the first,
    Case("turns-are-equal", ["--cpus", "2", *vms(f"a {SHARE} pin=0 -- seconds=4", f"b {SHARE} cpus=2 pin=1 -- seconds=2")],
         anywhere=[did(0), did(1), all_ended(2, 0)], check=by_turns, only="qemu", why=SHARED),
    # ... and also one whose guest sleeps a thousand times a second: it does not fall behind.
    Case("turns-and-ticks", ["--cpus", "2", *vms(f"a {SHARE} pin=0 -- seconds=3", f"b {SHARE} pin=1 -- seconds=3 wake=1000")],
         anywhere=[r"^escapement: vm b time .* maxlag=([1-4]?\d{7}|\d{1,7}) ", did(0), did(1), all_ended(2, 0)], only="qemu", why=SHARED),
    # Four thousand times, even: it has what is left of its turn when its timer goes off, not the whole of another's later.
    Case("turns-and-sleepers", ["--cpus", "2", *vms(f"a {SHARE} pin=0 -- seconds=1",
                                                    f"b {CLOCK} pin=1 -- pit=1000 rtc=1024 lapic=1000 hpet=1000 seconds=1 busy=off")],
         anywhere=[r"^b\| clock: ticks .* lost=0 extra=0 inversions=0 backward=0 .* past_ns=0 late_ns=\d{1,5} ", r"^b\| clock: PASS",
                   r"^escapement: vm b time .* maxlag=([1-4]?\d{7}|\d{1,7}) ", all_ended(2, 0)], shift=None, only="qemu", why=SHARED),
    # Nor is a slice over because its vCPU has waited for its VM's lock.
    Case("sections-on-four", ["--cpus", "4", *vms("s {guests}/section.elf mem=16M cpus=8 -- allowed=5")],
         anywhere=[r"^s\| PASS: 7 is not held up with interrupts off", r"^s\| SUMMARY: 9 checks, 0 failed", did(3), all_ended(1, 0)],
         timeout=240, only="qemu", why="minutes there, for the same"),
    # In a debug kernel: the order of locks is recorded, and time's invariants are asserted.
    Case("warp-checked", ["--cpus", "2", *vms(f"w {WARP} cpus=2 -- passes=500", f"r {ANEW} cpus=2 -- resets=3")],
         anywhere=[*warp_seen("w", 2), r"^r\| anew: 3 resets$", all_ended(2, 0)], timeout=240, debug=True, only="qemu",
         why="minutes there, for the same"),
    Case("monitor-and-several", ["--cpus", "2", *vms(f"a {HALTED}", f"b {WARP} cpus=2 -- passes=100000000"),
                                 "--expect", "processors have started", "--send", r"\x01mvms\r", "--expect", "b  ",
                                 "--send", r"pause b\r", "--expect", "b is paused", "--send", r"time b\r",
                                 "--expect", "balances", "--send", r"resume b\r", "--expect", "b goes on",
                                 "--send", r"regs b\r", "--expect", "vcpu 1", "--send", r"time b\r", "--expect", "balances",
                                 "--send", r"reset b\r", "--expect", "reset by the operator",
                                 "--send", r"kill b\r",
                                 "--expect", "b has been killed", "--send", r"quit\r", "--expect", "vm a ended killed"],
         expect=[r"^ 2  b +(running|halted|ready) +1,0 ", r"^b is paused", r"^b goes on", r"^escapement: vm b ended killed", all_ended(0, 2)],
         status=1, timeout=240, only="qemu", why="minutes there; monitor-across-processors runs on both"),
    Case("linux-two-on-two", ["--cpus", "2", *vms(f"alpha {LINUX}")],
         anywhere=[r"^alpha\| init: user space reached", r"^alpha\| init: cpus online 0-1$", r"^alpha\| init: done$",
                   r"^alpha\|.*reboot: Power down", did(0), did(1), all_ended(1, 0)],
         forbid=LINUX_BAD, timeout=400, needs=["{debian}/vmlinuz", "{debian}/initrd.img"], slow=True, only="qemu", why="minutes there, for the same"),
]

def linux_minute(cpus, processors):
    """A minute of work on all of them; each of its clock sources is held against the TSC for a quarter of it."""
    return Case(f"linux-minute-{cpus}-on-{processors}", ["--cpus", str(processors), *vms(
        f"alpha {LINUX.replace('cpus=2', f'cpus={cpus}')} load test=minute")],
        anywhere=[rf"^alpha\| init: cpus online 0-{cpus - 1}$",
                  *(rf"^alpha\| init: clocks: {name} [+-][01] ppm of the TSC, within \d ppm ok$"
                    for name in ("tsc", "kvm-clock", "hpet", "acpi_pm")),
                  r"^alpha\| init: done$", *(did(i) for i in range(processors)), all_ended(1, 0)],
        check=lambda text: dates(text, ["alpha"]), forbid=[r"init: .*BAD", *LINUX_BAD], timeout=1200,
        needs=["{debian}/vmlinuz", "{debian}/initrd.img"], slow=True, only="qemu", why="an hour there")


CASES = [
    *SIDE_BY_SIDE,
    Case("two-processors", ["--cpus", "2", *vms(f"a {HELLO}", f"b {HELLO}", f"c {HELLO}", f"d {HELLO}")],
         anywhere=[r"^escapement: processor .*, 2 in use", *(rf"^{n}\| SUMMARY: \d+ checks, 0 failed" for n in "abcd"),
                   did(0), did(1), all_ended(4, 0)]),
    Case("four-processors", ["--cpus", "4", *vms(*(f"{n} {HELLO}" for n in "abcdef"))],
         anywhere=[r"^escapement: processor .*, 4 in use", *(did(i) for i in range(4)), all_ended(6, 0)]),
    Case("parallel-clocks", ["--cpus", "2", *vms(*(f"{n} {CLOCK} -- seconds=1" for n in "ab"))],
         anywhere=[*(rf"^{n}\| clock: .*lost=0 extra=0 inversions=0 backward=0" for n in "ab"),
                   *(rf"^{n}\| clock: PASS" for n in "ab"), all_ended(2, 0)], timeout=400, slow=True),
    Case("same-bytes-on-two", ["--cpus", "2", *vms(f"a {AGAIN} rtc=1000000000", f"b {HELLO} rtc=1000000000",
                                                   f"c {SHARE} rtc=1000000000 -- seconds=1")],
         anywhere=[all_ended(3, 0)], runs=2),
    # b ends at once, and its processor takes over one of the two that share the other.
    Case("idle-processor-takes-over", ["--cpus", "2", *vms(f"a {SHARE} -- seconds=1", f"b {HELLO}", f"c {SHARE} -- seconds=1")],
         anywhere=[did(1, arrivals=r"[1-9]\d*"), all_ended(3, 0)]),
    # The first of two vCPUs each, and the others wait for a SIPI that never comes: one goes where nobody runs.
    Case("idle-processor-takes-a-vcpu", ["--cpus", "2", *vms(f"a {SHARE} cpus=2 -- seconds=1", f"b {SHARE} cpus=2 -- seconds=1")],
         anywhere=[did(1, switches=r"[1-9]\d*", arrivals=r"[1-9]\d*"), all_ended(2, 0)]),
    Case("two-vcpus-work-on-two", ["--cpus", "2", *vms(f"a {SHARE} cpus=2 -- seconds=3", f"b {SHARE} cpus=2 -- seconds=2")],
         anywhere=[did(1, arrivals=r"[1-9]\d*"), all_ended(2, 0)], check=side_by_side, timeout=240, only="bochs", why=SHARED),
    Case("pinned", ["--cpus", "2", *vms(f"a {SHARE} pin=1 -- seconds=1", f"b {SHARE} pin=1 -- seconds=1",
                                        f"bad {HELLO} pin=2", f"worse {HELLO} pin=1,")],
         anywhere=[r"^escapement: vm bad ended refused pin=2: the processors in use are 0 to 1$",
                   r"^escapement: vm worse ended refused .*'pin=1,'", did(0, switches="0", arms=r"\d+", arrivals="0"),
                   did(1, switches=r"[1-9]\d+", arrivals="0"), all_ended(2, 2)], status=1),
    Case("processors-limited", ["--cpus", "2", "--append", "processors=1", *vms(f"a {HELLO} pin=0", f"bad {HELLO} pin=1")],
         anywhere=[r"^escapement: processor .*, 1 in use", r"refused pin=1: the processors in use are 0 to 0$",
                   all_ended(1, 1)], status=1, forbid=[r"^escapement: processor 1:"]),
    # Starts, resets and ends on both processors at a time, with VMs that move: nothing is lost, nothing stands still.
    Case("resets-in-parallel", ["--cpus", "2", *vms(*(f"{n} {AGAIN}" for n in "abc"), f"d {HELLO}", f"e {AGAIN}")],
         anywhere=[*(rf"^{n}\| again: 100 resets$" for n in "abce"), all_ended(5, 0)]),
    # The monitor is the boot processor's; b is at home on the other.
    Case("monitor-across-processors", ["--cpus", "2", *vms(f"a {HALTED}", f"b {CLOCK} -- seconds=60 busy=off"),
                                       "--expect", "clock: pit=", "--send", r"\x01mvms\r", "--expect", "b  ",
                                       "--send", r"pause b\r", "--expect", "b is paused", "--send", r"time b\r",
                                       "--expect", "balances", "--send", r"resume b\r", "--expect", "b goes on",
                                       "--send", r"regs b\rqueue b\rdeadlines\rset b k1=1ms\rreset b\r",
                                       "--expect", "reset by the operator", "--send", r"kill b\r",
                                       "--expect", "b has been killed", "--send", r"quit\r", "--expect", "vm a ended killed"],
         expect=[r"^ 2  b +(running|halted) +1 ", r"^b is paused", r"^b goes on", r"^processor 1: its timer has been armed",
                 r"^escapement: vm b ended killed", all_ended(0, 2)], status=1),
]
CASES += [case(n) for case in (eight_busy, eight_busy_in_turns) for n in (2, 4)]
# Some minutes each: not in every run.
CASES += [linux_minute(cpus, n) for cpus in (2, 4) for n in (1, 2)] if "LINUX_MINUTE" in os.environ else []
