"""Boots Escapement with bench guests under QEMU, instructions counted."""
import os
import re
import subprocess

from counts import read

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GUESTS = "0x100000-0x200000"  # where the bench guest lies (guests/lib/guest.ld)
RESULT = re.compile(r"^(?:\w+\| )?bench: (\S+) median=(-?\d+) min=(-?\d+) max=(-?\d+)", re.MULTILINE)


class Failed(Exception):
    """One line for the person at the terminal."""


def symbols(path):
    """{name: address} and the sorted [(address, name)] of the functions."""
    listing = subprocess.run(["nm", "-n", path], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [(int(r[0], 16), r[1], r[2]) for r in rows if len(r) == 3]


def text_range(build):
    where = {name: address for address, _, name in symbols(f"{build}/escapement.debug")}
    return where["text_start"], where["text_end"]


def plugin(build, path, **words):
    """QEMU's -plugin argument for count.c; words that are None are left out."""
    given = [f"{word}={value}" for word, value in words.items() if value is not None]
    return ",".join([f"{build}/bench/count.so", f"out={os.path.abspath(path)}.counts", *given])


class Machine:
    """`name` is that of the files of one boot, under BUILD/bench/."""

    def __init__(self, build, name, timeout=300):
        self.build, self.timeout = build, timeout
        os.makedirs(f"{build}/bench", exist_ok=True)
        self.path = f"{build}/bench/{name}"

    def boot(self, vms, append="", profile=False, start=None):
        """(serial output, Log) of a run that ended well. `start`: what the first try counts from."""
        low, high = text_range(self.build)
        words = plugin(self.build, self.path, host=f"{low:#x}-{high:#x}", guest=GUESTS, start=start,
                       profile="on" if profile else None)
        command = [f"{ROOT}/tools/run", "--on", "qemu", "--timeout", str(self.timeout), "--kernel",
                   f"{self.build}/escapement.elf", "--plugin", words]
        if append:
            command += ["--append", append]
        for vm in vms:
            command += ["--vm", vm]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              check=False)
        with open(self.path + ".log", "w", encoding="utf-8") as file:
            file.write(done.stdout + done.stderr)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise Failed(f"tools/run ended with {done.returncode}: {last} (see {self.path}.log)")
        return done.stdout, read(self.path + ".counts")


def bench_vm(build, name, words="", settings=""):
    return f"{name} {build}/guests/bench.elf mem=16M {settings} -- {words}"


def results(text):
    """{name: (median, min, max)} of what the bench guest printed, in its order."""
    return {m[0]: tuple(int(x) for x in m[1:]) for m in RESULT.findall(text)}
