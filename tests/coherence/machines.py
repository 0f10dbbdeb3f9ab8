"""The clock guests on Escapement, and the same ones on plain QEMU, one machine each, all on one core."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
# Ticks, and how much a guest does between two looks at a clock: an exit costs both emulators some 14 us of wall time.
LOADS = {
    "qemu": "pit=1000 rtc=1024 lapic=400 hpet=0 reads=none work=20000",
    "bochs": "pit=100 rtc=128 lapic=100 hpet=0 reads=none work=20000",
}
# Eight VMs with 2,424 ticks a second have 51 us of the processor for each tick: progress=50us would take all of it. In
# Bochs there are fewer of them, and 20 us are too few instructions for a guest to take one tick before the next.
SETTINGS = {"qemu": "mem=16M progress=20us stats=lag", "bochs": "mem=16M stats=lag"}
REST_MS = 500  # at the end a guest sleeps so long: it is on time again when it ends
CORE = "0"


class Failed(Exception):
    """One line for the person at the terminal."""


def words(load, seconds):
    return f"{LOADS[load]} seconds={seconds} rest={REST_MS}"


def escapement(build, on, mode, vms, seconds, shift, timeout):
    settings = SETTINGS[on] + (" time=naive" if mode == "naive" else "")
    line = [f"{ROOT}/tools/run", "--on", on, "--timeout", str(timeout), "--kernel", f"{build}/escapement.elf"]
    line += ["--shift", str(shift)] if on == "qemu" else []
    for number in range(1, vms + 1):
        line += ["--vm", f"v{number} {build}/guests/clock.elf {settings} -- {words(on, seconds)}"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode not in (0, 1):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Failed(f"tools/run ended with {done.returncode}: {last}")
    return done.stdout


def plain(build, vms, seconds, timeout):
    """QEMU's TCG without -icount: its time is the host's."""
    line = ["taskset", "-c", CORE, "qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-cpu", "qemu64", "-m", "32",
            "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-device",
            "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", f"{build}/guests/clock.elf", "-append", words("qemu", seconds)]
    running = [subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                errors="replace") for _ in range(vms)]
    output = []
    for child in running:
        try:
            output.append(child.communicate(timeout=timeout)[0])
        except subprocess.TimeoutExpired:
            for other in running:
                other.kill()
            raise Failed(f"plain QEMU had not ended after {timeout} s") from None
    return "".join(output)
