"""Bochs: Intel VMX, booted from a GRUB medium made on the spot."""
import os
import shutil
import string
import subprocess
import sys

from launch import process

IPS = 100000000
DEFAULT_MODEL = "broadwell_ult"
GRUB_PLATFORM = "/usr/lib/grub/i386-pc"
GRUB_MODULES = "multiboot multiboot2 iso9660 biosdisk normal"


def quote(word):
    """For GRUB's script language."""
    return f"'{word}'"


def grub_config(args):
    lines = [" ".join(["multiboot2", "/escapement.elf", *map(quote, args.append.split())])]
    for number, module in enumerate(args.modules):
        lines.append(" ".join(["module2", f"/m{number}", *map(quote, module.words)]))
    return "\n".join([*lines, "boot", ""])


def make_iso(args, directory):
    """A bootable CD image; its path."""
    root = os.path.join(directory, "root")
    os.makedirs(os.path.join(root, "boot/grub"))
    for name, path in [("escapement.elf", args.kernel), *((f"m{i}", m.path) for i, m in enumerate(args.modules))]:
        shutil.copyfile(path, os.path.join(root, name))
    with open(os.path.join(root, "boot/grub/grub.cfg"), "w", encoding="utf-8") as file:
        file.write(grub_config(args))
    iso = os.path.join(directory, "boot.iso")
    made = subprocess.run(["grub-mkrescue", "-d", GRUB_PLATFORM, f"--install-modules={GRUB_MODULES}",
                           f"--modules={GRUB_MODULES}", "--fonts=", "--locales=", "--themes=", "-o", iso, root],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if made.returncode != 0:
        sys.stderr.buffer.write(made.stdout)
        raise OSError("grub-mkrescue failed")
    return iso


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


def run(args, directory, output, template):
    port = process.Terminal() if args.attendant.types else process.Tail(os.path.join(directory, "serial"))
    config = write_config(args, directory, make_iso(args, directory), template, port)
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
