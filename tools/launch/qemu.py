"""QEMU, by its own multiboot loader: TCG with AMD SVM, or KVM with nested virtualization."""
import os
import subprocess

from launch import process

EXIT_OK, EXIT_FAILED = 0x10 << 1 | 1, 0x11 << 1 | 1  # isa-debug-exit (DESIGN.md section 4, "End")
DATE = "2026-01-01T00:00:00"


def initrd_argument(modules, directory):
    """QEMU splits at commas, and takes the file's name off at the first space: links with plain names stand for files,
    and commas inside words are doubled."""
    parts = []
    for number, module in enumerate(modules):
        folder = os.path.join(directory, str(number))
        os.mkdir(folder)
        name = os.path.basename(module.path).replace(" ", "_").replace(",", "_")
        link = os.path.join(folder, name)
        os.symlink(os.path.abspath(module.path), link)
        parts.append(" ".join([link, *module.words]).replace(",", ",,"))
    return ",".join(parts)


def machine(args, interactive):
    """The machine without what it boots; deterministic, time counted in instructions, unless --realtime or kvm."""
    kvm = args.on == "kvm"
    model = args.cpu or ("host" if kvm else "qemu64,+npt")
    line = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none",
            "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-machine", "pc",
            "-accel", "kvm" if kvm else "tcg", "-cpu", model, "-smp", str(args.cpus), "-m", f"{args.megabytes}M"]
    if not kvm and not args.realtime:
        # For a person time goes with the wall's: with shift=0 and sleep=on QEMU 7.2 gets nowhere (16 characters in 10 s).
        count = "shift=auto,sleep=on" if interactive and not args.virtual_time else "shift=0,sleep=off"
        line += ["-icount", count, "-rtc", f"base={DATE},clock=vm", "-seed", "1"]
    if args.plugin:
        line += ["-plugin", args.plugin]
    if args.gdb:
        line += ["-s", "-S"]
    return line


def command(args, directory, interactive):
    line = [*machine(args, interactive), "-kernel", args.kernel]
    if args.append:
        line += ["-append", args.append]
    if args.modules:
        line += ["-initrd", initrd_argument(args.modules, directory)]
    return line


def run(args, directory, output):
    attendant = args.attendant
    child = subprocess.Popen(command(args, directory, attendant.interactive), stdout=subprocess.PIPE,
                             stdin=subprocess.PIPE if attendant.types else subprocess.DEVNULL)
    with attendant.attached(child, child.stdin and child.stdin.fileno()):
        status = process.follow(child, process.Pipe(child.stdout), output, args.timeout)
    output.close()
    if status is None:
        return process.TIMED_OUT
    return process.judge(output, status == EXIT_OK, status == EXIT_FAILED, f"qemu's exit status {status}")
