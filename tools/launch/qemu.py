"""QEMU, by its own multiboot loader: TCG with AMD SVM, or KVM with nested virtualization."""
import os
import subprocess
import sys

from launch import process

EXIT_OK, EXIT_FAILED = 0x10 << 1 | 1, 0x11 << 1 | 1  # isa-debug-exit (DESIGN.md section 4, "End")
DATE = "2026-01-01T00:00:00"


def initrd_argument(modules, directory):
    """QEMU splits at commas, and takes the file's name off at the first space: links with plain names stand for files,
    and commas inside words are doubled. The names are relative to `directory`, where QEMU is to run: guests see them."""
    parts = []
    for number, module in enumerate(modules):
        name = os.path.basename(module.path).replace(" ", "_").replace(",", "_")
        link = os.path.join(str(number), name)
        os.mkdir(os.path.join(directory, str(number)))
        os.symlink(os.path.abspath(module.path), os.path.join(directory, link))
        parts.append(" ".join([link, *module.words]).replace(",", ",,"))
    return ",".join(parts)


def absolute(plugin):
    """The file and each value with a slash are paths of the caller's; QEMU runs in a directory of its own."""
    words = []
    for number, word in enumerate(plugin.split(",")):
        key, equals, value = word.rpartition("=") if number else ("", "", word)
        words.append(key + equals + (os.path.abspath(value) if number == 0 or "/" in value else value))
    return ",".join(words)


def machine(args, interactive):
    """The machine without what it boots; deterministic, time counted in instructions, unless --realtime or kvm."""
    kvm = args.on == "kvm"
    model = args.cpu or ("host" if kvm else "qemu64,+npt")
    line = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none",
            "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-machine", "pc",
            "-accel", "kvm" if kvm else "tcg", "-cpu", model, "-smp", str(args.cpus), "-m", f"{args.megabytes}M"]
    if not kvm and not args.realtime:
        line += ["-icount", f"shift=0,sleep={'on' if interactive else 'off'}", "-rtc", f"base={DATE},clock=vm",
                 "-seed", "1"]
    if args.plugin:
        line += ["-plugin", absolute(args.plugin)]
    if args.gdb:
        line += ["-s", "-S"]
    return line


def command(args, directory, interactive):
    line = [*machine(args, interactive), "-kernel", os.path.abspath(args.kernel)]
    if args.append:
        line += ["-append", args.append]
    if args.modules:
        line += ["-initrd", initrd_argument(args.modules, directory)]
    return line


def run(args, directory, output):
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    child = subprocess.Popen(command(args, directory, interactive), cwd=directory, stdout=subprocess.PIPE,
                             stdin=None if interactive else subprocess.DEVNULL)
    status = process.follow(child, process.Pipe(child.stdout), output, args.timeout)
    output.close()
    if status is None:
        return process.TIMED_OUT
    return process.judge(output, status == EXIT_OK, status == EXIT_FAILED, f"qemu's exit status {status}")
