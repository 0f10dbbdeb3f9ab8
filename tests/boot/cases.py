"""The boot tests. What each holds is the issue's or DESIGN.md's word for it."""
import os

from case import Case
import coherent
import scenes
from dates import dates
from parallel import CASES as PARALLEL
from shares import thirds
from traces import dump_loads, figure7, four_busy

# What Linux says when clocks disagree (tests/boot/initramfs/init greps its log for these, and marks them).
LINUX_BAD = [r"init: BAD", r"Marking TSC unstable", r"Unable to calibrate against PIT", r"APIC calibration not consistent",
             r"hpet: Lost", r"rtc: lost", r"timekeeping watchdog", r"Kernel panic", r"init: .*BAD", r"soft lockup",
             r"rcu.*detected.*stall", r"hrtimer: interrupt took"]
# All of it but one message of its own, a regular expression, that this case does not hold (docs/reliability.md says which and why).
def linux_bad_but(message):
    return [rf"init: (?!.*{message}).*BAD", *(bad for bad in LINUX_BAD if bad not in (r"init: BAD", r"init: .*BAD", message))]


LINUX = "{debian}/vmlinuz mem=192M initrd={debian}/initrd.img -- console=ttyS0,115200 quiet"
# Without the crypto self-tests and the mitigations, which halve the boot's wall time in Bochs and have no clocks in them.
FAST = "cryptomgr.notests mitigations=off"
DEBIAN = ["{debian}/vmlinuz", "{debian}/initrd.img"]
CLOCK = "{guests}/clock.elf mem=16M"
HELLO = "{guests}/hello.elf mem=16M"
HOSTILE = "{guests}/hostile.elf mem=16M"
SHARE = "{guests}/share.elf mem=16M"
PVCLOCK = "{guests}/pvclock.elf mem=16M"
NO_VMX, NO_SVM = "QEMU's TCG emulates no VMX", "Bochs is run as an Intel processor, without SVM"
NO_LOSS = r"lost=0 extra=0 inversions=0 backward=0"


def vms(*lines):
    return [word for line in lines for word in ("--vm", line)]


def all_ended(ok, failed):
    return rf"^escapement: all VMs ended, {ok} ok, {failed} failed$"


def linux_seen(name, plain=False):
    """plain: pvclock=off tsc-deadline=off."""
    sources = [] if plain else [rf"^{name}\| init: clocks: kvm-clock [+-]\d\d? ppm of the TSC, within \d+ ppm ok"]
    return [*sources, rf"^{name}\| init: user space reached, Linux 6\.1",
            rf"^{name}\| init: clockevent lapic{'' if plain else '-deadline'}$",
            rf"^{name}\| init: clocksource tsc.* of .*acpi_pm", rf"^{name}\| init: clocks: acpi_pm .* ok",
            rf"^{name}\| init: clocks: hpet .* ok",
            rf"^{name}\| init: date \d+ rtc \d+ ok", rf"^{name}\| init: interrupts .*IO-APIC",
            rf"^{name}\| init: sleep5: rtc=\d\.\d\d tsc=\d\.\d\d ok",
            rf"^escapement: vm {name} ended poweroff"]


def pvclock_seen(name):
    return [rf"^{name}\| pvclock: samples=\d+ backward=0 before_pm=0 after_pm=0 wrong_seconds=0 .* early=0 ",
            rf"^{name}\| SUMMARY: \d+ checks, 0 failed", rf"^escapement: vm {name} ended exit 0"]


# ---- what must be seen

WORKING = [
    Case("main-job", vms(f"alpha {LINUX} {FAST}", f"beta {LINUX} {FAST}", f"clock {CLOCK} -- seconds=5"),
         anywhere=[*linux_seen("alpha"), *linux_seen("beta"), rf"^clock\| clock: .*{NO_LOSS}", r"^clock\| clock: PASS",
                   r"^escapement: vm clock ended exit 0", all_ended(3, 0)],
         forbid=LINUX_BAD, timeout=420, needs=DEBIAN, slow=True, only="bochs",
         why="a clock guest that is never idle takes minutes there; linux-svm has one that sleeps"),
    Case("linux-alone", vms(f"alpha {LINUX}"), anywhere=[*linux_seen("alpha"), all_ended(1, 0)], forbid=LINUX_BAD,
         timeout=240, needs=DEBIAN, slow=True),
    # Issue 4: four of them busy on one processor, all clock sources in turn, and the host's date after a minute.
    Case("linux-overcommit", vms(*(f"{n} {LINUX} {FAST} nokaslr test=overcommit" for n in "abcd")),
         anywhere=[*(rf"^{n}\| init: by {name}: rtc=2\.00 clock=\d\.\d\d ok" for n in "abcd"
                     for name in ("tsc", "hpet", "acpi_pm", "kvm-clock")),
                   *(rf"^escapement: vm {n} ended poweroff" for n in "abcd"), all_ended(4, 0)],
         check=lambda text: dates(text, "abcd"), forbid=LINUX_BAD, timeout=600, needs=DEBIAN, slow=True, only="qemu",
         why="Bochs takes an hour for four minutes of Linux's time"),
    # Issue 4: one that polls with interrupts off, one that halts within its minimum progress, one that masks the PIT
    # while the next tick is held back (XT-PIC's handler does, for each tick).
    Case("linux-no-freeze", vms(f"poll {LINUX} {FAST} test=polling", f"m {LINUX} {FAST}".replace("mem=192M", "mem=192M progress=5ms"),
                                f"pit {LINUX} {FAST} nolapic".replace("mem=192M", "mem=192M pvclock=off hpet=off")),
         # pit has nothing to calibrate its TSC by but the PIT, in a third of a processor: some hundred ppm off.
         anywhere=[*(rf"^{n}\| init: sleep5: rtc=5\.0\d tsc=5\.0\d ok" for n in ("poll", "m")),
                   r"^pit\| init: sleep5: rtc=5\.\d\d tsc=5\.\d\d ",
                   *(rf"^{n}\| init: done" for n in ("poll", "m", "pit")), r"^poll\| .*sysrq: Show State",
                   r"^pit\| init: clockevent pit", all_ended(3, 0)],
         timeout=400, needs=DEBIAN, slow=True, only="qemu", why="Bochs takes too long for three of them"),
    # The other backend too, where Linux has no CPUID leaf for its frequencies: kvm-clock is the path that it trusts.
    Case("linux-svm", [*vms(f"alpha {LINUX} {FAST}", f"beta {LINUX} {FAST}", f"c {CLOCK} -- seconds=5 busy=off")], shift=None,
         anywhere=[*linux_seen("alpha"), *linux_seen("beta"), r"^c\| clock: PASS", all_ended(3, 0)], forbid=LINUX_BAD,
         timeout=240, needs=DEBIAN, slow=True, only="qemu", why="main-job is the same with more in it"),
    # Without it Linux measures for itself, among busy VMs.
    Case("linux-plain", [*vms("alpha " + LINUX.replace(" -- ", " pvclock=off tsc-deadline=off -- ") + f" {FAST}",
                                              *(f"{n} {SHARE} -- seconds=1" for n in "ab"))],
         anywhere=[*linux_seen("alpha", plain=True), all_ended(3, 0)],
         forbid=[*linux_bad_but("APIC calibration not consistent"), "kvm-clock", "lapic-deadline"],
         timeout=180, needs=DEBIAN, shift=None, only="qemu", why="it is about processors that have no CPUID leaf for frequencies"),
    Case("pvclock", [*vms(*(f"{n} {PVCLOCK} -- seconds=1" for n in "ab"), f"s {SHARE} -- seconds=1")],
         anywhere=[*pvclock_seen("a"), *pvclock_seen("b"), all_ended(3, 0)]),
    Case("pvclock-off", [*vms(f"a {PVCLOCK} pvclock=off tsc-deadline=off -- without=1")],
         expect=[r"^a\| SUMMARY: 4 checks, 0 failed", r"^escapement: vm a ended exit 0"]),
    Case("three-clocks", vms(*(f"{n} {CLOCK} -- seconds=3" for n in "abc")),
         anywhere=[*(rf"^{n}\| clock: .*{NO_LOSS}" for n in "abc"), *(rf"^{n}\| clock: PASS" for n in "abc"),
                   all_ended(3, 0)], timeout=400, slow=True, only="bochs", why="three that are never idle take minutes there; one-clock and clock-fast run on both"),
    Case("one-clock", vms(f"a {CLOCK} -- seconds=2"),
         expect=[rf"^a\| clock: .*{NO_LOSS}", r"^a\| clock: PASS", r"^escapement: vm a ended exit 0", all_ended(1, 0)],
         timeout=180),
    Case("clock-ioapic", vms(f"a {CLOCK} -- seconds=2 irq=ioapic"),
         expect=[rf"^a\| clock: .*{NO_LOSS}", r"^a\| clock: PASS"], timeout=180),
    Case("clock-sleeping", vms(f"a {CLOCK} -- seconds=2 busy=off", f"b {CLOCK} -- seconds=2 busy=off"),
         anywhere=[r"^a\| clock: PASS", r"^b\| clock: PASS", all_ended(2, 0)], timeout=180),
    # SVM's exits without decode assists cost more than VMX's: 125 MIPS are too few for the cases with shift=2.
    Case("clock-fast", vms(*(f"{n} {CLOCK} -- seconds=1 pit=500 rtc=512 lapic=200 reads=few" for n in "ab")),
         anywhere=[r"^a\| clock: PASS", r"^b\| clock: PASS", all_ended(2, 0)], timeout=180, shift=2),
    Case("clock-fixed-rate", vms(f"a {CLOCK} catchup=4 -- seconds=2", f"b {CLOCK} catchup=4 -- seconds=2"),
         anywhere=[r"^a\| clock: PASS", r"^b\| clock: PASS", all_ended(2, 0)]),
    Case("same-bytes", vms(f"a {CLOCK} rtc=1000000000 -- seconds=1", f"b {CLOCK} rtc=1000000000 -- seconds=1 busy=off",
                           f"c {HELLO} rtc=1000000000 -- exit=0"),
         anywhere=[all_ended(3, 0)], runs=2),
    Case("thirds", vms(f"a {SHARE} -- seconds=12", *(f"{n} {SHARE} -- seconds=6" for n in "bc")),
         anywhere=[all_ended(3, 0)], check=lambda text: thirds(text, busy="abc"), timeout=300, slow=True),
    Case("thirds-with-waker", vms(f"a {SHARE} -- seconds=12", f"b {SHARE} -- seconds=6",
                                  f"w {SHARE} -- seconds=6 wake=1000"),
         anywhere=[all_ended(3, 0)], check=lambda text: thirds(text, busy="ab", waker="w"), timeout=300, slow=True),
    Case("clock-hpet", vms(f"a {CLOCK} -- seconds=2 busy=off hpet=200", f"b {CLOCK} hpet=off -- seconds=1 busy=off"),
         anywhere=[r"^a\| clock: hpet samples=.* backward=0 disagreement_ns=0", r"^a\| clock: hpet counter and ticks disagreement_ns=0",
                   rf"^a\| clock: ticks .*{NO_LOSS}.* hpet=(40\d)/\1$", r"^a\| clock: PASS", r"^b\| clock: ticks .* hpet=0/0$",
                   r"^b\| clock: PASS", all_ended(2, 0)], forbid=[r"^b\| clock: hpet samples"]),
    # make coherence in short: three that are coordinated, and one that is not, beside each other.
    Case("coherence", vms(*(coherent.vm(n, "qemu") for n in "abc"), coherent.vm("n", "qemu", "time=naive")),
         anywhere=[all_ended(3, 1)], check=lambda text: coherent.coherent(text, "abc", "n"), status=1, timeout=400, only="qemu",
         shift=None, why="Bochs takes minutes for it"),
    # RDTSC exits while a VM catches up, a hundred thousand times here, except where the processor scales the TSC.
    Case("rdtsc-scaled", ["--cpu", "corei7_skylake_x", *vms(*(f"{n} {CLOCK} -- seconds=1" for n in "ab"))],
         anywhere=[r"^escapement: backend vmx: .*TSC scaling", *(rf"^{n}\| clock: .*{NO_LOSS}" for n in "ab"),
                   *(rf"^{n}\| clock: PASS" for n in "ab"), *(rf"^escapement: vm {n} time .* rdtsc=\d{{1,4}} balance=ok" for n in "ab"),
                   all_ended(2, 0)], timeout=240, only="bochs", why="QEMU's TCG emulates no TSC ratio"),
    Case("slice-and-boost", ["--append", "slice=2ms boost=off", *vms(*(f"{n} {CLOCK} -- seconds=1" for n in "ab"))],
         anywhere=[r"^a\| clock: PASS", r"^b\| clock: PASS", all_ended(2, 0)], timeout=180, shift=2),
]

# ---- the console, with a person at it

CONSOLE = [
    Case("console-two-debians", [*vms(f"alpha {LINUX} {FAST} login", f"beta {LINUX} {FAST} shell")],
         scene=scenes.two_debians, status=1, timeout=400, needs=DEBIAN, slow=True, shift=None, only="qemu",
         why="two Linux and a minute of their time: minutes in Bochs; console-views has a person on both"),
    Case("console-paste", vms("reader {guests}/reader.elf mem=16M -- bytes=100000"), scene=scenes.paste, timeout=300, only="qemu",
         why="at 115200 baud it takes a minute there; console-paste-some is a fifth of it"),
    Case("console-paste-some", vms("reader {guests}/reader.elf mem=16M -- bytes=20000"), scene=scenes.paste, timeout=300),
    # Before the first VM runs, while a large module is copied: more than the UART's own 16 bytes.
    Case("console-early", [*vms("reader {guests}/reader.elf mem=64M module={inputs}/big.img -- bytes=300"),
                           "--expect", "escapement: settings", "--send", "0123456789" * 30],
         expect=[r"^escapement: vm reader: 64 MiB", r"^reader\| reader: 300 bytes, crc c054b7f4, 0 errors", all_ended(1, 0)]),
    Case("console-script", [*vms(f"clock {CLOCK} -- seconds=60 busy=off"), "--expect", "clock: pit=",
                            "--send", r"\x01mtime\r", "--expect", "balances", "--send", r"set 1 k1=1ms\rtime clock\r",
                            "--expect", "k1=1ms k2=0", "--send", r"quit\r", "--expect", "vm clock ended killed"],
         expect=[r"^\(escapement\) time$", r"^clock +(normal +1|catchup +[1-4])\.\d\d", r"^  settings: catchup=adaptive .* k1=1ms k2=0",
                 r"^escapement: vm clock ended killed", all_ended(0, 1)], status=1),
    # The monitor waits for its output's way out, and a key waits for the monitor: seconds in which the guest runs on.
    Case("console-slow-line", [*vms(f"clock {CLOCK} -- seconds=2 busy=off"), "--expect", "clock: pit=",
                               "--send", r"\x01m" + r"help\r" * 12 + r"\x01a"],
         expect=[rf"^clock\| clock: .*{NO_LOSS}", r"^clock\| clock: PASS", all_ended(1, 0)], timeout=180, only="bochs",
         why="its serial line is as fast as the reader"),
    Case("console-script-fails", [*vms(f"hello {HELLO}"), "--expect", "hello: no such line"],
         expect=[all_ended(1, 0)], status=1),
    Case("vms-file", ["{inputs}/one.vms"], expect=[r"^escapement: settings: slice=5ms", r"^hello\| hello: cmdline '.*from a file'",
                                                   all_ended(1, 0)]),
    Case("console-views", vms(f"clock {CLOCK} -- seconds=60 busy=off", f"bad {HOSTILE} -- mode=terminal seconds=1"),
         scene=scenes.views, status=1, timeout=300),
    Case("console-bad-input", vms(f"clock {CLOCK} -- seconds=3 busy=off", f"deaf {SHARE} -- seconds=2"),
         scene=scenes.bad_input, timeout=300, slow=True, only="qemu", why="the flood takes nine seconds at 115200 baud, which are "
         "minutes there; console-views has a person on both"),
]



def fits_a_screen(text):
    """The power-on lines of as many VMs as there can be."""
    lines = text.split("\n")
    last = next(n for n, line in enumerate(lines, 1) if line.startswith("escapement: memory: "))
    ours = all(line.startswith("escapement: ") for line in lines[:last])
    return None if last <= 20 and ours else f"{last} lines, and all the hypervisor's: {ours}"


CONSOLE += [
    Case("power-on", vms(*(f"v{n} {{guests}}/flat.bin mem=2M" for n in range(1, 33))),
         expect=[r"^escapement: Escapement, a hypervisor", r"^escapement: machine (qemu|bochs), loader .* MiB free",
                 r"^escapement: time source TSC, \d+ Hz", r"^escapement: processor ", r"^escapement: backend (svm|vmx): ",
                 r"^escapement: settings: slice=10ms", r"^escapement: vm v1: 2 MiB, 1 processor, image .*catchup=adaptive",
                 r"^escapement: \.\.\. and more VMs", r"^escapement: memory: ", all_ended(32, 0)], check=fits_a_screen),
]

# ---- the trace

BUSY = "{guests}/busy.elf mem=16M"
FIGURE7 = "{guests}/figure7.elf mem=16M"
DUMP = "a dump takes minutes over Bochs's serial line"

TRACES = [
    Case("trace-four-busy", ["--append", "trace=dump", *vms(*(f"{n} {BUSY} -- seconds=1" for n in "abcd"))],
         anywhere=[*(rf"^{n}\| busy: ticks pit=\d+ rtc=128 lapic=\d+$" for n in "abcd"), all_ended(4, 0)], check=four_busy,
         only="qemu", why=DUMP, shift=None),
    Case("trace-figure7", ["--append", "trace=dump trace-buffer=128K slice=2s", *vms(
        f"other {FIGURE7} -- role=other", f"fig {FIGURE7} catchup=2 progress=0 -- role=timers")],
         anywhere=[r"^fig\| SUMMARY: 17 checks, 0 failed", all_ended(2, 0)], check=figure7, timeout=400, only="qemu", why=DUMP,
         shift=None),
    Case("trace-file", ["--trace", "{logs}/trace-file.trace", *vms(f"h {HELLO}")],
         expect=[r"^h\| hello: done", all_ended(1, 0)], forbid=[r"escapement: trace:"], only="qemu", why=DUMP),
    Case("trace-by-hand", [*vms(f"a {CLOCK} -- seconds=60 busy=off", f"b {SHARE} -- seconds=60")], scene=scenes.trace_by_hand,
         status=1, check=dump_loads, only="qemu", why=DUMP),
    Case("trace-off", ["--append", "trace=off", *vms(f"h {HELLO}")],
         expect=[r"^h\| hello: done", all_ended(1, 0)], forbid=[r"escapement: trace:"]),
    Case("trace-no-memory", ["--memory", "80M", "--append", "trace=dump trace-buffer=256M", *vms(f"h {HELLO}")],
         expect=[r"^escapement: trace: no memory for 262144 KiB \(trace-buffer=\): off", r"^h\| hello: done", all_ended(1, 0)]),
]

# ---- kinds of guests, ways to end

GUESTS = [
    Case("instructions", vms("i {guests}/insn.elf mem=16M"),
         expect=[r"^i\| SUMMARY: \d+ checks, 0 failed", r"^escapement: vm i ended exit 0"], forbid=[r"^i\| FAIL"]),
    Case("tasks-real", vms("t {guests}/tasks.bin mem=16M", "r {guests}/real.bin mem=16M"),
         anywhere=[r"^t\| tasks: done", r"^r\| real: done", all_ended(2, 0)], forbid=[r"^t\| tasks: FAIL"]),
    Case("no-bios", vms("b {guests}/bios.bin mem=2M", f"h {HELLO}"),
         anywhere=[r"^escapement: vm b ended crash interrupt 10h \(AX=0E48h, to return to 0000:7C0D\) went to the BIOS; there is none",
                   r"^h\| hello: done", all_ended(1, 1)], status=1),
    Case("paging-32-bit", vms("p {guests}/paging.bin mem=16M"),
         expect=[r"^p\| paging: done", r"^escapement: vm p ended exit 0"], forbid=[r"^p\| paging: FAIL"]),
    Case("injection", vms("j {guests}/inject.elf mem=16M -- count=100000", f"good {CLOCK} -- seconds=1 busy=off"),
         anywhere=[r"^j\| PASS: none lost, none doubled", r"^j\| SUMMARY: 5 checks, 0 failed", r"^good\| clock: PASS",
                   all_ended(2, 0)], timeout=420, slow=True),
    Case("hello", vms("i {guests}/hello.elf module={inputs}/hello.txt module={guests}/flat.bin -- some words"),
         expect=[r"^i\| hello: cmdline '.* ?some words'", r"^i\| hello: 2 modules",
                   r"^i\| hello: module 0 size=14 .* begins 'hello, module\.'", r"^i\| hello: module 1 size=512",
                   r"^i\| SUMMARY: \d+ checks, 0 failed", r"^escapement: vm i ended exit 0"]),
    Case("hello-elf64", vms("h {guests}/hello64.elf mem=16M -- exit=3"),
         expect=[r"^h\| SUMMARY: \d+ checks, 0 failed", r"^h\| hello: done", r"^escapement: vm h ended exit 3",
                 all_ended(0, 1)], status=1),
    Case("aout-flat-pvh", vms("a {guests}/aout.bin mem=16M", "f {guests}/flat.bin mem=16M", "p {guests}/pvh.elf mem=16M -- a b"),
         anywhere=[r"^a\| SUMMARY: 3 checks, 0 failed", r"^f\| flat: real mode at 7C00h", r"^p\| pvh: cmdline '.*a b'",
                   r"^p\| SUMMARY: \d+ checks, 0 failed", all_ended(3, 0)]),
    Case("ends", vms(f"off {HOSTILE} -- mode=poweroff", f"seven {HOSTILE} -- mode=exit exit=7",
                     f"again {HOSTILE} -- mode=reset", f"once {HOSTILE} on-reset=end -- mode=reset"),
         anywhere=[r"^escapement: vm off ended poweroff$", r"^escapement: vm seven ended exit 7$",
                   r"^again\| hostile: after the reset$", r"^escapement: vm again ended exit 0$",
                   r"^escapement: vm once ended reset$", all_ended(2, 2)],
         forbid=[r"^once\| hostile: after the reset"], status=1),
]


# ---- several virtual processors in a VM, on one of the machine

WARP, IPI = "{guests}/warp.elf mem=16M", "{guests}/ipi.elf mem=16M"


def warp_seen(name, cpus):
    return [rf"^{name}\| PASS: {cpus} processors have started", rf"^{name}\| warp: passes=\d+ .* backward=0 contradictions=0",
            rf"^{name}\| SUMMARY: {3 + cpus} checks, 0 failed", rf"^escapement: vm {name} ended exit 0"]


def linux_several(name, cpus, *more):
    """Busy on all of its processors."""
    return Case(name, [*vms(f"alpha {LINUX.replace(' -- ', f' cpus={cpus} -- ')} {FAST} load"), *more],
                anywhere=[*linux_seen("alpha"), rf"^alpha\| init: cpus online 0-{cpus - 1}$", all_ended(1, 0)],
                forbid=LINUX_BAD, timeout=400, needs=DEBIAN, slow=True, only="qemu", why="minutes there, for the same")


SEVERAL = [
    Case("smp-warp", vms(f"h {WARP} cpus=2 -- passes=2000 wait=halt", f"s {WARP} cpus=4 -- passes=2000 wait=spin"),
         anywhere=[*warp_seen("h", 2), *warp_seen("s", 4), all_ended(2, 0)], timeout=240),
    # Ten thousand and more, beside another VM's clocks, and with every RDTSC an exit.
    Case("smp-warp-long", vms(f"w {WARP} cpus=3 -- passes=10000 wait=halt", f"t {WARP} cpus=2 time=strict -- passes=2000",
                              f"good {CLOCK} -- seconds=1 busy=off"),
         anywhere=[*warp_seen("w", 3), *warp_seen("t", 2), r"^good\| clock: PASS", all_ended(3, 0)], timeout=300, only="qemu",
         why="smp-warp is the same for fewer passes"),
    Case("smp-ipi", vms(f"i {IPI} cpus=3", f"f {IPI} cpus=4 x2apic=off", f"good {CLOCK} -- seconds=1 busy=off"),
         anywhere=[r"^i\| PASS: x2APIC: fixed, to all \(7\)", r"^i\| SUMMARY: 48 checks, 0 failed",
                   r"^f\| SUMMARY: 28 checks, 0 failed", r"^good\| clock: PASS", all_ended(3, 0)], timeout=240),
    Case("smp-ends", vms(f"r {IPI} cpus=3 -- last=init storm=10", f"t {IPI} cpus=4 -- last=triple storm=10",
                         f"good {CLOCK} -- seconds=1 busy=off"),
         anywhere=[r"^escapement: vm r: reset by the guest", r"^r\| ipi: after the reset$", r"^escapement: vm r ended exit 0",
                   r"^t\| ipi: the last one faults", r"^escapement: vm t: vcpu 3:", r"^escapement: vm t ended crash triple fault",
                   r"^good\| clock: PASS", all_ended(2, 1)], forbid=[r"FAIL"], status=1, timeout=240),
    # A slice that ends while interrupts are off is a little longer: nobody waits a slice for who holds a lock.
    Case("sections", vms("s {guests}/section.elf mem=16M cpus=3", f"good {SHARE} -- seconds=1"),
         anywhere=[r"^s\| PASS: 2 is not held up with interrupts off", r"^s\| SUMMARY: 4 checks, 0 failed", all_ended(2, 0)], timeout=240),
    # Each sends what it likes to whom it likes; then all but the first are deaf.
    Case("smp-wild", vms(f"w {IPI} cpus=4 x2apic=off -- wild=20 storm=10 last=deaf", f"good {CLOCK} -- seconds=1 busy=off"),
         anywhere=[r"^w\| PASS: after the disorder 3 starts again, once", r"^w\| PASS: the deaf ones",
                   r"^w\| SUMMARY: 34 checks, 0 failed", r"^good\| clock: PASS", all_ended(2, 0)], timeout=300),
    linux_several("linux-two", 2),
    # Each of four busy ones waits for three slices; `sleep 5` is judged to 50 ms.
    linux_several("linux-four", 4, "--append", "slice=2ms"),
    Case("linux-two-xapic", [*vms("alpha " + LINUX.replace(" -- ", " cpus=2 x2apic=off -- ") + f" {FAST}", f"s {SHARE} -- seconds=3")],
         anywhere=[*linux_seen("alpha"), r"^alpha\| init: cpus online 0-1$", all_ended(2, 0)], forbid=LINUX_BAD, timeout=400,
         needs=DEBIAN, slow=True, only="qemu", why="minutes there, for the same"),
]


# ---- hostile guests: each beside an honest clock guest, which must not notice

def beside_clock(mode, ended, ok, settings="", timeout=120):
    return Case(f"hostile-{mode.split()[0]}", vms(f"bad {HOSTILE} {settings} -- mode={mode}", f"good {CLOCK} -- seconds=1"),
                anywhere=[rf"^bad\| hostile: {mode.split()[0]}$", rf"^escapement: vm bad ended {ended}",
                          rf"^good\| clock: .*{NO_LOSS}", r"^good\| clock: PASS", r"^escapement: vm good ended exit 0",
                          all_ended(1 + ok, 1 - ok)], status=1 - ok, timeout=timeout)


STATES = ("tables-self", "tables-device", "tables-nowhere", "tables-reserved", "gdt", "idt-device", "stack", "code-device")
RUNS = int(os.environ.get("HOSTILE_RUNS", "1"))
FIRST_SEED = int(os.environ.get("HOSTILE_SEED", "1"))
GOOD = f"good {CLOCK} -- seconds={RUNS}"
GOOD_SEEN = [rf"^good\| clock: .*{NO_LOSS}", r"^good\| clock: PASS", r"^escapement: vm good ended exit 0"]


def seeds(n):
    return range(FIRST_SEED, FIRST_SEED + n)


def chaos(name, *bad):
    """Random instructions, until the clock guest has finished. Whatever becomes of those guests is their own."""
    return Case(f"hostile-{name}", [*vms(*(f"bad{n} {line}" for n, line in enumerate(bad)), GOOD), "--expect", "vm good time rt=",
                                    "--send", r"\x01mquit\r"],
                # One of several may have said exit 0, by chance.
                anywhere=[*(rf"^escapement: vm bad{n} ended (killed|exit|reset|crash|poweroff)" for n in range(len(bad))),
                          *GOOD_SEEN, r"^escapement: all VMs ended, [1-9] ok, [1-9] failed$"],
                # A stack on a device's page, and an interrupt that wants to push there: nothing can carry that out.
                forbid=[r"refused the guest's state", r"unexpected exit(?!.*while delivering an event)"], status=1,
                timeout=180 * RUNS)


HOSTILES = [
    beside_clock("triple", "crash ", 0),
    beside_clock("jump", "(crash |exit 127)", 0),
    beside_clock("ports", "exit 0", 1, timeout=180),
    beside_clock("msrs", "exit 0", 1, timeout=180),
    beside_clock("memory", "exit 0", 1),
    beside_clock("cli seconds=1", "exit 0", 1),
    beside_clock("blind seconds=1", "exit 0", 1),
    beside_clock("storm seconds=1", "exit 0", 1),
    beside_clock("registers", "exit 0", 1),
    beside_clock("edges", "exit 0", 1),
    Case("hostile-storms", vms(*(f"bad{n} {HOSTILE} -- mode=storms seconds={RUNS} seed={n}" for n in (1, 2)), GOOD),
         anywhere=[*(rf"^bad{n}\| hostile: storm {kind} [1-9]\d*$" for n in (1, 2) for kind in ("ports", "mmio", "msrs", "calls")),
                   *(rf"^escapement: vm bad{n} ended exit 0" for n in (1, 2)), *GOOD_SEEN, all_ended(3, 0)], timeout=120 * RUNS),
    # The ticks of a VM that sleeps and can never be woken are the hypervisor's own work, and nobody else's loss.
    Case("hostile-deaf-ticks", [*vms(f"bad {HOSTILE} progress=0 -- mode=deaf-ticks", GOOD), "--expect", "vm good has ended",
                                "--send", r"\x01mkill bad\r", "--expect", "bad has been killed", "--send", r"quit\r",
                                "--expect", "vm bad ended killed"],
         anywhere=[*GOOD_SEEN, r"^escapement: vm bad timer pit due=[1-9]\d{4}", all_ended(1, 1)], status=1),
    # Each of them ends itself, one way or another.
    Case("hostile-states", vms(*(f"{mode} {HOSTILE} -- mode={mode}" for mode in STATES), "task {guests}/task.bin mem=16M", GOOD),
         anywhere=[*(rf"^escapement: vm {mode} ended crash " for mode in (*STATES, "task")), *GOOD_SEEN,
                   all_ended(1, len(STATES) + 1)], status=1),
    # What one guest leaves in the processor's registers is not to be found by the other.
    Case("hostile-leak", vms(*(f"{n} {HOSTILE} -- mode=leak seconds=1 seed={seed}" for n, seed in (("a", 1), ("b", 2))), GOOD),
         anywhere=[*(rf"^{n}\| hostile: leak seed=\d rounds=[1-9]\d* words=[1-9]\d* vectors=[xy]mm wrong=0$" for n in "ab"),
                   *GOOD_SEEN, all_ended(3, 0)], forbid=[r"hostile: FAIL"]),
    # 256 MiB are a quarter of a second to clear at once, here: it is done in steps, and nobody waits for more than one.
    Case("clearing", vms("big {guests}/share.elf mem=256M -- seconds=1", f"good {CLOCK} -- seconds=2 busy=off"),
         anywhere=[r"^escapement: vm big has ended \(exit 0\); 1 goes on", *GOOD_SEEN, all_ended(2, 0),
                   r"^escapement: vm good time .* maxlag=([1-3]?\d{7}|\d{1,7}) latency=\d{1,6} .*balance=ok"],
         only="qemu", why="common code, and a minute there"),
    # A reset clears as much, and it is the guest's own slices that it takes.
    Case("reset-in-slices", vms("big {guests}/anew.elf cpus=2 mem=256M -- resets=5", f"good {CLOCK} -- seconds=2 busy=off"),
         anywhere=[r"^big\| anew: 5 resets$", *GOOD_SEEN, all_ended(2, 0),
                   r"^escapement: vm good time .* maxlag=([1-3]?\d{7}|\d{1,7}) latency=([1-4]?\d{6}|\d{1,5}) .*balance=ok"],
         only="qemu", why="common code, and a minute there"),
    # What the operator wants of a VM that is being cleared is done at once, and the reset goes on.
    Case("reset-and-more", ["--cpus", "2", *vms(f"a {SHARE} -- seconds=60", "b {guests}/share.elf mem=512M cpus=2 pin=1,0 -- seconds=60"),
                            "--expect", "b| share: second=0", "--send",
                            r"\x01mreset b\rpause b\rtime b\rresume b\rreset b\rregs b\rreset b\r\x01a", "--expect", "b| share: second=0",
                            "--send", r"\x01mreset b\rkill b\rkill a\rquit\r", "--expect", "vm a ended killed"],
         expect=[r"vm b: reset by the operator", r"^b is paused", r"balances", r"^b goes on", r"vm b: reset by the operator",
                 r"vm b: reset by the operator", r"^b\| share: second=0", r"vm b: reset by the operator", r"vm b ended killed", all_ended(0, 2)],
         status=1, timeout=240, debug=True, only="qemu", why="common code, and a minute there"),
    chaos("chaos", *(f"{{guests}}/chaos.elf mem=16M -- tell=64 seed={n}" for n in seeds(3))),
    chaos("chaos-devices", *(f"{{guests}}/chaos.elf mem=16M -- devices=1 tell=64 seed={n}" for n in seeds(2))),
    chaos("chaos-real-mode", *(f"{{guests}}/chaos16.bin mem=16M rtc={n}" for n in seeds(3))),
    Case("hostile-ticks", vms(f"bad {HOSTILE} progress=0 -- mode=ticks seconds=1", f"good {CLOCK} -- seconds=1 busy=off"),
         anywhere=[r"^bad\| hostile: ticks lapic=[1-9]\d* pit=[1-9]\d* rtc=[1-9]\d* hpet=[1-9]", r"^escapement: vm bad ended exit 0",
                   rf"^good\| clock: .*{NO_LOSS}", r"^good\| clock: PASS", all_ended(2, 0)], only="qemu",
         why="a second of nothing but ticks is more than two minutes in Bochs", shift=None, timeout=240),
]


# ---- faults of the host's, injected by debug kernels: guests keep their time, or all ends with a clear word

def fault(word, seen, guest="", seconds=1, name=None, good=None, cpus=1, **more):
    return Case(f"fault-{name or word}", ["--cpus", str(cpus), "--append", f"inject={word} watchdog=500ms", *vms(
        "good " + (good or f"{CLOCK} {guest} -- seconds={seconds} busy=off"), f"s {SHARE} {guest} -- seconds={seconds}")], anywhere=seen, debug=True, **more)


# A panic's report, and the entry code at its end, where the stack is not too deep to be shown.
REPORT = [r"^escapement: panic: cr0 ", r"^escapement: panic: back-trace "]
TO_ENTRY = [r"^escapement: panic:   called from 0x20[0-9a-f]{4}$"]


def ends(word, panic, anywhere=(), **more):
    return fault(word, [*REPORT, *anywhere], panic=panic, status=3, **more)


KEEPS_TIME = [*GOOD_SEEN, all_ended(2, 0)]
ACCOUNTED = [r"^good\| busy: ticks pit=[1-9]", r"^escapement: vm good time .*balance=ok", all_ended(2, 0)]
SLOW = "a debug kernel's checks make exits there too slow for all of the clock guest's ticks; its -vmx case has a busy guest"
COMMON = "common code, and Bochs takes half a minute"
IN_USE = [r"^escapement: panic: the console was in use", r"^escapement: inject: this line"]
FAULTS = [
    *(fault(word, KEEPS_TIME, only="qemu", why=SLOW)
      for word in ("nmi", "spurious", "lost-timer", "late-timer", "early-timer", "serial-slow", "serial-stuck")),
    *(fault(word, ACCOUNTED, only="bochs", why="without -vmx it expects more", name=f"{word}-vmx",
            good=f"{BUSY} -- seconds=1")
      for word in ("nmi", "lost-timer", "late-timer")),
    fault("no-memory", [*GOOD_SEEN, r"^escapement: vm s ended refused .*memory", all_ended(1, 1)], status=1, only="qemu", why=SLOW),
    # The guests live through a second in no time, and it is caught up with.
    fault("tsc-forward", [*KEEPS_TIME, r"^escapement: vm good time .* maxlag=(9\d{8}|1\d{9}) .*balance=ok"], "time=strict", seconds=2,
          only="qemu", why=SLOW),
    ends("machine-check", r"machine check: ", TO_ENTRY),
    ends("stall", r"watchdog: processor 0 has made no progress for \d+ ms", TO_ENTRY),
    ends("tsc-back", r"the TSC has gone back from \d+ to \d+", TO_ENTRY),
    *(ends(word, panic, only="qemu", why=COMMON)
      for word, panic in (("stack", r"a function of the hypervisor has written past its stack frame"),
                          ("stack-overflow", r"double fault \(a stack overflow\?\)"), ("write-text", r"page fault: write of"))),
    # Whatever state the machine is in: the report comes whole, and the machine is left.
    *(ends(word, panic, [*TO_ENTRY, *also], name=name, only="qemu", why=COMMON) for name, word, panic, also in (
        ("slow-report", "serial-slow,machine-check", r"machine check: ", []), # longer than from one of the watchdog's NMIs to the next
        ("console-fault", "console-fault", r"machine check: ", IN_USE),
        ("console-stall", "console-stall", r"watchdog: processor 0 has made no progress", IN_USE))),
    # On the last of several: the report is its own, whoever else holds what.
    *(ends(word, panic, [r"^escapement: panic: cr0 .* processor 1$"], name=f"{word}-on-two", cpus=2, only="qemu", why=COMMON)
      for word, panic in (("machine-check", r"machine check: "), ("console-fault", r"machine check: "),
                          ("stall", r"watchdog: processor 1 has made no progress"), ("stack-overflow", r"double fault"))),
    # Both stand still, one for the other's lock; whose patience ends first reports.
    ends("console-stall", r"watchdog: processor [01] has made no progress", IN_USE, name="console-stall-on-two", cpus=2, only="qemu", why=COMMON),
    fault("nmi,spurious,lost-timer,late-timer", [*ACCOUNTED, r"^escapement: vm s time .*balance=ok"], name="interrupts-on-two", cpus=2,
          good=f"{BUSY} -- seconds=1", only="qemu", why=COMMON),
    fault("machine-check,panic-fault", [r"^escapement: panic: machine check: "], panic=r"while panicking: #UD", status=3,
          name="panic-fault", only="qemu", why=COMMON),
    # Nothing is seen of this one but that it ends.
    fault("machine-check,serial-dead", [r"^escapement: inject: "], status=3, name="serial-dead", only="qemu", why=COMMON),
    Case("inject-not-here", ["--append", "inject=stall", *vms(f"h {HELLO}")],
         expect=[r"^escapement: command line: .*inject=stall", r"^h\| hello: done", all_ended(1, 0)]),
    Case("mitigations-all", ["--append", "mitigations=all", *vms(f"a {CLOCK} -- seconds=1 busy=off", f"b {CLOCK} -- seconds=1 busy=off")],
         anywhere=[r"^escapement: protection: .*mitigations=all: .*RSB filling.*VERW", r"^a\| clock: PASS", r"^b\| clock: PASS",
                   all_ended(2, 0)]),
]


# ---- a soak: make soak SOAK_SECONDS=3600

SLOW_CLOCK = "pit=50 rtc=64 lapic=50 hpet=0 busy=off"
LINUX_SHELL = f"{LINUX} nokaslr mitigations=off cryptomgr.notests shell"
# An hour is an emulator's for guests that are mostly idle; the clock guests' logs have room for 45 ticks in each of its seconds.
SOAK_HOUR = [f"witness {CLOCK} -- seconds={int(scenes.SOAK_SECONDS) + 30} pit=20 rtc=0 lapic=20 hpet=0 busy=off",
             f"c1 {CLOCK} -- seconds=3600 pit=20 rtc=0 lapic=0 hpet=20 busy=off", f"c2 {CLOCK} -- seconds=3600 pit=0 rtc=32 lapic=0 hpet=0 busy=off",
             f"c3 {CLOCK} -- seconds=60 {SLOW_CLOCK}", f"l1 {LINUX_SHELL}",
             "l2 " + LINUX_SHELL.replace(" -- ", " cpus=2 -- "),
             "h1 {guests}/hostile.elf mem=16M -- mode=clihlt", f"n1 {CLOCK} -- seconds=3600 pit=20 rtc=0 lapic=0 hpet=0 busy=off work=1000000"]
SOAK_BUSY = [f"witness {CLOCK} -- seconds={int(scenes.SOAK_SECONDS) + 2} {SLOW_CLOCK}",
             *(f"c{n} {CLOCK} -- seconds={3 * n} {SLOW_CLOCK}" for n in (1, 2)), *(f"{n} {SHARE} -- seconds=3600" for n in ("s1", "n1")),
             *(f"w{n} {SHARE} -- seconds=3600 wake={1000 // n}" for n in (1, 2)), f"b1 {BUSY} -- seconds=60", f"p1 {PVCLOCK} -- seconds=60"]
SOAK = [
    Case("soak", ["--append", "trace-buffer=8M", *vms(*(SOAK_HOUR if scenes.SOAK_IDLE else SOAK_BUSY))], scene=scenes.soak, status=1,
         timeout=120 + 120 * scenes.SOAK_SECONDS, needs=DEBIAN if scenes.SOAK_IDLE else (), slow=True, only="qemu",
         why="an operator's many commands take minutes in Bochs"),
]


# ---- bad input: one clear line, that VM does not start, the others do

def refused(name, line, word, *more, needs=()):
    """`line`: the arguments of the VM "bad"; `word`: what its refusal names."""
    return Case(f"refused-{name}", [*line, *vms(f"good {HELLO}"), *more],
                anywhere=[rf"^escapement: vm bad ended refused .*{word}", r"^good\| hello: done",
                          r"^escapement: vm good ended exit 0", all_ended(1, 1)],
                forbid=[r"^bad\|"], status=1, needs=list(needs))


def bad_images(name, *files, needs=()):
    """One VM for each damaged image, all in one boot."""
    lines = vms(*(f"bad{n} {{inputs}}/{file} mem=32M" for n, file in enumerate(files)))
    return Case(f"refused-{name}", [*lines, *vms(f"good {HELLO}")],
                anywhere=[*(rf"^escapement: vm bad{n} ended refused ." for n in range(len(files))), r"^good\| hello: done",
                          r"^escapement: vm good ended exit 0", all_ended(1, len(files))],
                forbid=[r"^bad\d+\|"], status=1, needs=[*(f"{{inputs}}/{file}" for file in files), *needs])


BAD_INPUT = [
    Case("no-module", ["--empty"], expect=[r"^escapement: no module", all_ended(0, 0)], status=1),
    bad_images("damaged-elf", "empty.elf", "short.elf", "cut.elf", "no-header.elf", "bad-checksum.elf", "segments-nowhere.elf",
               "segment-past-end.elf", "segment-wraps.elf", "text.elf"),
    bad_images("damaged-bzimage", "cut.bzImage", "half.bzImage", "old-protocol.bzImage", "no-setup.bzImage", needs=DEBIAN),
    refused("no-processor", vms(f"bad {HELLO} cpus=0"), r"module 1: wrong value in 'cpus=0' \(cpus= takes a number from 1 to 8\)"),
    refused("nine-processors", vms(f"bad {HELLO} cpus=9"), r"module 1: wrong value in 'cpus=9' \(cpus= takes a number from 1 to 8\)"),
    refused("x-processors", vms(f"bad {HELLO} cpus=x"), r"module 1: wrong value in 'cpus=x' \(cpus= takes a number from 1 to 8\)"),
    refused("image-too-large", vms("bad {guests}/clock.elf mem=4M"), "mem="),
    refused("linux-too-large", vms("bad {debian}/vmlinuz mem=8M -- quiet"), "mem=", needs=DEBIAN),
    refused("initrd-too-large", vms("bad {debian}/vmlinuz mem=80M initrd={inputs}/big.img -- quiet"), "initrd", needs=DEBIAN),
    refused("initrd-for-multiboot", vms("bad {guests}/hello.elf mem=16M initrd={inputs}/hello.txt"), "initrd"),
    refused("unknown-word", vms("bad {guests}/hello.elf memm=16M"), "memm"),
    refused("bad-value", vms("bad {guests}/hello.elf mem=12Q"), "mem=12Q"),
    refused("too-much-memory", vms("bad {guests}/hello.elf mem=4G"), "mem=", "--memory", "256M"),
    refused("two-of-a-name", vms("bad {guests}/hello.elf mem=16M", "bad {guests}/flat.bin"), "has a kernel already"),
    refused("no-kernel", ["--module", "{inputs}/hello.txt vm=bad module"], "no kernel"),
    Case("module-without-vm", ["--module", "{inputs}/hello.txt mem=16M", *vms(f"good {HELLO}")],
         anywhere=[r"^escapement: .*module 1: .*vm=NAME", r"^good\| hello: done", all_ended(1, 1)], status=1),
    Case("unknown-global-word", ["--append", "slise=10ms", *vms(f"good {HELLO}")],
         anywhere=[r"^escapement: .*slise", r"^good\| hello: done", all_ended(1, 0)]),
    Case("processor-without-ept", ["--cpu", "core2_penryn_t9600", *vms(f"good {HELLO}")],
         anywhere=[r"^escapement: .*EPT"], forbid=[r"^good\|"], status=1, only="bochs", why=NO_VMX),
    Case("processor-without-npt", ["--cpu", "qemu64", *vms(f"good {HELLO}")],
         anywhere=[r"^escapement: .*nested paging .*-cpu qemu64,\+npt"], forbid=[r"^good\|"], status=1, only="qemu",
         why=NO_SVM),
    Case("processor-without-svm", ["--cpu", "qemu64,-svm", *vms(f"good {HELLO}")],
         anywhere=[r"^escapement: .*no SVM.*-cpu qemu64,\+svm,\+npt"], forbid=[r"^good\|"], status=1, only="qemu",
         why=NO_SVM),
]

# ---- the loader's side of it: every way to boot, and loaders that do not tell what is needed

GRUB = r"^escapement: machine qemu, loader GRUB "


def from_grub(name, *options, timeout=120):
    """The guests see none of it; nothing lies where firmware might have it (1 MiB, an RSDP at E0000h)."""
    return Case(name, [*options, *vms(f"h {HELLO} module={{inputs}}/hello.txt -- a b", f"c {CLOCK} -- seconds=1")],
                expect=[GRUB], anywhere=[r"^h\| hello: cmdline 'h a b'", r"^h\| SUMMARY: \d+ checks, 0 failed",
                                         r"^c\| clock: PASS", all_ended(2, 0)], timeout=timeout, only="qemu",
                why="Bochs boots from a CD in every case, and has no UEFI")


def bad_loader(name, kind, line, status=1):
    return Case(f"loader-{name}", ["--kernel", "{guests}/loader.elf", "--module", f"{{build}}/escapement.elf {kind}"],
                expect=[line], forbid=[r"^escapement: (memory|vm)"], status=status, timeout=5 if status == 124 else 120,
                only="qemu", why="Bochs has no loader that could be told to do it wrong")


LOADERS = [
    from_grub("grub-cd", "--boot", "cd"),
    from_grub("grub-disk", "--boot", "disk"),
    from_grub("grub-kept-image", "--image", "{inputs}/kept.iso"),
    from_grub("uefi-cd", "--boot", "cd", "--firmware", "uefi", timeout=300),
    from_grub("uefi-disk", "--boot", "disk", "--firmware", "uefi", timeout=300),
    bad_loader("no-map-1", 1, r"^escapement: cannot start: the loader gives no memory map \(multiboot 1.*boot with"),
    bad_loader("no-map-2", 2, r"^escapement: cannot start: the loader gives no memory map \(multiboot 2 tag 6\): boot with"),
    # No machine has been found out, so there is no way out of it.
    bad_loader("stranger", 0, r"^escapement: the loader is no multiboot loader .*boot with GRUB 2", status=124),
]

CASES = [*WORKING, *PARALLEL, *CONSOLE, *TRACES, *GUESTS, *SEVERAL, *HOSTILES, *FAULTS, *SOAK, *BAD_INPUT, *LOADERS]
