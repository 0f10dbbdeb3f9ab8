"""Boot media: a GRUB image with the hypervisor and its modules, for CD, disk and USB stick, BIOS and UEFI."""
import os
import re
import shutil
import string
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
MENU = os.path.join(ROOT, "boot/menu.cfg.in")
GRUB = "/usr/lib/grub"
BIOS, UEFI = "i386-pc", "x86_64-efi"
PACKAGES = {BIOS: "grub-pc-bin", UEFI: "grub-efi-amd64-bin"}
PROGRAMS = ("grub-mkrescue", "xorriso", "mformat")
# What the boot lines need, and what the menu needs beside it; each with what it depends on.
MODULES = ["multiboot2", "iso9660", "normal"]
MENU_MODULES = ["echo", "serial", "terminal", "test", "smbios", "halt", "reboot"]
# GRUB tries each of these on a disk, and complains of each that is not there.
PARTITIONS = [f"part_{n}" for n in "acorn amiga apple bsd dfly dvh gpt msdos plan sun sunpc".split()]
HYPERVISOR = "escapement.elf"


def quote(word):
    """For GRUB's script language."""
    return f"'{word}'"


def missing(platforms):
    """What has to be installed to make an image for these platforms, or None."""
    for program in PROGRAMS:
        if not shutil.which(program):
            return f"{program} is not installed"
    for platform in platforms:
        if not os.path.isdir(os.path.join(GRUB, platform)):
            return f"GRUB's part for it is not installed: {PACKAGES[platform]}"
    return None


def file_names(paths):
    """{path: its name on the medium}: the file's own, plain and unique; a file that is given twice is there once."""
    names = {}
    for path in map(os.path.realpath, paths):
        if path in names:
            continue
        plain = name = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(path))
        number = 2
        while name in (HYPERVISOR, "boot", "efi", *names.values()):
            name = f"{plain}-{number}"
            number += 1
        names[path] = name
    return names


def name_of(path, names):
    return names[os.path.realpath(path)]


def vms_of(modules):
    """The names of the VMs, each once, in order."""
    return list(dict.fromkeys(filter(None, map(vm_of, modules))))


def boot_lines(append, modules, names):
    lines = [" ".join(["multiboot2", f"/{HYPERVISOR}", *map(quote, append.split())])]
    for module in modules:
        lines.append(" ".join(["module2", f"/{name_of(module.path, names)}", *map(quote, module.words)]))
    return lines


def vm_of(module):
    """The name of the VM that a module belongs to, None if its words do not say."""
    return next((w[3:] for w in module.words if w.startswith("vm=")), None)


def entry(title, append, modules, names):
    lines = [f'menuentry "{title}" {{', '    echo "Loading Escapement. It speaks on COM1, 115200 8N1, not on the screen."',
             *("    " + line for line in boot_lines(append, modules, names)), "}"]
    return "\n".join(lines)


def grub_config(args, names, menu):
    """Without a menu: straight on, and nothing of it on the serial line."""
    if not menu:
        return "\n".join([*boot_lines(args.append, args.modules, names), "boot", ""])
    vms = vms_of(args.modules)
    entries = [entry("Escapement: " + (", ".join(vms) or "no VM"), args.append, args.modules, names)]
    if len(vms) > 1:
        entries += [entry(f"Escapement: {vm} alone", args.append, [m for m in args.modules if vm_of(m) == vm], names)
                    for vm in vms]
    with open(MENU, encoding="utf-8") as file:
        return string.Template(file.read()).substitute(entries="\n".join(entries))


def make(args, path, directory, platforms, menu=False):
    """Writes the image; `directory` is for what is needed meanwhile. One platform alone makes the smaller image."""
    names = file_names(m.path for m in args.modules)
    root = os.path.join(directory, "root")
    os.makedirs(os.path.join(root, "boot/grub"))
    for source, name in [(args.kernel, HYPERVISOR), *names.items()]:
        shutil.copyfile(source, os.path.join(root, name))
    with open(os.path.join(root, "boot/grub/grub.cfg"), "w", encoding="utf-8") as file:
        file.write(grub_config(args, names, menu))
    modules = MODULES + (MENU_MODULES if menu else [])
    only = ["-d", os.path.join(GRUB, platforms[0])] if len(platforms) == 1 else []
    made = subprocess.run(["grub-mkrescue", *only, f"--install-modules={' '.join(modules + PARTITIONS)}",
                           f"--modules={' '.join(modules)}", "--fonts=", "--locales=", "--themes=", "-o", path, root],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if made.returncode != 0:
        sys.stderr.buffer.write(made.stdout)
        raise OSError("grub-mkrescue failed")
