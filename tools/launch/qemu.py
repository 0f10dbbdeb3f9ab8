"""QEMU: TCG with AMD SVM, or KVM with nested virtualization; by its own multiboot loader, or GRUB from an image."""
import os
import subprocess

from launch import process
from launch.image import file_names, name_of

EXIT_OK, EXIT_FAILED = 0x10 << 1 | 1, 0x11 << 1 | 1  # isa-debug-exit (DESIGN.md section 4, "End")
DATE = "2026-01-01T00:00:00"
# An instruction counts 2^shift ns. Firmware and GRUB wait by the clock, looking at ports all the while: at 1 ns UEFI
# waits three seconds for a TPM that is not there, which is some minutes of wall time. 8 ns is near Bochs's 10.
KERNEL_SHIFT, GRUB_SHIFT = 0, 3
OVMF = "/usr/share/ovmf/OVMF.fd"
ELF_CLASS_64 = b"\x7fELF\x02"


def initrd_argument(modules, directory):
    """QEMU splits at commas, and takes the file's name off at the first space: links with plain names stand for files,
    and commas inside words are doubled. The names are relative to `directory`, where QEMU is to run: guests see them, and
    they are those that they have on a medium."""
    names = file_names(m.path for m in modules)
    for path, name in names.items():
        os.symlink(path, os.path.join(directory, name))
    return ",".join(" ".join([name_of(m.path, names), *m.words]).replace(",", ",,") for m in modules)


def absolute(plugin):
    """The file and each value with a slash are paths of the caller's; QEMU runs in a directory of its own."""
    words = []
    for number, word in enumerate(plugin.split(",")):
        key, equals, value = word.rpartition("=") if number else ("", "", word)
        words.append(key + equals + (os.path.abspath(value) if number == 0 or "/" in value else value))
    return ",".join(words)


def machine(args, interactive, default_shift=KERNEL_SHIFT):
    """The machine without what it boots; deterministic, time counted in instructions, unless --realtime or kvm."""
    kvm = args.on == "kvm"
    model = args.cpu or ("host" if kvm else "qemu64,+npt")
    line = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none",
            "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-machine", "pc",
            "-accel", "kvm" if kvm else "tcg", "-cpu", model, "-smp", str(args.cpus), "-m", f"{args.megabytes}M"]
    if not kvm and not args.realtime:
        shift = default_shift if args.shift is None else args.shift
        # For a person time goes with the wall's: with shift=0 and sleep=on QEMU 7.2 gets nowhere (16 characters in 10 s).
        count = "shift=auto,sleep=on" if interactive and not args.virtual_time else f"shift={shift},sleep=off"
        line += ["-icount", count, "-rtc", f"base={DATE},clock=vm", "-seed", "1"]
    if args.plugin:
        line += ["-plugin", absolute(args.plugin)]
    if args.gdb:
        line += ["-s", "-S"]
    return line


def refuses(kernel):
    """True for an ELF64: `qemu -kernel` takes multiboot images as ELF32 only."""
    with open(kernel, "rb") as file:
        return file.read(len(ELF_CLASS_64)) == ELF_CLASS_64


def own_loader(args, directory):
    line = ["-kernel", os.path.abspath(args.kernel)]
    if args.append:
        line += ["-append", args.append]
    if args.modules:
        line += ["-initrd", initrd_argument(args.modules, directory)]
    return line


def medium(args, image, interactive):
    device, media = ("ide-cd", "cdrom") if args.boot == "cd" else ("ide-hd", "disk")
    name = os.path.abspath(image).replace(",", ",,")
    line = ["-drive", f"if=none,id=boot,format=raw,snapshot=on,media={media},file={name}",
            "-device", f"{device},drive=boot,bootindex=0"]
    if args.firmware == "uefi":
        line += ["-bios", OVMF]
    if not interactive:
        line += ["-smbios", "type=1,version=unattended"]  # boot/menu.cfg.in: nobody waits for a menu
    return line


def command(args, directory, interactive, image=None):
    """image None: QEMU's own loader."""
    if image is None:
        return machine(args, interactive) + own_loader(args, directory)
    return machine(args, interactive, GRUB_SHIFT) + medium(args, image, interactive)


def run(args, directory, output, image):
    attendant = args.attendant
    child = subprocess.Popen(command(args, directory, attendant.interactive, image), cwd=directory,
                             stdout=subprocess.PIPE, stdin=subprocess.PIPE if attendant.types else subprocess.DEVNULL)
    with attendant.attached(child, child.stdin and child.stdin.fileno()):
        status = process.follow(child, process.Pipe(child.stdout), output, args.timeout)
    output.close()
    if status is None:
        return process.TIMED_OUT
    return process.judge(output, status == EXIT_OK, status == EXIT_FAILED, f"qemu's exit status {status}")
