"""Bochs: Intel VMX, booted by GRUB from a CD."""
import os
import string
import subprocess
import sys

from launch import process

IPS = 100000000
DEFAULT_MODEL = "broadwell_ult"


def write_config(args, directory, iso, template, port):
    with open(template, encoding="utf-8") as file:
        text = string.Template(file.read()).substitute(
            model=args.cpu or DEFAULT_MODEL, cpus=args.cpus, ips=IPS, megabytes=args.megabytes, iso=iso,
            log=os.path.join(directory, "bochs.log"), mode=port.mode, serial=port.path)
    path = os.path.join(directory, "bochsrc")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    # The debugger that Debian builds in stops before the first instruction: continue, and quit when it comes back.
    with open(os.path.join(directory, "continue"), "w", encoding="utf-8") as file:
        file.write("c\nq\n")
    return path


def complaints(directory):
    """What Bochs has to say about an end without a verdict."""
    with open(os.path.join(directory, "bochs.out"), "rb") as file:
        for line in file.read().splitlines()[-15:]:
            sys.stderr.buffer.write(b"bochs: " + line + b"\n")


def run(args, directory, output, image, template):
    port = process.Terminal() if args.attendant.types else process.Tail(os.path.join(directory, "serial"))
    config = write_config(args, directory, image, template, port)
    with open(os.path.join(directory, "bochs.out"), "wb") as out:
        child = subprocess.Popen(["bochs", "-q", "-f", config, "-rc", os.path.join(directory, "continue")],
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        with args.attendant.attached(child, port.descriptor):
            status = process.follow(child, port, output, args.timeout)
    output.close()
    if status is None:
        return process.TIMED_OUT
    # The clean end is the same for both verdicts; the serial line tells them apart.
    result = process.judge(output, status == 0, status == 0, f"bochs's exit status {status}")
    if result == process.NO_VERDICT and not output.panic:
        complaints(directory)
    return result
