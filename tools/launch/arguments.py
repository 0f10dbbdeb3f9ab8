"""The command line of tools/run (DESIGN.md section 4), checked."""
import argparse
import math
import os
import re
from dataclasses import dataclass, field

from launch import aftermath, attendant, options, vmsfile
from launch.unusable import Unusable  # noqa: F401 (it is this module's word for it)

PLATFORMS = ("qemu", "bochs", "kvm")
FIRMWARE = ("bios", "uefi")
BOOT = ("kernel", "cd", "disk")
MIB = 1 << 20
PAGE = 4096
MAX_CPUS = 64
HYPERVISOR_LEAST = 4 * MIB  # below that nothing comes to say what is wrong
DEFAULT_VM_MEMORY = 64 * MIB
HYPERVISOR_MEMORY = 64 * MIB
HOLE = 3 << 30  # from there to 4 GiB a PC of more than 3.5 GiB has no RAM
UEFI_MEMORY = 64 * MIB  # what the firmware and its drivers keep, and the holes that they leave


@dataclass
class Module:
    """One line of the loader: a file and its words."""
    path: str
    words: list = field(default_factory=list)


def parse_size(text):
    """Bytes of 192M, 64k, 1G or a plain number; None if it is none of these."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text.upper(), re.ASCII)
    if not match:
        return None
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def check_words(words, where):
    for word in words:
        if vmsfile.FORBIDDEN.search(word):
            raise Unusable(f"{where}: quotes and backslashes cannot be passed on: {word}")


def check_file(path, where):
    if not path:
        raise Unusable(f"{where}: no file is named")
    if not os.path.isfile(path):
        raise Unusable(f"{where}: {'not a file' if os.path.exists(path) else 'no such file'}: {path}")
    if not os.access(path, os.R_OK):
        raise Unusable(f"{where}: cannot be read: {path}")


def parse_vm(text):
    """The modules of one --vm: "NAME FILE [words] [initrd=FILE] [module=FILE]... [-- guest's words]"."""
    head, dashes, tail = f" {text} ".partition(" -- ")
    words = head.split()
    where = f"--vm {words[0]}" if words else "--vm"
    if len(words) < 2:
        raise Unusable(f"{where}: give a name and the image's file")
    name, path, settings = words[0], words[1], words[2:]
    own = [w for w in settings if not w.startswith(("initrd=", "module="))]
    guest = ["--", *tail.split()] if dashes else []
    modules = [Module(path, [f"vm={name}", *own, *guest])]
    for word in settings:
        role, equals, part = word.partition("=")
        if equals and role in ("initrd", "module"):
            modules.append(Module(part, [f"vm={name}", role]))
    for module in modules:
        check_file(module.path, where)
        check_words(module.words, where)
    return modules


def parse_module(text):
    """One --module: "FILE WORDS", as a line of grub.cfg."""
    words = text.split()
    if not words:
        raise Unusable("--module: give a file")
    check_file(words[0], "--module")
    check_words(words[1:], "--module")
    return [Module(words[0], words[1:])]


def vm_memory(modules):
    """Bytes of RAM that each of the kernels among the modules asks for. A size nobody can read is the hypervisor's to refuse."""
    found = []
    for module in modules:
        settings = module.words[:module.words.index("--")] if "--" in module.words else module.words
        if "initrd" in settings or "module" in settings:
            continue
        sizes = [parse_size(w[4:]) for w in settings if w.startswith("mem=")]
        found.append(sizes[-1] if sizes and sizes[-1] else DEFAULT_VM_MEMORY)
    return found


def machine_memory(vms, others):
    """Bytes of RAM for VMs of these sizes and `others`. A VM's RAM is one piece, and past the hole the machine's is another."""
    room, above = HOLE - others, 0
    if sum(vms) <= room:
        return sum(vms) + others
    for size in vms:
        if size <= room:
            room -= size
        else:
            above += size
    return HOLE + above


def file_memory(modules):
    """Bytes of RAM that the loader puts the files into, each module's for itself; they stay there for a VM's reset."""
    return sum(-(-os.path.getsize(module.path) // PAGE) * PAGE for module in modules)


def trace_memory(append, cpus):
    """Bytes of RAM that the trace takes, where it is larger than what is reckoned with."""
    sizes = [parse_size(w.partition("=")[2]) for w in append.split() if w.startswith("trace-buffer=")]
    return cpus * (sizes[-1] if sizes and sizes[-1] else 0)


def _seconds(text):
    """A time-out."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"a number of seconds, more than 0: {text}")
    return seconds


def _processors(text):
    if not re.fullmatch("[0-9]+", text) or not 1 <= int(text) <= MAX_CPUS:
        raise argparse.ArgumentTypeError(f"1 to {MAX_CPUS}: {text}")
    return int(text)


def _machine_memory(text):
    size = parse_size(text)
    if size is None or size < HYPERVISOR_LEAST:
        raise argparse.ArgumentTypeError(f"a size of {HYPERVISOR_LEAST // MIB}M and more, as 256M: {text}")
    return size


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Unusable(message)


def _parser():
    parser = _Parser(prog="tools/run", description="Boots Escapement with guests on an emulator and gives the verdict.",
                     epilog='Exit status: 0 every VM ended ok, 1 one failed, 2 unusable arguments, 3 a panic or no '
                            'verdict, 124 past the time-out. Example: tools/run --vm "t test.elf mem=32M -- args"')
    add = parser.add_argument
    add("--on", choices=PLATFORMS, help="emulator (default: kvm where it nests, else the best of the others)")
    add("--realtime", action="store_true", help="qemu: time is the host's, not counted in instructions")
    add("--virtual-time", action="store_true", help="qemu: time counts instructions also with a person at it, for whom it "
        "else goes with the wall's")
    add("--shift", type=int, choices=range(11), metavar="N",
        help="qemu: an instruction counts 2^N ns (default 0; 3, near Bochs's speed, where firmware and GRUB come first)")
    add("--cpus", type=_processors, default=1, metavar="N", help="processors of the machine (default 1)")
    add("--cpu", metavar="MODEL", help="the emulator's CPU model")
    add("--memory", type=_machine_memory, metavar="M", help="RAM of the machine, as 256M (default: the VMs' sum, what the "
        "files take, and 64M)")
    add("--timeout", type=_seconds, metavar="S", help="seconds of wall time (default 120; with a person at it: none)")
    add("--interactive", action="store_true", help="standard input goes to the console (default when it and the output "
        "are a terminal)")
    add("--serial", metavar="FILE", help="write the serial output there too")
    add("--trace", metavar="FILE", help="write the run's trace there (tools/trace shows it); adds trace=dump to --append")
    add("--trace-failed", metavar="FILE", help="write it there only if the run fails, past its time-out too; adds on-empty=halt")
    add("--append", default="", metavar="WORDS", help="global settings: the hypervisor's command line")
    add("--vm", dest="lines", type=parse_vm, action="extend", default=[], metavar="VM",
        help='"NAME FILE [mem=.. cpus=.. ...] [initrd=FILE] [module=FILE]... [-- guest\'s words]"')
    add("--module", dest="lines", type=parse_module, action="extend", metavar="LINE", help='"FILE WORDS": a module line as in grub.cfg')
    add("--boot", choices=BOOT, help="the loader: QEMU's own (kernel), or GRUB from a CD or a disk (default: kernel; "
                                     "cd on bochs, with --image and with uefi)")
    add("--firmware", choices=FIRMWARE, default="bios", help="of the machine, for --boot cd and disk (default bios)")
    add("--image", metavar="FILE", help="boot from a GRUB image with a menu, and keep it there: for CD, disk and USB stick")
    add("--no-run", action="store_true", help="with --image: only make it")
    add("--empty", action="store_true", help="boot without any VM")
    add("--kernel", metavar="FILE", help="the hypervisor (default build/escapement.elf)")
    add("--plugin", metavar="FILE[,ARG=VALUE]...", help="qemu: load a plug-in (tests/bench/count.c is one)")
    options.add(parser)
    add("--gdb", action="store_true", help="qemu: wait for gdb on port 1234")
    return parser


def _with_dump(append):
    traces = [word for word in append.split() if word.startswith("trace=")]
    if not traces:
        return f"{append} trace=dump".strip()
    if traces != ["trace=dump"]:
        raise Unusable(f"--trace: --append has {traces[0]}, with which no trace comes out (trace=dump brings it)")
    return append


def parse(argv, default_kernel):
    """The checked arguments; .modules and .megabytes are made from the others. Raises Unusable."""
    args = options.parse(_parser(), argv)
    args.kernel = args.kernel or default_kernel
    args.attendant = attendant.Attendant(attendant.wanted(args), options.script_of(args))
    if args.timeout is None:
        args.timeout = math.inf if args.attendant.interactive else 120
    check_words(args.append.split(), "--append")
    if args.trace:
        args.append = _with_dump(args.append)
    if args.trace and args.trace_failed:
        raise Unusable("--trace and --trace-failed: one of them")
    if args.trace_failed:
        args.append = aftermath.append(args.append)
    args.modules = args.lines
    if args.cases:
        return args
    if not args.modules and not args.empty:
        raise Unusable('give at least one VM: --vm "NAME FILE [words]" (or --empty)')
    check_file(args.kernel, "the hypervisor (`make` builds it)")
    if args.no_run and not args.image:
        raise Unusable("--no-run: only with --image FILE")
    firmware = UEFI_MEMORY if args.firmware == "uefi" else 0
    size = args.memory or machine_memory(vm_memory(args.modules), file_memory(args.modules) + HYPERVISOR_MEMORY + firmware
                                         + trace_memory(args.append, args.cpus))
    args.megabytes = -(-size // MIB)
    return args
