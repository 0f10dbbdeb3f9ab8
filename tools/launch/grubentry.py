"""The GRUB entry that a command line or a FILE.vms stands for: what to write into a machine's grub.cfg."""
import os

from launch import image


def quote(word):
    """For GRUB's script language."""
    return word if all(c.isalnum() or c in "=-_./:,+" for c in word) else f"'{word}'"


def entry(args):
    """Files are in /boot, by their own names; where that cannot be, a comment says which is which."""
    names = image.file_names(m.path for m in args.modules)
    copies = {m.path: image.name_of(m.path, names) for m in args.modules}
    lines = [f"# {path} is /boot/{name} here" for path, name in copies.items() if os.path.basename(path) != name]
    lines += [f"menuentry 'Escapement: {', '.join(image.vms_of(args.modules)) or 'no VM'}' {{",
              "    " + " ".join(["multiboot2", "/boot/escapement.elf", *map(quote, args.append.split())])]
    for module in args.modules:
        lines.append("    " + " ".join(["module2", f"/boot/{copies[module.path]}", *map(quote, module.words)]))
    return "\n".join([*lines, "}", ""])
