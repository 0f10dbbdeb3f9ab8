"""Boots Debian's kernel by itself on the same QEMU, instructions counted: the peer's host, and what a guest is compared
with."""
import os
import subprocess
import sys
from types import SimpleNamespace

from counts import read
from machine import GUESTS, ROOT, Failed, plugin

sys.path.insert(0, os.path.join(ROOT, "tools"))

from launch import qemu  # noqa: E402 (after the path is set)

QUIET = "console=ttyS0,115200 quiet cryptomgr.notests"


def need(build):
    """What tools/fetch-debian brings."""
    for name in ("vmlinuz", "modules/kvm-amd.ko"):
        if not os.path.isfile(f"{build}/debian/{name}"):
            raise Failed(f"no {build}/debian/{name}: `make debian` fetches Debian's kernel")


def boot(build, name, initrd, words=QUIET, megabytes=512, start=None, timeout=600):
    """(serial output, Log) of a boot that ended in a power-off. `start`: what the first try counts from."""
    need(build)
    path = f"{build}/bench/{name}"
    os.makedirs(f"{build}/bench", exist_ok=True)
    args = SimpleNamespace(on="qemu", cpu=None, cpus=1, megabytes=megabytes, realtime=False, shift=None, gdb=False,
                           plugin=plugin(build, path, guest=GUESTS, start=start))
    command = [*qemu.machine(args, interactive=False), "-kernel", f"{build}/debian/vmlinuz", "-initrd", initrd,
               "-append", words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              check=False, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{name}: Linux did not power off within {timeout} s") from late
    with open(path + ".log", "w", encoding="utf-8") as file:
        file.write(done.stdout + done.stderr)
    if done.returncode != 0:
        raise Failed(f"{name}: QEMU ended with {done.returncode} (see {path}.log)")
    return done.stdout.replace("\r", ""), read(path + ".counts")
